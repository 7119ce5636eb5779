"""What was told to topics: one row each, whoever reads it; and the rows of those who have touched it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from notify.policy import BROADCASTS_OF_TOPIC
from notify.rules.broadcasts import Live
from notify.rules.ids import milliseconds_of, span_of

#: The built-in account of the inbox: what stands there was delivered by it.
_PROVIDER = "inbox"

# Listeners hear of the topic with the commit; who of them subscribes to it is theirs to ask.
_PUBLISH = """
WITH told AS (
    INSERT INTO notify_broadcast (id, batch_id, topic_id, type_key, created_at, expires_at)
    SELECT %(id)s, id, %(topic)s, type_key, statement_timestamp(), %(expires)s
      FROM notify_batch WHERE id = %(batch)s AND NOT test
    ON CONFLICT (batch_id, topic_id) DO NOTHING RETURNING topic_id
)
SELECT count(pg_notify('carillon_inbox', 'b' || topic_id)) FROM told
"""
_CANCEL = """
WITH ended AS (
    UPDATE notify_broadcast SET cancelled_at = now() WHERE batch_id = %s AND cancelled_at IS NULL RETURNING topic_id
)
SELECT count(pg_notify('carillon_inbox', 'b' || topic_id)) FROM ended
"""
_COLUMNS = "id, batch_id, topic_id, type_key, created_at, expires_at, changed"
_IS_LIVE = "created_at > %(since)s AND cancelled_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
# Few topics are told anything so: the others end at one look at the index.
_LIVE = f"""
SELECT one.* FROM unnest(%(topics)s::bigint[]) AS asked (id), LATERAL (
    SELECT {_COLUMNS} FROM notify_broadcast WHERE topic_id = asked.id AND {_IS_LIVE}
     ORDER BY created_at DESC LIMIT %(most)s
) AS one WHERE EXISTS (SELECT FROM notify_broadcast WHERE topic_id = asked.id)
"""

_PAGE = """
  FROM unnest(%(ids)s::uuid[], %(notifications)s::uuid[], %(attempts)s::uuid[], %(batches)s::uuid[],
              %(told)s::timestamptz[], %(expires)s::timestamptz[])
    AS page (id, notification_id, attempt_id, batch_id, told_at, expires_at)
  JOIN notify_batch b ON b.id = page.batch_id
"""
_NOTIFICATIONS = f"""
INSERT INTO notify_notification
    (id, batch_id, recipient_id, type_key, priority, status, channels, sealed, expires_at, created_at)
SELECT page.notification_id, b.id, %(recipient)s, b.type_key, b.priority, 'delivered', '{{in_app}}', '',
       page.expires_at, page.told_at {_PAGE}
ON CONFLICT DO NOTHING
"""
_DELIVERIES = f"""
INSERT INTO notify_delivery
    (id, notification_id, recipient_id, channel, priority, status, attempts, provider, expires_at, planned_at, sent_at,
     delivered_at, batch_id)
SELECT page.id, page.notification_id, %(recipient)s, 'in_app', b.priority, 'delivered', 1, %(provider)s,
       page.expires_at, page.told_at, page.told_at, page.told_at, b.id {_PAGE}
ON CONFLICT DO NOTHING
"""


# The inbox is its own provider, and knows at once that it delivered.
_ATTEMPTS = f"""
INSERT INTO notify_attempt (id, delivery_id, number, provider, outcome, started_at, latency_ms)
SELECT page.attempt_id, page.id, 1, %(provider)s, 'accepted', page.told_at, 0 {_PAGE}
ON CONFLICT DO NOTHING
"""


class NewDelivery(msgspec.Struct, frozen=True, gc=False):
    """What a reader has touched, as it goes into the log."""

    id: UUID
    notification_id: UUID
    #: The id of the one attempt it took.
    attempt_id: UUID
    batch_id: UUID
    #: When it was told.
    told_at: datetime
    expires_at: datetime | None


def publish(broadcast_id: UUID, batch_id: UUID, topic_id: int, expires_at: datetime | None) -> bool:
    """Write that a batch is told to a topic, and tell listeners with the commit; False: it was, or is only a test."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"id": broadcast_id, "batch": batch_id, "topic": topic_id, "expires": expires_at}
        cursor.execute(_PUBLISH, values)
        return bool(cursor.fetchone()[0])


def cancel(batch_id: UUID) -> int:
    """Take a batch out of the inboxes of all who have not touched it; of how many topics."""
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, (batch_id,))
        return int(cursor.fetchone()[0])


def live(topic_ids: Sequence[int], since: datetime) -> dict[int, list[Live]]:
    """What was told to these topics after an instant and is still to be seen: the newest of each, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, {"topics": list(topic_ids), "since": since, "most": BROADCASTS_OF_TOPIC})
        found: dict[int, list[Live]] = {}
        for row in cursor.fetchall():
            found.setdefault(row[2], []).append(Live(*row))
    return found


def of_instant(notification_id: UUID) -> list[Live]:
    """The broadcasts of the millisecond that an id begins with, over or not: hardly ever more than one."""
    first, behind = span_of(milliseconds_of(notification_id), 1)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM notify_broadcast WHERE id >= %s AND id < %s ORDER BY id", (first, behind)
        )
        return [Live(*row) for row in cursor.fetchall()]


def insert_touched(recipient_id: int, touched: Sequence[NewDelivery]) -> None:
    """Write what one reader has touched into the log: as sent and delivered when it was told. Three statements."""
    values: dict[str, Any] = {
        "recipient": recipient_id,
        "provider": _PROVIDER,
        "ids": [one.id for one in touched],
        "notifications": [one.notification_id for one in touched],
        "attempts": [one.attempt_id for one in touched],
        "batches": [one.batch_id for one in touched],
        "told": [one.told_at for one in touched],
        "expires": [one.expires_at for one in touched],
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTIFICATIONS, values)
        cursor.execute(_DELIVERIES, values)
        cursor.execute(_ATTEMPTS, values)


def forget(before: datetime) -> int:
    """Delete what was told before an instant; answers how many."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notify_broadcast WHERE created_at < %s", (before,))
        return int(cursor.rowcount)
