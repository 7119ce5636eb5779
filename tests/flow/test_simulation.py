"""What a send would do, asked beforehand, against what it does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from notify.vocabulary import Scope
from tests.factories import Api, make_key, make_recipient, make_type
from tests.flow.conftest import Send, drain
from tests.flow.test_quiet_hours import fall_asleep

pytestmark = pytest.mark.django_db


def ask(api: Api, *user_ids: str, **body: Any) -> Any:
    request = {
        "type": "ORDER_SHIPPED",
        "recipients": [{"user_id": user_id} for user_id in user_ids],
        "variables": {"order_id": "ORD-1"},
        **body,
    }
    return api.post("/v1/notifications/simulate", request)


def simulated(api: Api, *user_ids: str, **body: Any) -> dict[str, Any]:
    response = ask(api, *user_ids, **body)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def rows() -> int:
    counts = 0
    with connection.cursor() as cursor:
        for table in ("batch", "notification", "delivery", "page", "event", "idempotency_key"):
            cursor.execute(f"SELECT count(*) FROM notify_{table}")
            counts += cursor.fetchone()[0]
    return counts


def test_it_tells_channels_words_and_reasons_and_writes_nothing(shop: Api) -> None:
    make_recipient(email="alice@example.com")
    answer = simulated(shop, "u_alice")
    (alice,) = answer["recipients"]
    push, email = alice["deliveries"]
    assert (push["decision"], push["reason_code"], push["reasons"]["why"]) == ("suppress", "no_device", "no_device")
    assert (email["decision"], email["address"], email["reasons"].get("why")) == ("send", "a…@example.com", None)
    assert email["content"] == {"subject": "Order ORD-1", "body": "Order ORD-1 is on its way."}
    assert email["locale"] == "en"
    assert email["reasons"]["asked"][0] == "erased"
    assert rows() == 0


def test_the_sums_say_who_is_told_and_who_is_left_out(shop: Api) -> None:
    make_recipient("u_alice", email="alice@example.com")
    make_recipient("u_bob", email="bob@example.com")
    shop.put("/v1/users/u_bob/preferences", {"global_opt_out": True})
    answer = simulated(shop, "u_alice", "u_bob", "u_nobody", channels=["email"])
    totals = answer["totals"]
    assert (totals["told"], totals["left_out"], totals["rejected"]) == (1, 1, 1)
    assert totals["deliveries"] == {"email": {"send": 1, "suppress": 1}}
    assert totals["reasons"] == {"user_opted_out": 1}
    assert [one["code"] for one in answer["rejected"]] == ["unknown_user"]


def test_it_tells_when_the_night_is_over(shop: Api) -> None:
    make_recipient(email="alice@example.com")
    morning = fall_asleep(shop)
    (only,) = simulated(shop, "u_alice", channels=["email"])["recipients"][0]["deliveries"]
    assert (only["decision"], only["reasons"]["why"]) == ("defer", "quiet_hours")
    assert datetime.fromisoformat(only["goes_at"]) == morning
    by_day = simulated(shop, "u_alice", channels=["email"], at=(morning + timedelta(hours=1)).isoformat())
    assert by_day["recipients"][0]["deliveries"][0]["decision"] == "send"


def test_it_tells_that_somebody_has_had_enough_and_counts_nothing(send: Send, api: Api) -> None:
    make_recipient(email="alice@example.com")
    make_type(template_id="order_shipped", caps=[{"max": 1, "per_seconds": 3600}], over_cap="suppress")
    for _ in range(2):
        first = simulated(api, "u_alice", channels=["email"])["recipients"][0]["deliveries"][0]
        assert first["decision"] == "send"
    send("u_alice", channels=["email"])
    drain()
    (only,) = simulated(api, "u_alice", channels=["email"])["recipients"][0]["deliveries"]
    assert (only["decision"], only["reason_code"], only["reasons"]["why"]) == (
        "suppress",
        "frequency_cap",
        "frequency_cap",
    )


def test_a_schedule_is_decided_at_its_own_hour(shop: Api) -> None:
    make_recipient(email="alice@example.com", zone="Asia/Kathmandu")
    at = datetime(2026, 6, 1, 0, tzinfo=UTC)
    local = {"local_time": "2026-06-01T09:00", "timezone": "recipient"}
    (alice,) = simulated(shop, "u_alice", channels=["email"], at=at.isoformat(), schedule_at=local)["recipients"]
    assert datetime.fromisoformat(alice["at"]) == datetime(2026, 6, 1, 3, 15, tzinfo=UTC)
    assert alice["timezone"] == "Asia/Kathmandu"


def test_what_cannot_be_rendered_is_said_to_fail(shop: Api) -> None:
    make_recipient(phone="+15550006789")
    (only,) = simulated(shop, "u_alice", channels=["sms"])["recipients"][0]["deliveries"]
    assert (only["decision"], only["reason_code"], only["goes_at"]) == ("fail", "invalid_payload", None)
    assert only["fault"].startswith("no_content")


def test_a_text_message_has_its_segments_and_its_price(shop: Api) -> None:
    make_recipient(phone="+15550006789")
    words = {"body": "x" * 161}
    (only,) = simulated(shop, "u_alice", channels=["sms"], content=words, variables={})["recipients"][0]["deliveries"]
    assert only["segments"] == 2
    assert only["address"].endswith("89")
    assert "+1555" not in only["address"]


@pytest.mark.parametrize(
    ("preferences", "kind"),
    [
        ({}, {}),
        ({"channels": {"push": False}}, {}),
        ({"categories": {"transaction": {"email": False}}}, {}),
        ({"types": {"ORDER_SHIPPED": {"email": False, "push": False}}}, {"mandatory": True}),
        ({"global_opt_out": True}, {}),
        ({}, {"category": "marketing"}),
    ],
)
def test_what_it_says_is_what_becomes_of_a_send(
    send: Send, status: Any, api: Api, preferences: dict[str, Any], kind: dict[str, Any]
) -> None:
    make_recipient(email="alice@example.com", tokens=["sandbox-delivered-" * 8])
    make_type(template_id="order_shipped", **kind)
    api.put("/v1/users/u_alice/preferences", preferences)
    said = simulated(api, "u_alice")["recipients"][0]["deliveries"]
    told = send("u_alice")["notifications"][0]["id"]
    drain()
    ended = {(one["channel"], one["reason_code"]) for one in status(told)["deliveries"]}
    assert {(one["channel"], one["reason_code"]) for one in said} == ended


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"type": "NOTHING"}, 422, "unknown_type"),
        ({"variables": {}}, 422, "missing_variable"),
        ({"template_id": "nothing"}, 400, "unknown_template"),
        ({"at": "2026-06-01T12:00:00"}, 422, "invalid_at"),
        ({"recipients": [{"user_id": f"u_{at}"} for at in range(101)]}, 422, "too_many_recipients"),
        ({"surprise": 1}, 422, "unknown_field"),
    ],
)
def test_faults_are_refused_as_a_sends_are(shop: Api, body: dict[str, Any], status: int, code: str) -> None:
    make_recipient(email="alice@example.com")
    refused = ask(shop, "u_alice", **body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_whoever_may_read_may_ask_even_of_what_is_critical(shop: Api) -> None:
    make_recipient(email="alice@example.com")
    reader = Api(make_key("reader", [Scope.READ]))
    assert ask(reader, "u_alice", priority="critical").status_code == 200
    assert ask(Api(make_key("nobody", [Scope.TEMPLATES])), "u_alice").status_code == 403
