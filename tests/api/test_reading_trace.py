from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.vocabulary import Channel
from notify.rules.trace import _ORDER, _SPEAKER
from notify.vocabulary import EventKind, NotificationStatus
from preferences.vocabulary import RecipientRef
from tests.factories import Api, make_attempt, make_delivery, make_event, make_notification, make_recipient

START = datetime.now(UTC) - timedelta(minutes=5)


@pytest.fixture
def alice(db: None) -> RecipientRef:
    return make_recipient("u_alice", email="alice@example.com")


@pytest.fixture
def told(alice: RecipientRef, api_key: str) -> UUID:
    return make_notification(alice, key=api_key, created_at=START)


def trace(api: Api, told: UUID) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = api.get(f"/v1/notifications/{told}/trace").json()["trace"]
    return steps


def told_steps(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["step"], one["decision"]) for one in entries]


def test_a_notification_nobody_has_taken_up_tells_its_acceptance(api: Api, told: UUID) -> None:
    entries = trace(api, told)
    assert told_steps(entries) == [("accept", "accepted"), ("end", "accepted")]
    assert entries[0]["detail"]["application"] == "shop"
    assert entries[0]["detail"]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_retry_is_told_between_its_attempts(api: Api, told: UUID, alice: RecipientRef) -> None:
    at = START + timedelta(seconds=1)
    push = make_delivery(
        told, alice, Channel.PUSH, status="sent", provider="fcm", attempts=2, planned_at=at, sent_at=datetime.now(UTC)
    )
    make_attempt(push, outcome="transient", code="503", detail="unavailable")
    make_event(told, EventKind.RETRY, push, until="soon", why="503 unavailable")
    second = make_attempt(push, number=2)
    second.started_at = datetime.now(UTC)
    second.save()
    entries = trace(api, told)
    assert told_steps(entries) == [
        ("accept", "accepted"),
        ("plan", "planned"),
        ("dispatch", "transient"),
        ("record", "retry"),
        ("dispatch", "accepted"),
        ("end", "sent"),
        ("end", "sent"),
    ]
    assert entries[2]["detail"] == {
        "attempt": 1,
        "provider": "sandbox",
        "latency_ms": 12,
        "code": "503",
        "answer": "unavailable",
    }
    assert entries[3]["detail"] == {"until": "soon", "why": "503 unavailable"}
    on_the_way = [entry["at"] for entry in entries if entry["step"] != "end"]
    assert on_the_way == sorted(on_the_way)


def test_a_delivery_suppressed_at_planning_is_told_once_with_its_reason(
    api: Api, told: UUID, alice: RecipientRef
) -> None:
    make_delivery(told, alice, Channel.EMAIL, status="suppressed", reason_code="user_opted_out", detail="channel_off")
    entries = trace(api, told)
    assert told_steps(entries) == [("accept", "accepted"), ("plan", "suppressed"), ("end", "suppressed")]
    assert (entries[1]["channel"], entries[1]["reason_code"]) == ("email", "user_opted_out")
    assert entries[1]["detail"]["why"] == "channel_off"


def test_a_delivery_refused_at_the_claim_was_planned_before(api: Api, told: UUID, alice: RecipientRef) -> None:
    one = make_delivery(told, alice, Channel.EMAIL, status="suppressed", reason_code="user_opted_out")
    make_event(told, EventKind.REFUSED_AT_CLAIM, one, channel="email", reason_code="user_opted_out")
    entries = trace(api, told)
    assert told_steps(entries)[1:3] == [("plan", "planned"), ("claim", "refused_at_claim")]
    assert (entries[2]["channel"], entries[2]["reason_code"]) == ("email", "user_opted_out")


def test_a_deferred_delivery_says_until_when(api: Api, told: UUID, alice: RecipientRef) -> None:
    make_delivery(told, alice, Channel.PUSH, status="deferred", next_attempt_at=datetime(2027, 1, 1, tzinfo=UTC))
    entries = trace(api, told)
    assert told_steps(entries)[1] == ("plan", "deferred")
    assert entries[1]["detail"]["until"] == "2027-01-01T00:00:00Z"


def test_a_dead_delivery_ends_with_its_reason(api: Api, told: UUID, alice: RecipientRef) -> None:
    one = make_delivery(
        told, alice, Channel.PUSH, status="dead", reason_code="retries_exhausted", attempts=4, provider="fcm"
    )
    make_event(told, EventKind.DEAD, one, reason_code="retries_exhausted", why="503 unavailable")
    entries = trace(api, told)
    assert told_steps(entries)[-3:] == [("record", "dead"), ("end", "dead"), ("end", "failed")]
    assert entries[-2]["reason_code"] == "retries_exhausted"


def test_a_cancelled_notification_says_so(api: Api, alice: RecipientRef, api_key: str) -> None:
    told = make_notification(alice, key=api_key, created_at=START, status=NotificationStatus.CANCELLED)
    make_event(told, EventKind.CANCELLED, stopped=0)
    assert told_steps(trace(api, told))[1:] == [("cancel", "cancelled"), ("end", "cancelled")]


def test_a_scheduled_notification_says_for_when(api: Api, alice: RecipientRef, api_key: str) -> None:
    told = make_notification(alice, key=api_key, status=NotificationStatus.SCHEDULED)
    first = trace(api, told)[0]
    assert first["decision"] == "scheduled"
    assert first["detail"]["schedule_at"] is not None


def test_no_address_is_in_a_trace(api: Api, told: UUID, alice: RecipientRef) -> None:
    make_delivery(told, alice, Channel.EMAIL, hint="a…@e…")
    answer = api.get(f"/v1/notifications/{told}/trace").content.decode()
    assert "a…@e…" in answer
    assert "alice@example.com" not in answer


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_has_a_speaker_with_a_place(kind: EventKind) -> None:
    assert _SPEAKER[kind] in _ORDER
