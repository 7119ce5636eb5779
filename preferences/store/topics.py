"""Topics, and who subscribes to them.

Nobody holds a topic's row: a topic of millions is read, joined, left and deleted without anybody waiting for another.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from django.db import connection


class TopicRow(msgspec.Struct, frozen=True, gc=False):
    """A topic as it is stored."""

    id: int
    key: str
    created_at: datetime


class HeldTopic(msgspec.Struct, frozen=True, gc=False):
    """A topic that somebody subscribes to."""

    key: str
    since: datetime


class Subscribed(NamedTuple):
    """Who subscribes to what, and since when."""

    recipient_id: int
    topic_id: int
    since: datetime


# The people's rows are shared with others who subscribe them, and held against whoever erases them meanwhile.
_ADD = """
    WITH held AS (
        SELECT id FROM preferences_recipient WHERE id = ANY(%s) AND status <> 'erased' ORDER BY user_id FOR SHARE)
    INSERT INTO preferences_subscription (topic_id, recipient_id) SELECT %s, id FROM held ORDER BY id
    ON CONFLICT DO NOTHING"""
# In the order of the people, so that two calls cannot lock each other out.
_REMOVE = """
    WITH held AS (
        SELECT recipient_id FROM preferences_subscription WHERE topic_id = %s AND recipient_id = ANY(%s)
        ORDER BY recipient_id FOR UPDATE)
    DELETE FROM preferences_subscription s USING held WHERE s.topic_id = %s AND s.recipient_id = held.recipient_id"""
_CLEAR = """
    WITH gone AS (
        DELETE FROM preferences_subscription WHERE (topic_id, recipient_id) IN (
            SELECT s.topic_id, s.recipient_id FROM preferences_topic t
            JOIN preferences_subscription s ON s.topic_id = t.id
            WHERE t.deleted_at IS NOT NULL LIMIT %s FOR UPDATE OF s SKIP LOCKED)
        RETURNING topic_id)
    SELECT count(*) FROM gone"""
_FORGET = """
    DELETE FROM preferences_topic t WHERE deleted_at < now() - make_interval(hours => 1)
    AND NOT EXISTS (SELECT FROM preferences_subscription s WHERE s.topic_id = t.id)"""


def put_topic(key: str) -> tuple[TopicRow, bool]:
    """The topic of a key, created where there was none; the flag says whether it is new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO preferences_topic (key) VALUES (%s) ON CONFLICT (key) WHERE deleted_at IS NULL
               DO NOTHING RETURNING id, key, created_at""",
            (key,),
        )
        row = cursor.fetchone()
    if row is not None:
        return TopicRow(*row), True
    found = find_topic(key)
    # Deleted between the two statements: then it is new after all.
    return put_topic(key) if found is None else (found, False)


def find_topic(key: str) -> TopicRow | None:
    """The topic of a key."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, key, created_at FROM preferences_topic WHERE key = %s AND deleted_at IS NULL", (key,)
        )
        row = cursor.fetchone()
    return None if row is None else TopicRow(*row)


def topic_id_of(key: str) -> int | None:
    """Our number of a topic; None: there is none of this key."""
    found = find_topic(key)
    return None if found is None else found.id


def list_topics(after: str, limit: int) -> list[TopicRow]:
    """Topics in the order of their keys, from the one behind `after`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, key, created_at FROM preferences_topic WHERE key > %s AND deleted_at IS NULL
               ORDER BY key LIMIT %s""",
            (after, limit),
        )
        return [TopicRow(*row) for row in cursor.fetchall()]


def delete_topic(key: str) -> bool:
    """Nobody finds the topic any more; False: there is none. One row, whoever subscribes to it: see `clear_deleted`."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_topic SET deleted_at = now() WHERE key = %s AND deleted_at IS NULL", (key,))
        return bool(cursor.rowcount)


def clear_deleted(limit: int) -> int:
    """Remove up to `limit` subscriptions of deleted topics, and topics without any; how many subscriptions went.

    A topic's row stays for an hour at least: who subscribed while it was deleted is found by it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLEAR, (limit,))
        removed = int(cursor.fetchone()[0])
        if removed < limit:
            cursor.execute(_FORGET)
    return removed


def size_up_to(topic_id: int, limit: int) -> int:
    """How many subscribe to a topic, counted no further than `limit`. One query by one index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM preferences_subscription WHERE topic_id = %s LIMIT %s) AS capped",
            (topic_id, limit),
        )
        return int(cursor.fetchone()[0])


def add_subscribers(topic_id: int, recipient_ids: Collection[int]) -> int:
    """Let people subscribe; how many are new. Who subscribed before stays since then, and who is erased stays out."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD, (sorted(recipient_ids), topic_id))
        return int(cursor.rowcount)


def remove_subscribers(topic_id: int, recipient_ids: Collection[int]) -> int:
    """Let people go; how many did subscribe."""
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE, (topic_id, sorted(recipient_ids), topic_id))
        return int(cursor.rowcount)


def subscriptions_of(recipient_ids: Sequence[int]) -> list[Subscribed]:
    """All that these people subscribe to; deleted topics are left out. One query by one index."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT recipient_id, topic_id, since FROM preferences_subscription s
               WHERE recipient_id = ANY(%s) AND NOT EXISTS (
                   SELECT FROM preferences_topic t WHERE t.id = s.topic_id AND t.deleted_at IS NOT NULL)""",
            (list(recipient_ids),),
        )
        return [Subscribed(*row) for row in cursor.fetchall()]


def subscribers_among(topic_ids: Collection[int], recipient_ids: Collection[int]) -> set[int]:
    """Which of these people subscribe to at least one of these topics. One query by the key."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT asked.id FROM unnest(%s::bigint[]) AS asked (id) WHERE EXISTS (
                   SELECT FROM preferences_subscription WHERE topic_id = ANY(%s) AND recipient_id = asked.id)""",
            (list(recipient_ids), list(topic_ids)),
        )
        return {row[0] for row in cursor.fetchall()}


def held_topics(recipient_id: int) -> list[HeldTopic]:
    """The topics a person subscribes to, by their keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT t.key, s.since FROM preferences_subscription s JOIN preferences_topic t ON t.id = s.topic_id
               WHERE s.recipient_id = %s AND t.deleted_at IS NULL ORDER BY t.key""",
            (recipient_id,),
        )
        return [HeldTopic(*row) for row in cursor.fetchall()]
