"""Topics and subscriptions as rows: what is counted, who is left out, what a question costs."""

from __future__ import annotations

import pytest
from django.db import connection

from preferences.erase import erase_person
from preferences.store import topics
from tests.factories import BY_APP, make_recipient

pytestmark = pytest.mark.django_db


def test_a_topic_is_known_by_its_key_until_it_is_deleted() -> None:
    row, is_new = topics.put_topic("news")
    assert (topics.topic_id_of("news"), is_new) == (row.id, True)
    assert topics.delete_topic("news")
    assert topics.topic_id_of("news") is None
    again, is_new = topics.put_topic("news")
    assert (again.id != row.id, is_new) == (True, True)


def test_counting_stops_at_the_limit() -> None:
    row, _ = topics.put_topic("news")
    topics.add_subscribers(row.id, [make_recipient(f"u_{number}").id for number in range(5)])
    assert [topics.size_up_to(row.id, limit) for limit in (3, 5, 9)] == [3, 5, 5]


def test_who_is_erased_cannot_be_subscribed_any_more() -> None:
    row, _ = topics.put_topic("news")
    alice, bob = make_recipient("u_alice"), make_recipient("u_bob")
    erase_person("u_alice", BY_APP)
    assert topics.add_subscribers(row.id, [alice.id, bob.id]) == 1
    assert [one.recipient_id for one in topics.subscriptions_of([alice.id, bob.id])] == [bob.id]


def test_a_reader_is_told_of_no_topic_that_was_deleted() -> None:
    alice = make_recipient()
    kept, gone = topics.put_topic("kept")[0], topics.put_topic("gone")[0]
    for one in (kept, gone):
        topics.add_subscribers(one.id, [alice.id])
    topics.delete_topic("gone")
    assert [one.topic_id for one in topics.subscriptions_of([alice.id])] == [kept.id]


def test_the_topics_of_a_reader_are_found_by_one_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT topic_id, since FROM preferences_subscription WHERE recipient_id = ANY('{1,2}')")
        plan = " ".join(row[0] for row in cursor.fetchall())
    assert "subscription_by_reader" in plan
