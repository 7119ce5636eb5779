"""What providers say afterwards: from their call to the status, the trace and the address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from notify import dispatch, record, render, sweep
from notify.record import Tried
from notify.store import receipts as rows
from notify.vocabulary import ReceiptOutcome
from preferences import store as people
from preferences.vocabulary import ContactKind, SuppressionReason
from tests.factories import Api, make_key, make_recipient, make_template, make_type
from tests.flow.conftest import Send, drain, plan_only, waiting_pages
from tests.flow.receipts import Gateway, apply, declare, event, outcomes

pytestmark = pytest.mark.django_db

MAIL = "sandbox-accepted@example.com"


@pytest.fixture(autouse=True)
def gateway(tmp_path: Path, settings: Any) -> Gateway:
    """Two mail accounts and one for text messages; this is the first one's provider."""
    file = declare(tmp_path, ("mail-a", "email"), ("mail-b", "email"), ("text-a", "sms"))
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": file}
    return Gateway("mail-a")


def sent_mail(send: Send, status: Any, user_id: str = "u_alice", address: str = MAIL) -> tuple[str, str]:
    """(notification, delivery) of a mail that the first account took."""
    make_recipient(user_id, email=address)
    told = send(user_id, channels=["email"])["notifications"][0]["id"]
    drain()
    only = status(told)["deliveries"][0]
    assert (only["status"], only["provider"]) == ("sent", "mail-a")
    return told, only["id"]


def only_delivery(body: dict[str, Any]) -> dict[str, Any]:
    (found,) = body["deliveries"]
    return dict(found)


def reason_for(address: str) -> list[SuppressionReason]:
    return [one.reason for one in people.suppressions_of([people.index_of(ContactKind.EMAIL, address)])]


def test_a_receipt_makes_a_sent_message_delivered_and_stands_in_the_trace(
    send: Send, status: Any, api: Api, gateway: Gateway
) -> None:
    told, mail = sent_mail(send, status)
    assert status(told)["status"] == "sent"
    assert gateway.says(event("delivered", mail, code="250")) == 200
    assert status(told)["status"] == "sent", "nothing is done while the provider waits"
    assert apply() == 1
    assert status(told)["status"] == "delivered"
    assert only_delivery(status(told))["delivered_at"] is not None
    (heard,) = [one for one in api.get(f"/v1/notifications/{told}/trace").json()["trace"] if one["step"] == "receive"]
    assert heard["detail"] | {"occurred_at": ""} == {
        "kind": "delivered",
        "provider": "mail-a",
        "code": "250",
        "occurred_at": "",
    }


def test_a_receipt_told_46_times_takes_effect_once(send: Send, status: Any, api: Api, gateway: Gateway) -> None:
    told, mail = sent_mail(send, status)
    same = event("delivered", mail)
    assert {gateway.says(same) for _ in range(23)} == {200}
    apply()
    assert {gateway.says(same) for _ in range(23)} == {200}
    apply()
    assert outcomes() == [ReceiptOutcome.APPLIED]
    trace = api.get(f"/v1/notifications/{told}/trace").json()["trace"]
    assert len([one for one in trace if one["step"] == "receive"]) == 1


def test_receipts_out_of_order_end_where_they_would_have_in_order(send: Send, status: Any, gateway: Gateway) -> None:
    told, mail = sent_mail(send, status)
    for kind in ("clicked", "opened", "progress", "delivered", "deferred"):
        gateway.says(event(kind, mail))
        apply()
    only = only_delivery(status(told))
    assert only["status"] == "delivered"
    assert only["opened_at"] is not None
    assert only["clicked_at"] is not None


def test_an_open_by_a_machine_proves_delivery_and_is_no_open(send: Send, status: Any, gateway: Gateway) -> None:
    told, mail = sent_mail(send, status)
    gateway.says(event("opened", mail, by_machine=True))
    apply()
    only = only_delivery(status(told))
    assert (only["status"], only["opened_at"]) == ("delivered", None)


def test_a_receipt_before_our_own_commit_waits_for_it(
    send: Send, status: Any, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_recipient(email=MAIL)
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    recorded = record.record_page

    def overtaken(page: Any, token: int, tried: Any) -> Any:
        gateway.says(event("delivered", tried[0].delivery.id))
        apply()
        assert outcomes() == [None]
        return recorded(page, token, tried)

    monkeypatch.setattr(record, "record_page", overtaken)
    drain()
    assert status(told)["status"] == "sent"
    apply()
    assert status(told)["status"] == "delivered"
    assert outcomes() == [ReceiptOutcome.APPLIED]


def test_a_receipt_saves_the_repeat_of_a_process_that_died_after_the_provider_took_it(
    send: Send, status: Any, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_recipient(email=MAIL)
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    kept: list[Tried] = []
    monkeypatch.setattr(record, "record_page", lambda _page, _token, tried: kept.extend(tried) or [])
    plan_and_send()
    monkeypatch.undo()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET lease_until = now() - interval '1 second'")
    gateway.says(event("delivered", kept[0].delivery.id))
    apply()
    assert only_delivery(status(told))["status"] == "delivered"


def plan_and_send() -> None:
    """Plan, and send once: what follows is left as it is."""
    plan_only()
    for page_id, step in waiting_pages():
        assert step == "send"
        rendered = render.render_page(page_id)
        assert rendered is not None
        dispatch.dispatch_page(page_id, render.hand_on(rendered))


def test_an_unknown_delivery_and_one_of_another_account_count_for_nothing(
    send: Send, status: Any, gateway: Gateway
) -> None:
    told, mail = sent_mail(send, status)
    assert gateway.says(event("delivered", UUID(int=7))) == 200
    assert Gateway("mail-b").says(event("bounced", mail, address=MAIL)) == 200
    assert gateway.says(event("delivered", message_id="m-1")) == 200
    apply()
    assert outcomes() == [ReceiptOutcome.ORPHANED, ReceiptOutcome.FOREIGN, ReceiptOutcome.UNKNOWN]
    assert status(told)["status"] == "sent"
    assert reason_for(MAIL) == []


def test_ten_thousand_events_in_one_call_are_kept_at_once_and_worked_off(gateway: Gateway) -> None:
    events = [event("delivered", UUID(int=n)) for n in range(10_000)]
    assert gateway.says(*events) == 200
    assert gateway.says(*reversed(events)) == 200
    seen = 0
    while more := apply():
        seen += more
    assert seen == 10_000
    assert set(outcomes()) == {ReceiptOutcome.ORPHANED}


def test_a_replay_a_day_later_is_not_genuine_and_signed_anew_has_no_effect(
    send: Send, status: Any, gateway: Gateway
) -> None:
    told, mail = sent_mail(send, status)
    same = event("delivered", mail)
    gateway.says(same)
    apply()
    yesterday = int((datetime.now(UTC) - timedelta(days=1)).timestamp())
    assert gateway.post(b'{"events": []}', at=yesterday).status_code == 403
    assert gateway.says(same) == 200
    assert apply() == 0
    assert status(told)["status"] == "delivered"


def test_a_hard_bounce_ends_the_delivery_and_closes_the_address(send: Send, status: Any, gateway: Gateway) -> None:
    told, mail = sent_mail(send, status)
    gateway.says(event("bounced", mail))
    apply()
    only = only_delivery(status(told))
    assert (only["status"], only["reason_code"]) == ("bounced", "invalid_recipient")
    assert reason_for(MAIL) == [SuppressionReason.HARD_BOUNCE]


def test_a_bounce_of_an_address_that_has_changed_spares_the_new_one(
    send: Send, status: Any, api: Api, gateway: Gateway
) -> None:
    _, mail = sent_mail(send, status)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET sent_at = sent_at - interval '1 second'")
    api.patch("/v1/users/u_alice", {"email": "new@example.com"})
    gateway.says(event("bounced", mail))
    apply()
    assert reason_for("new@example.com") == []
    gateway.says(event("bounced", mail, address=MAIL))
    apply()
    assert reason_for(MAIL) == [SuppressionReason.HARD_BOUNCE]


def test_a_message_the_provider_gave_up_goes_by_another_account_once(send: Send, status: Any, gateway: Gateway) -> None:
    told, mail = sent_mail(send, status)
    gateway.says(event("failed", mail, code="30008"))
    apply()
    assert only_delivery(status(told))["status"] == "retrying"
    with connection.cursor() as cursor:
        cursor.execute("SELECT avoid FROM notify_delivery")
        assert cursor.fetchall() == [("mail-a",)]
    sweep.collect_due()
    drain()
    assert only_delivery(status(told))["status"] == "sent"
    holder = only_delivery(status(told))["provider"]
    Gateway(holder).says(event("failed", mail, code="30008"))
    apply()
    only = only_delivery(status(told))
    assert (only["status"], only["reason_code"]) == ("failed", "provider_rejected")


def test_what_failed_for_good_goes_on_to_the_fallback_channel(send: Send, status: Any, gateway: Gateway) -> None:
    make_template(
        "by_text",
        "BY_TEXT",
        channels={"email": {"en": {"subject": "s", "body": "b"}}, "sms": {"en": {"body": "b"}}},
        variables={},
    )
    make_type("BY_TEXT", template_id="by_text", channels=["email"])
    make_recipient(email=MAIL, phone="+15559876543")
    told = send("u_alice", type="BY_TEXT", fallback_channels=["sms"], variables={})["notifications"][0]["id"]
    drain()
    gateway.says(event("bounced", status(told)["deliveries"][0]["id"]))
    apply()
    drain()
    shown = [(one["channel"], one["status"]) for one in status(told)["deliveries"]]
    assert sorted(shown) == [("email", "bounced"), ("sms", "delivered")]


def test_a_complaint_stops_marketing_at_once_and_lets_the_rest_through(
    send: Send, status: Any, api: Api, gateway: Gateway
) -> None:
    make_type("NEWS", template_id=None, category="marketing", channels=["email"])
    _, mail = sent_mail(send, status)
    api.patch("/v1/users/u_alice/preferences", {"marketing_opt_in": True})
    content = {"subject": "s", "body": "b"}
    queued = send("u_alice", type="NEWS", content=content, variables={})["notifications"][0]["id"]
    plan_only()
    gateway.says(event("complained", mail, address=MAIL))
    apply()
    drain()
    only = only_delivery(status(queued))
    assert (only["status"], only["reason_code"]) == ("suppressed", "suppressed_address")
    preferences = api.get("/v1/users/u_alice/preferences").json()
    assert (preferences["marketing_opt_in"], preferences["version"]) == (False, 2)
    later = send("u_alice", channels=["email"])["notifications"][0]["id"]
    drain()
    assert only_delivery(status(later))["status"] == "sent"


def test_a_stop_closes_the_number_for_text_messages(send: Send, status: Any) -> None:
    make_template("text", "TEXT", channels={"sms": {"en": {"body": "b"}}}, variables={})
    make_type("TEXT", template_id="text", channels=["sms"])
    make_recipient(phone="+15559876543")
    Gateway("text-a").says(event("unsubscribed", address="+1 555 987 6543", code="STOP"))
    Gateway("text-a").says(event("unsubscribed", address="not a number", code="STOP"))
    apply()
    assert outcomes() == [ReceiptOutcome.ADDRESS, ReceiptOutcome.UNKNOWN]
    told = send("u_alice", type="TEXT", variables={})["notifications"][0]["id"]
    drain()
    only = only_delivery(status(told))
    assert (only["status"], only["reason_code"]) == ("suppressed", "suppressed_address")


def test_soft_bounces_close_an_address_after_five_over_two_weeks(send: Send, status: Any, gateway: Gateway) -> None:
    start = datetime.now(UTC) - timedelta(days=20)
    deliveries = [sent_mail(send, status)[1] for _ in range(6)]
    for days, mail in zip((0, 4, 8, 12), deliveries, strict=False):
        at = (start + timedelta(days=days)).isoformat()
        gateway.says(event("soft_bounced", mail, address=MAIL, occurred_at=at))
        apply()
    assert reason_for(MAIL) == []
    gateway.says(event("soft_bounced", deliveries[4], address=MAIL, occurred_at=(start + timedelta(15)).isoformat()))
    apply()
    assert reason_for(MAIL) == [SuppressionReason.SOFT_BOUNCE]


def test_a_delivery_between_soft_bounces_starts_the_count_anew(send: Send, status: Any, gateway: Gateway) -> None:
    start = datetime.now(UTC) - timedelta(days=20)
    for days in range(0, 20, 2):
        _, mail = sent_mail(send, status)
        kind = "delivered" if days == 10 else "soft_bounced"
        gateway.says(event(kind, mail, address=MAIL, occurred_at=(start + timedelta(days)).isoformat()))
    apply()
    assert reason_for(MAIL) == []


def test_a_receipt_for_somebody_erased_harms_nobody(send: Send, status: Any, gateway: Gateway) -> None:
    told, mail = sent_mail(send, status)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM preferences_contact_point")
        cursor.execute("UPDATE preferences_recipient SET status = 'erased', data_key = NULL")
    gateway.says(event("bounced", mail), event("complained", mail, address=MAIL))
    apply()
    assert only_delivery(status(told))["status"] in ("bounced", "delivered")
    assert reason_for(MAIL) == [SuppressionReason.COMPLAINT]


def test_a_test_delivery_never_says_anything_of_an_address(status: Any, gateway: Gateway) -> None:
    make_template()
    make_type(template_id="order_shipped")
    make_recipient(email=MAIL)
    tester = Api(make_key(is_test=True))
    body = {"type": "ORDER_SHIPPED", "user_id": "u_alice", "channels": ["email"], "variables": {"order_id": "1"}}
    told = tester.post("/v1/notifications", body, Idempotency_Key="k").json()["notifications"][0]["id"]
    drain()
    mail = only_delivery(tester.get(f"/v1/notifications/{told}/status").json())["id"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_attempt SET provider = 'mail-a'")
        cursor.execute("UPDATE notify_delivery SET provider = 'mail-a'")
    gateway.says(event("bounced", mail, address=MAIL))
    apply()
    assert outcomes() == [ReceiptOutcome.APPLIED]
    assert reason_for(MAIL) == []


def test_one_receipt_that_cannot_be_applied_does_not_hold_up_its_page(
    send: Send, status: Any, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, mail = sent_mail(send, status)
    poisonous = UUID(int=7)
    gateway.says(event("delivered", poisonous), event("delivered", mail))
    families = rows.families

    def choking(ids: Any) -> Any:
        if poisonous in ids:
            raise ValueError("no code is without fault")
        return families(ids)

    monkeypatch.setattr(rows, "families", choking)
    apply()
    assert status(told)["status"] == "delivered"
    assert sorted(outcomes(), key=str) == [None, ReceiptOutcome.APPLIED]


def test_an_account_that_answered_with_a_fault_and_sent_it_all_the_same_is_believed(
    send: Send, status: Any, gateway: Gateway
) -> None:
    make_recipient(email="sandbox-down@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    drain()
    waiting = only_delivery(status(told))
    assert waiting["status"] == "retrying"
    gateway.says(event("delivered", waiting["id"]))
    apply()
    only = only_delivery(status(told))
    assert (only["status"], only["provider"], only["next_attempt_at"]) == ("delivered", "mail-a", None)
