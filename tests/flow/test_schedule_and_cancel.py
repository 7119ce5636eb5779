"""What is to be told later, and what is not to be told any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from notify import plan, sweep
from tests.factories import Api, make_key, make_recipient, make_type
from tests.flow.conftest import Send, drain, plan_only, waiting_pages

pytestmark = pytest.mark.django_db


def due_instants() -> list[datetime]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT due_at FROM notify_page ORDER BY due_at")
        return [row[0] for row in cursor.fetchall()]


def only_id(answer: dict[str, Any]) -> str:
    return str(answer["notifications"][0]["id"])


def test_a_scheduled_notification_waits_for_its_instant(send: Send, status: Any) -> None:
    make_recipient(email="alice@example.com")
    at = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    told = only_id(send("u_alice", channels=["email"], schedule_at=at.isoformat()))
    assert drain() == 0
    assert status(told)["status"] == "scheduled"
    assert due_instants() == [at]


def test_a_due_schedule_is_swept_up_and_sent(send: Send, status: Any) -> None:
    make_recipient(email="alice@example.com")
    at = datetime.now(UTC) + timedelta(days=2)
    told = only_id(send("u_alice", channels=["email"], schedule_at=at.isoformat()))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_page SET due_at = now()")
    assert sweep.sweep() == 1
    drain()
    assert status(told)["status"] == "delivered"


def test_a_local_schedule_makes_one_page_per_instant_of_the_recipients_zones(send: Send) -> None:
    zones = {"u_lon": "Europe/London", "u_ktm": "Asia/Kathmandu", "u_lon2": "Europe/London"}
    for user_id, zone in zones.items():
        make_recipient(user_id, email=f"{user_id}@example.com", zone=zone)
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    local = {"local_time": f"{day}T09:00", "timezone": "recipient"}
    send(*zones, channels=["email"], schedule_at=local)
    london, kathmandu = sorted(due_instants(), reverse=True)
    assert kathmandu == datetime.fromisoformat(f"{day}T03:15:00+00:00")
    assert london.date().isoformat() == day


def outdate(minutes: int = 60) -> None:
    """As if an older version of the zone data had worked the instants out, and wrongly."""
    shift = timedelta(minutes=minutes)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_batch SET zone_data = '2020.1' WHERE local_time IS NOT NULL")
        cursor.execute("UPDATE notify_notification SET scheduled_at = scheduled_at + %s", (shift,))
        cursor.execute("UPDATE notify_notification SET expires_at = expires_at + %s", (shift,))
        cursor.execute("UPDATE notify_page SET due_at = due_at + %s WHERE due_at > now() + interval '1 hour'", (shift,))


def test_a_local_schedule_follows_the_clocks_when_they_are_set_by_another_law(send: Send, api: Api) -> None:
    make_type(template_id="order_shipped", ttl_seconds=3600)
    zones = {"u_lon": "Europe/London", "u_ktm": "Asia/Kathmandu", "u_lon2": "Europe/London"}
    for user_id, zone in zones.items():
        make_recipient(user_id, email=f"{user_id}@example.com", zone=zone)
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    local = {"local_time": f"{day}T09:00", "timezone": "recipient"}
    told = [one["id"] for one in send(*zones, channels=["email"], schedule_at=local)["notifications"]]
    right = due_instants()
    outdate()
    assert due_instants() != right
    assert sweep.maintain().schedules_moved == 3
    assert due_instants() == right
    read = api.get(f"/v1/notifications/{told[1]}").json()
    assert datetime.fromisoformat(read["scheduled_at"]) == min(right)
    assert datetime.fromisoformat(read["expires_at"]) == min(right) + timedelta(hours=1)
    trace = api.get(f"/v1/notifications/{told[1]}/trace").json()["trace"]
    assert [one["detail"]["why"] for one in trace if one["step"] == "plan"] == ["zone_data"]
    assert sweep.maintain().schedules_moved == 0


def test_only_those_whose_clocks_changed_are_moved_and_an_end_that_was_named_stays(send: Send, api: Api) -> None:
    make_recipient("u_lon", email="lon@example.com", zone="Europe/London")
    make_recipient("u_ktm", email="ktm@example.com", zone="Asia/Kathmandu")
    at = datetime.now(UTC) + timedelta(days=3)
    local = {"local_time": f"{at.date().isoformat()}T09:00", "timezone": "recipient"}
    end = (at + timedelta(days=9)).replace(microsecond=0)
    send("u_lon", "u_ktm", channels=["email"], schedule_at=local, expires_at=end.isoformat())
    right = due_instants()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_batch SET zone_data = '2020.1'")
        cursor.execute(
            "UPDATE notify_notification SET scheduled_at = scheduled_at + interval '1 hour' WHERE scheduled_at = %s",
            (right[0],),
        )
    assert sweep.maintain().schedules_moved == 1
    assert due_instants() == right
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT expires_at FROM notify_notification")
        assert cursor.fetchall() == [(end,)]


def test_what_is_scheduled_at_an_instant_never_moves(send: Send) -> None:
    make_recipient(email="alice@example.com")
    at = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    send("u_alice", channels=["email"], schedule_at=at.isoformat())
    outdate(minutes=0)
    assert sweep.maintain().schedules_moved == 0
    assert due_instants() == [at]


def test_a_cancelled_notification_is_never_sent(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    assert api.post(f"/v1/notifications/{told}/cancel").status_code == 200
    drain()
    assert status(told)["status"] == "cancelled"
    assert status(told)["deliveries"] == []


def test_cancelling_after_planning_stops_what_has_not_left(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    plan_only()
    assert api.post(f"/v1/notifications/{told}/cancel").status_code == 200
    assert api.post(f"/v1/notifications/{told}/cancel").status_code == 200
    drain()
    only = status(told)["deliveries"][0]
    assert (only["status"], only["reason_code"], status(told)["status"]) == ("cancelled", "cancelled", "cancelled")
    assert waiting_pages() == []


def test_cancelling_twice_answers_the_same(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    plan_only()
    first, second = (api.post(f"/v1/notifications/{told}/cancel") for _ in range(2))
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert status(told)["status"] == "cancelled"
    trace = api.get(f"/v1/notifications/{told}/trace").json()["trace"]
    assert len([one for one in trace if one["step"] == "cancel"]) == 1


def test_cancelling_too_late_is_409_already_sent(send: Send, api: Api) -> None:
    make_recipient(email="alice@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    drain()
    refused = api.post(f"/v1/notifications/{told}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_sent")


def test_another_applications_notification_cannot_be_cancelled_or_told_apart_from_none(send: Send) -> None:
    make_recipient(email="alice@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    other = Api(make_key("other-shop"))
    hidden = other.post(f"/v1/notifications/{told}/cancel")
    absent = other.post(f"/v1/notifications/{UUID(int=7)}/cancel")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "unknown_notification")
    assert hidden.json()["detail"] == absent.json()["detail"]


def test_a_resent_notification_is_a_new_one_with_the_same_words(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    drain()
    answer = api.post(f"/v1/notifications/{told}/resend")
    assert answer.status_code == 202
    copy = answer.json()["id"]
    assert copy != told
    drain()
    assert status(copy)["status"] == "delivered"


def test_planning_a_page_twice_writes_its_deliveries_once(send: Send) -> None:
    make_recipient(email="alice@example.com")
    send("u_alice", channels=["email"])
    [(page_id, _)] = waiting_pages()
    assert len(plan.plan_page(page_id)) == 1
    assert plan.plan_page(page_id) == []
