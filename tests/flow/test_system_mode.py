"""The system is spared: what waits, what goes all the same, and that nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from notify import sweep
from notify.vocabulary import Scope
from tests.factories import Api, make_key, make_recipient, make_type
from tests.flow.conftest import Send, drain
from tests.flow.test_way import only_id, shown

pytestmark = pytest.mark.django_db


def spare(api: Api, mode: str) -> None:
    answer = api.put("/v1/system/mode", {"mode": mode, "reason": "the printer is on fire"})
    assert (answer.status_code, answer.json()["mode"]) == (200, mode)


def collect() -> int:
    found = sweep.collect_due()
    drain()
    return found


def test_what_can_wait_goes_once_the_system_is_well_again(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    spare(api, "degraded")
    low = only_id(send("u_alice", channels=["email"], priority="low"))
    medium = only_id(send("u_alice", channels=["email"]))
    drain()
    assert shown(status(low)) == [("email", "deferred", None)]
    assert status(low)["deliveries"][0]["next_attempt_at"] is None
    assert shown(status(medium)) == [("email", "delivered", None)]
    assert collect() == 0
    spare(api, "normal")
    assert collect() == 1
    assert shown(status(low)) == [("email", "delivered", None)]


def test_marketing_mails_wait_and_marketing_pushes_do_not(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com", tokens=["sandbox-delivered-" * 8])
    make_type(template_id="order_shipped", category="marketing")
    api.put("/v1/users/u_alice/preferences", {"marketing_opt_in": True})
    spare(api, "degraded")
    told = only_id(send("u_alice"))
    drain()
    assert shown(status(told)) == [("email", "deferred", None), ("push", "delivered", None)]


def test_in_an_emergency_only_the_critical_and_security_go(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    spare(api, "critical")
    high = only_id(send("u_alice", channels=["email"], priority="high"))
    low = only_id(send("u_alice", channels=["email"], priority="low"))
    critical = only_id(send("u_alice", channels=["email"], priority="critical"))
    drain()
    assert [status(one)["status"] for one in (high, low, critical)] == ["deferred", "deferred", "delivered"]
    spare(api, "degraded")
    assert collect() == 1
    assert [status(one)["status"] for one in (high, low)] == ["delivered", "deferred"]
    spare(api, "normal")
    assert collect() == 1
    assert status(low)["status"] == "delivered"


def test_a_mode_that_begins_between_planning_and_sending_is_heeded(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="sandbox-down@example.com")
    told = only_id(send("u_alice", channels=["email"], priority="low"))
    drain()
    spare(api, "degraded")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET next_attempt_at = now()")
    assert collect() == 1
    only = status(told)["deliveries"][0]
    assert (only["status"], only["attempts"], only["next_attempt_at"]) == ("retrying", 1, None)


def test_what_outlives_itself_while_it_waits_expires(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    spare(api, "degraded")
    told = only_id(send("u_alice", channels=["email"], priority="low", expires_at="2999-01-01T00:00:00Z"))
    drain()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET expires_at = now() - interval '1 second'")
    sweep.maintain()
    assert collect() == 1
    assert (status(told)["status"], shown(status(told))) == ("expired", [("email", "expired", "expired")])


def test_the_trace_and_the_simulation_name_the_mode(send: Send, api: Api) -> None:
    make_recipient(email="alice@example.com")
    spare(api, "degraded")
    told = only_id(send("u_alice", channels=["email"], priority="low"))
    drain()
    trace = api.get(f"/v1/notifications/{told}/trace").json()["trace"]
    (planned,) = [one for one in trace if one["step"] == "plan"]
    assert (planned["decision"], planned["detail"]["why"], planned["detail"]["until"]) == (
        "deferred",
        "system_mode",
        None,
    )
    body = {"type": "ORDER_SHIPPED", "user_id": "u_alice", "priority": "low", "variables": {"order_id": "1"}}
    answer = api.post("/v1/notifications/simulate", body).json()
    assert answer["system_mode"] == "degraded"
    assert {one["decision"] for one in answer["recipients"][0]["deliveries"]} == {"suppress", "defer"}


def test_only_an_operator_changes_the_mode_and_readers_see_who_did(api: Api) -> None:
    reader = Api(make_key("reader", [Scope.READ]))
    assert reader.get("/v1/system/mode").json() == {"mode": "normal", "reason": "", "changed_by": "", "since": None}
    assert reader.put("/v1/system/mode", {"mode": "critical"}).status_code == 403
    spare(api, "critical")
    seen = reader.get("/v1/system/mode").json()
    assert (seen["mode"], seen["reason"]) == ("critical", "the printer is on fire")
    assert seen["changed_by"].startswith("API key ")
    assert api.put("/v1/system/mode", {"mode": "asleep"}).status_code == 422
