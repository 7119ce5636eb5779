"""Notifications: found by id, person, type, status and time, without counting; shown with reasons; cancelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from channels.vocabulary import Channel
from notify.models import Delivery, Notification
from notify.rules.trace import compose
from notify.vocabulary import EventKind, NotificationStatus
from tests.admin.conftest import Staff, World
from tests.factories import make_delivery, make_event, make_key, make_notification, make_recipient

LIST = "/admin/notify/notification/"


def ids(client: Client, **wanted: Any) -> set[UUID]:
    """The notifications that a search shows."""
    rows = client.get(LIST, wanted).content.decode().split('class="mono" href="/admin/notify/notification/')[1:]
    return {UUID(row[:36]) for row in rows}


def test_an_id_leads_to_its_page(staff: Staff, world: World) -> None:
    response = staff("operator").get(LIST, {"id": world.notification})
    assert response["Location"] == f"{LIST}{world.notification}/change/"


def test_a_person_a_type_and_a_status_narrow_the_list(staff: Staff, world: World) -> None:
    key = make_key("other")
    other = make_notification(make_recipient("u_bob"), key=key, type_key="NEW_FOLLOWER")
    operator = staff("operator")
    assert ids(operator) == {world.notification, other}
    assert ids(operator, user_id="u_bob") == {other}
    assert ids(operator, recipient=world.recipient.id) == {world.notification}
    assert ids(operator, type="NEW_FOLLOWER") == {other}
    assert ids(operator, status="failed") == {world.notification}


def test_a_span_of_time_narrows_the_list(staff: Staff, world: World) -> None:
    old = make_notification(world.recipient, key=make_key("b"), created_at=datetime.now(UTC) - timedelta(hours=5))
    operator = staff("operator")
    edge = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    assert ids(operator, since=edge) == {world.notification}
    assert ids(operator, until=edge) == {old}


def test_a_search_nobody_can_answer_says_why(staff: Staff, world: World) -> None:
    operator = staff("operator")
    assert "There is no recipient with this user id." in operator.get(LIST, {"user_id": "u_no"}).content.decode()
    page = operator.get(LIST, {"id": "123"}, follow=True).content.decode()
    assert "An id looks like" in page
    assert operator.get(f"{LIST}01a1fcc3-03c6-7add-84e8-da6f4df1c081/change/").status_code == 404
    assert operator.get(f"{LIST}nonsense/change/").status_code == 404


def test_the_list_goes_on_behind_its_last_row_and_keeps_the_search(staff: Staff, world: World) -> None:
    key = make_key("b")
    for _ in range(60):
        make_notification(world.recipient, key=key, type_key="NEW_FOLLOWER")
    operator = staff("operator")
    page = operator.get(LIST, {"type": "NEW_FOLLOWER"}).content.decode()
    older = page.split('class="btn" href="')[-1].split('"')[0].replace("&amp;", "&")
    assert "type=NEW_FOLLOWER&before=" in older
    assert operator.get(LIST + older).content.decode().count('class="mono" href=') == 10


def test_no_page_counts_or_reads_without_a_bound(staff: Staff, world: World) -> None:
    operator = staff("operator")
    with CaptureQueriesContext(connection) as queries:
        operator.get(LIST)
        operator.get(f"{LIST}{world.notification}/change/")
    about = [query["sql"] for query in queries if "notify_notification" in query["sql"]]
    assert about
    assert not any("COUNT(" in sql for sql in about)
    assert all("LIMIT" in sql or "id = " in sql or "BETWEEN" in sql for sql in about)


def test_a_list_costs_the_same_whatever_it_holds(staff: Staff, world: World) -> None:
    operator = staff("operator")
    with CaptureQueriesContext(connection) as few:
        operator.get(LIST)
    key = make_key("b")
    for number in range(20):
        make_notification(make_recipient(f"u_{number}"), key=key)
    with CaptureQueriesContext(connection) as many:
        operator.get(LIST)
    assert len(many) == len(few)


def test_the_page_shows_reasons_attempts_and_hints_but_no_address(staff: Staff, world: World) -> None:
    page = staff("auditor").get(f"{LIST}{world.notification}/change/").content.decode()
    for word in ("retries_exhausted", "421", "service not available", "…cdef", "u_zora", "end: dead"):
        assert word in page
    assert "zora.canary" not in page


def test_the_timeline_is_the_apis_trace_in_other_words(staff: Staff, world: World) -> None:
    make_event(world.notification, EventKind.RETRY, world.delivery, wait_seconds=4)
    page = staff("auditor").get(f"{LIST}{world.notification}/change/")
    moments = page.context["moments"]
    trace = compose(page.context["history"])
    assert [(moment.at, moment.step) for moment in moments] == [(entry.at, entry.step) for entry in trace]


def test_a_notification_is_cancelled_once_and_on_record(staff: Staff, world: World) -> None:
    waiting = make_notification(world.recipient, key=make_key("b"))
    delivery = make_delivery(waiting, world.recipient, Channel.PUSH)
    operator = staff("operator")
    assert "Cancel what has not left" in operator.get(f"{LIST}{waiting}/change/").content.decode()
    operator.post(f"{LIST}{waiting}/cancel/")
    assert Delivery.objects.get(pk=delivery.pk).status == "cancelled"
    assert Notification.objects.get(pk=waiting).status == NotificationStatus.CANCELLED
    assert LogEntry.objects.get().object_id == str(waiting)
    assert "Cancel what has not left" not in operator.get(f"{LIST}{waiting}/change/").content.decode()


def test_too_late_is_said_and_nothing_is_logged(staff: Staff, world: World) -> None:
    page = staff("operator").post(f"{LIST}{world.notification}/cancel/", follow=True).content.decode()
    assert "nothing to cancel" in page
    assert LogEntry.objects.count() == 0


def test_an_auditor_sees_no_button(staff: Staff, world: World) -> None:
    waiting = make_notification(world.recipient, key=make_key("b"))
    assert "/cancel/" not in staff("auditor").get(f"{LIST}{waiting}/change/").content.decode()
