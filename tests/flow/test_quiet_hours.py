"""Nobody is woken: what waits for the morning, what does not, and that nothing is lost on the way.

The clock is the real one; it is the window that is laid around it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from notify import sweep
from tests.factories import Api, make_recipient, make_type
from tests.flow.conftest import Send, drain, plan_only
from tests.flow.test_way import only_id, shown

pytestmark = pytest.mark.django_db

_HOUR = timedelta(hours=1)


def clock(at: datetime) -> str:
    return at.strftime("%H:%M")


def fall_asleep(api: Api, user_id: str = "u_alice") -> datetime:
    """Quiet hours that began an hour ago; answers when they end, in two."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    hours = {"start": clock(now - _HOUR), "end": clock(now + 2 * _HOUR)}
    assert api.patch(f"/v1/users/{user_id}/preferences", {"quiet_hours": hours, "timezone": "UTC"}).status_code == 200
    return now + 2 * _HOUR


def wake_up(api: Api, user_id: str = "u_alice") -> None:
    """It is morning: no window any more, and what was deferred to it is due."""
    assert api.patch(f"/v1/users/{user_id}/preferences", {"quiet_hours": None}).status_code == 200
    come_due()


def come_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")
    sweep.collect_due()


def decisions(api: Api, told: str) -> dict[str, str]:
    trace = api.get(f"/v1/notifications/{told}/trace").json()["trace"]
    return {one["step"]: one["decision"] for one in trace}


def test_what_falls_into_quiet_hours_waits_for_their_end_and_arrives(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    morning = fall_asleep(api)
    told = only_id(send("u_alice", channels=["email"]))
    drain()
    waiting = status(told)
    assert (waiting["status"], shown(waiting)) == ("deferred", [("email", "deferred", None)])
    assert datetime.fromisoformat(waiting["deliveries"][0]["next_attempt_at"]) == morning
    assert sweep.collect_due() == 0
    wake_up(api)
    drain()
    assert (status(told)["status"], shown(status(told))) == ("delivered", [("email", "delivered", None)])


def test_the_inbox_makes_no_noise_and_is_filled_at_once(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    fall_asleep(api)
    told = only_id(send("u_alice", channels=["email", "in_app"], content={"title": "Hello", "body": "there"}))
    drain()
    assert shown(status(told)) == [("email", "deferred", None), ("in_app", "delivered", None)]


def test_who_is_still_asleep_when_it_comes_due_is_not_woken(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    fall_asleep(api)
    told = only_id(send("u_alice", channels=["email"]))
    drain()
    come_due()
    drain()
    only = status(told)["deliveries"][0]
    assert (only["status"], only["attempts"]) == ("deferred", 0)
    assert decisions(api, told) == {"accept": "accepted", "plan": "deferred", "claim": "deferred", "end": "deferred"}


def test_quiet_hours_that_begin_between_planning_and_sending_are_heeded(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    plan_only()
    fall_asleep(api)
    drain()
    assert shown(status(told)) == [("email", "deferred", None)]
    wake_up(api)
    drain()
    assert shown(status(told)) == [("email", "delivered", None)]


def test_a_retry_waits_for_the_morning_too(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="sandbox-down@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    drain()
    assert shown(status(told)) == [("email", "retrying", None)]
    morning = fall_asleep(api)
    come_due()
    drain()
    only = status(told)["deliveries"][0]
    assert (only["status"], only["attempts"]) == ("retrying", 1)
    assert datetime.fromisoformat(only["next_attempt_at"]) == morning


def test_a_no_said_at_night_counts_in_the_morning(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    fall_asleep(api)
    told = only_id(send("u_alice", channels=["email"]))
    drain()
    api.patch("/v1/users/u_alice/preferences", {"channels": {"email": False}})
    wake_up(api)
    drain()
    assert shown(status(told)) == [("email", "suppressed", "user_opted_out")]


def test_what_would_be_too_late_in_the_morning_expires_at_once(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    fall_asleep(api)
    soon = (datetime.now(UTC) + _HOUR).isoformat()
    told = only_id(send("u_alice", channels=["email"], expires_at=soon))
    drain()
    assert (status(told)["status"], shown(status(told))) == ("expired", [("email", "expired", "expired")])


def test_a_fallback_that_makes_no_noise_steps_in_for_what_would_be_too_late(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    fall_asleep(api)
    soon = (datetime.now(UTC) + _HOUR).isoformat()
    content = {"title": "Hello", "body": "there"}
    told = only_id(send("u_alice", channels=["email"], fallback_channels=["in_app"], expires_at=soon, content=content))
    drain()
    assert shown(status(told)) == [("email", "expired", "expired"), ("in_app", "delivered", None)]


def test_what_is_critical_goes_at_any_hour_and_the_trace_says_so(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    fall_asleep(api)
    told = only_id(send("u_alice", channels=["email"], priority="critical"))
    drain()
    assert shown(status(told)) == [("email", "delivered", None)]
    trace = api.get(f"/v1/notifications/{told}/trace").json()["trace"]
    assert [one["detail"]["overruled"] for one in trace if one["step"] == "plan"] == [["quiet_hours"]]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("bypass", ("email", "delivered", None)),
        ("defer", ("email", "deferred", None)),
        ("drop", ("email", "suppressed", "quiet_hours")),
    ],
)
def test_a_type_says_what_becomes_of_it_at_night(
    send: Send, status: Any, api: Api, policy: str, expected: tuple[str, str, str | None]
) -> None:
    make_recipient(email="alice@example.com")
    make_type(template_id="order_shipped", quiet_hours=policy)
    fall_asleep(api)
    told = only_id(send("u_alice", channels=["email"]))
    drain()
    assert shown(status(told)) == [expected]


def test_what_waits_can_still_be_cancelled(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    fall_asleep(api)
    told = only_id(send("u_alice", channels=["email"]))
    drain()
    assert api.post(f"/v1/notifications/{told}/cancel").status_code == 200
    wake_up(api)
    drain()
    assert shown(status(told)) == [("email", "cancelled", "cancelled")]
