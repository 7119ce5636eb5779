"""The demo's own judgement: it must notice what did not come out as it should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from config.demo.client import Attempt, Delivery, Notification
from config.demo.expectation import expected
from config.demo.findings import latencies, mismatches
from config.demo.people import Person, people
from config.demo.story import Telling, story
from config.demo.watching import Followed
from config.demo.wording import REASONS, STAGES
from notify.vocabulary import DeliveryStatus, ReasonCode

PEOPLE = {person.name: person for person in people("run")}
TELLINGS = {telling.key: telling for telling in story(list(PEOPLE.values()))}
NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)


def followed(
    person: Person,
    telling: Telling,
    *ends: tuple[str, str, str | None],
    status: str = "sent",
    provider: str = "fcm",
) -> Followed:
    """A notification that ended so on its channels, through one provider."""
    deliveries = [
        Delivery(id=channel, channel=channel, status=end, reason_code=reason, provider=provider)
        for channel, end, reason in ends
    ]
    attempt = Attempt(delivery_id="push", outcome="accepted", code="", started_at=NOW, latency_ms=7.0)
    seen = Notification(
        id="n",
        status=status,
        priority="medium",
        created_at=NOW - timedelta(milliseconds=30),
        scheduled_at=NOW + timedelta(seconds=1) if telling.ahead else None,
        deliveries=deliveries,
        attempts=[attempt],
    )
    return Followed(person=person, telling=telling, id="n", expected=expected(person, telling), seen=seen)


def sentences(*found: Followed, mails: int = 0) -> list[str]:
    return [sentence for _, sentence in mismatches(found, mails)]


@pytest.mark.parametrize(
    ("name", "key", "end", "sentence"),
    [
        ("Nils", "order-10", ("push", "sent", None), "should be suppressed (no_device), and is sent."),
        ("Olga", "order-9", ("push", "delivered", None), "should be suppressed (user_opted_out), and is delivered."),
        ("Alice", "order-1", ("push", "failed", "invalid_recipient"), "and is failed (invalid_recipient)."),
        ("Alice", "order-1", ("push", "planned", None), "should be sent, and is planned."),
    ],
)
def test_a_delivery_that_ended_otherwise_is_named(
    name: str, key: str, end: tuple[str, str, str | None], sentence: str
) -> None:
    found = sentences(followed(PEOPLE[name], TELLINGS[key], end))
    assert any(one.startswith(f"{name}, ORDER_SHIPPED: push") and one.endswith(sentence) for one in found)


def test_a_channel_that_was_not_planned_is_named() -> None:
    found = sentences(followed(PEOPLE["Alice"], TELLINGS["order-1"], ("push", "sent", None)))
    assert found == ["Alice, ORDER_SHIPPED: e-mail should be delivered, and was not planned."]


def test_a_fallback_that_was_not_used_is_named() -> None:
    dead = ("push", "failed", "invalid_recipient")
    found = sentences(followed(PEOPLE["Dora"], TELLINGS["payment"], dead, status="failed"))
    assert found == ["Dora, PAYMENT_FAILED: sms should be delivered, and was not planned."]


def test_a_cancelled_reminder_that_left_is_named() -> None:
    found = sentences(followed(PEOPLE["Ravi"], TELLINGS["reminder-cancelled"], ("push", "sent", None)))
    assert found == ["Ravi, MEETING_REMINDER: it should be cancelled, and is sent."]


def test_a_reminder_that_left_too_early_is_named() -> None:
    ends = ("push", "sent", None), ("in_app", "delivered", None)
    found = sentences(followed(PEOPLE["Lucia"], TELLINGS["reminder-soon"], *ends))
    assert found == ["Lucia, MEETING_REMINDER: it left 1.0 s before its time."]


def test_mails_that_were_sent_and_did_not_arrive_are_counted() -> None:
    ends = ("push", "sent", None), ("email", "sent", None)
    found = followed(PEOPLE["Lucia"], TELLINGS["order-2"], *ends, provider="smtp")
    assert sentences(found, mails=2) == []
    assert sentences(found, mails=0) == ["Mails that were sent by SMTP: 2. Mails in the folder: 0."]


def test_an_sms_that_did_not_go_elsewhere_is_noticed() -> None:
    found = followed(PEOPLE["Alice"], TELLINGS["code-1"], ("sms", "delivered", None), provider="vonage")
    assert sentences(found) == ["Not every SMS went through twilio, though vonage was down."]


def test_latency_is_from_acceptance_to_the_providers_yes_and_leaves_out_what_waited() -> None:
    prompt = followed(PEOPLE["Alice"], TELLINGS["order-1"], ("push", "sent", None))
    waited = followed(PEOPLE["Lucia"], TELLINGS["reminder-soon"], ("push", "sent", None))
    assert [(one.priority, one.deliveries, one.p50) for one in latencies([prompt, waited])] == [("medium", 1, 37.0)]


def test_every_reason_has_words_that_fit_into_the_table() -> None:
    assert set(REASONS) == set(ReasonCode)
    assert all(len(words) <= 26 for words in REASONS.values())


def test_every_status_stands_in_one_column() -> None:
    assert sorted(status for stage in STAGES.values() for status in stage) == sorted(DeliveryStatus)
