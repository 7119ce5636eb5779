"""Broadcasts as rows: what is told once, what is live, and two devices that touch the same entry at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.utils import timezone

from channels.models import InboxMessage
from notify import broadcasts
from notify.models import Attempt, Broadcast, Delivery, Notification
from notify.policy import BROADCASTS_OF_TOPIC
from notify.rules.broadcasts import notification_id_of
from notify.store import broadcasts as store
from preferences.vocabulary import RecipientRef
from tests.factories import make_recipient, make_told, make_topic, make_type

LONG_AGO = timezone.now() - timedelta(days=90)


@pytest.fixture
def alice(db: None) -> RecipientRef:
    make_type("NEWS", channels=["in_app"])
    return make_recipient()


def told(topic_id: int) -> list[UUID]:
    return [one.batch_id for one in store.live([topic_id], LONG_AGO).get(topic_id, [])]


@pytest.mark.django_db
def test_the_newest_of_each_topic_come_first_in_one_statement(alice: RecipientRef) -> None:
    news, quiet = make_topic("news", alice), make_topic("quiet", alice)
    first, second = make_told(news, "first", "second")
    assert told(news) == [second, first]
    assert store.live([news, quiet], LONG_AGO).keys() == {news}
    assert store.live([news], timezone.now() + timedelta(days=1)) == {}
    assert BROADCASTS_OF_TOPIC >= 100


@pytest.mark.django_db
def test_what_was_cancelled_is_live_no_more_and_what_was_told_twice_is_there_once(alice: RecipientRef) -> None:
    news, sports = make_topic("news", alice), make_topic("sports", alice)
    (batch,) = make_told(news, "both")
    now = timezone.now()
    assert broadcasts.publish(batch, news, expires_at=None, now=now) is False
    assert broadcasts.publish(batch, sports, expires_at=None, now=now) is True
    assert [broadcasts.cancel(batch), broadcasts.cancel(batch)] == [2, 0]
    assert told(news) == told(sports) == []


@pytest.mark.django_db
def test_a_broadcast_is_found_by_the_instant_its_readers_ids_begin_with(alice: RecipientRef) -> None:
    make_told(make_topic("news", alice), "Eclipse")
    broadcast = Broadcast.objects.get()
    mine = notification_id_of(broadcast.pk, alice.id)
    assert broadcast.pk in [one.id for one in store.of_instant(mine)]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT id FROM notify_broadcast WHERE id >= %s AND id < %s", (mine, mine))
        assert "Index" in str(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_two_devices_that_touch_an_entry_at_once_make_one_of_it() -> None:
    make_type("NEWS", channels=["in_app"])
    alice = make_recipient()
    make_told(make_topic("news", alice), "Eclipse")
    mine = notification_id_of(Broadcast.objects.get().pk, alice.id)
    with ThreadPoolExecutor(4) as pool:
        touched = list(pool.map(aside(broadcasts.touch), [mine] * 4, [alice.id] * 4))
    assert True in touched
    rows = [InboxMessage.objects, Notification.objects, Delivery.objects, Attempt.objects]
    assert [one.count() for one in rows] == [1, 1, 1, 1]


def aside(work: Callable[..., Any]) -> Callable[..., Any]:
    """In a thread of its own, whose connection goes with it."""

    def worked(*args: Any) -> Any:
        try:
            return work(*args)
        finally:
            connections.close_all()

    return worked
