from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from channels import store
from channels.store import Switch
from channels.vocabulary import InAppMessage

pytestmark = pytest.mark.django_db


def test_switches_are_one_query_and_the_last_word_counts(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    store.set_switch("fcm", Switch(enabled=False, weight=None), by="alice")
    store.set_switch("fcm", Switch(enabled=True, weight=5), by="bob")
    with django_assert_num_queries(1):
        assert store.provider_switches() == {"fcm": Switch(enabled=True, weight=5)}


def test_an_inbox_is_read_by_its_index() -> None:
    page = [
        InAppMessage(
            id=UUID(int=number), recipient_id=number % 50, notification_id=UUID(int=0), type="T", sealed=b"\0x"
        )
        for number in range(5000)
    ]
    store.insert_inbox(page)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inbox_message")
        cursor.execute("EXPLAIN SELECT id FROM inbox_message WHERE recipient_id = 7 ORDER BY id DESC LIMIT 20")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "inbox_newest_first" in plan
    assert "Sort" not in plan
