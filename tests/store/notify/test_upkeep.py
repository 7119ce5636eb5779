"""Partitions ahead, retention behind, and rows that no page names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from notify import sweep
from notify.store import upkeep
from tests.factories import Api, make_notification, make_recipient
from tests.flow.conftest import drain

pytestmark = pytest.mark.django_db


def weeks_of(table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT right(c.relname, 8) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
               JOIN pg_class p ON p.oid = i.inhparent WHERE p.relname = %s ORDER BY 1""",
            (table,),
        )
        return [row[0] for row in cursor.fetchall()]


def monday(weeks: int) -> str:
    today = datetime.now(UTC)
    return (today - timedelta(days=today.weekday()) + timedelta(weeks=weeks)).strftime("%Y%m%d")


def test_partitions_of_the_coming_weeks_are_made_once() -> None:
    assert upkeep.ensure_partitions(12) > 0
    assert upkeep.ensure_partitions(12) == 0
    for table in ("notify_batch", "notify_notification", "notify_delivery", "notify_attempt", "notify_event"):
        assert monday(12) in weeks_of(table)


def test_weeks_past_their_retention_are_dropped_and_the_current_one_stays() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT notify_ensure_partitions(now() - interval '120 days', now())")
    assert upkeep.drop_old_partitions(90) > 0
    kept = weeks_of("notify_delivery")
    assert kept[0] >= (datetime.now(UTC) - timedelta(days=97)).strftime("%Y%m%d")
    assert monday(0) in kept


def test_an_accepted_row_that_no_page_names_is_found_and_told_after_all(api: Api, api_key: str) -> None:
    api.put("/v1/types/ORDER_SHIPPED", {"category": "transaction", "channels": ["email"]})
    alice = make_recipient(email="alice@example.com")
    old = datetime.now(UTC) - timedelta(hours=1)
    told = make_notification(alice, key=api_key, created_at=old)
    assert sweep.maintain().rows_found_again == 1
    assert sweep.maintain().rows_found_again == 0
    drain()
    assert api.get(f"/v1/notifications/{told}/status").json()["deliveries"] != []


def test_a_young_row_is_left_to_its_page(api: Api, api_key: str) -> None:
    make_notification(make_recipient(email="alice@example.com"), key=api_key)
    assert sweep.maintain().rows_found_again == 0


def test_answers_are_forgotten_after_their_window(api: Api) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_idempotency_key (application_id, key, fingerprint, response, created_at)
               SELECT id, 'k' || age, '', '', now() - make_interval(hours => age)
               FROM notify_application, unnest(ARRAY[1, 23, 25, 400]) AS age"""
        )
    assert upkeep.forget_answers(24) == 2
