"""What the log of notifications holds of a person or for longer than it must: cleared by the page."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from notify.rules.ids import family_range, first_id
from notify.store.spans import IN_SPAN, span

#: The largest id: before it is everything.
_END = UUID(int=(1 << 128) - 1)
_START = UUID(int=0)

# What is looked through is bounded, not what is found. What still waits keeps its words: it is to be told.
_OLD = """
WITH seen AS MATERIALIZED (
    SELECT id, type_key, status, scheduled_at, sealed <> '' AS has_words FROM notify_notification
    WHERE id > %(after)s AND id < %(before)s ORDER BY id LIMIT %(scan)s
)
SELECT id, type_key = %(type)s AND has_words AND (status <> 'scheduled' OR scheduled_at < now())
       AND NOT EXISTS (
           SELECT FROM notify_delivery d WHERE d.id BETWEEN (left(seen.id::text, 23) || '-000000000000')::uuid
                                                    AND (left(seen.id::text, 23) || '-ffffffffffff')::uuid
             AND d.notification_id = seen.id AND d.status IN ('planned', 'sending', 'retrying', 'deferred'))
FROM seen ORDER BY id
"""


class Cleared(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stretch of the log that was looked through."""

    #: Ids before its first notification, and of its last.
    after: UUID
    until: UUID
    #: How many notifications lost their words.
    count: int
    #: Whether there is nothing more to be looked through.
    is_all: bool


def clear_page(recipient_id: int, before: UUID | None, limit: int) -> UUID | None:
    """Clear words, hints and metadata of the next notifications of a person, newest first; the last one's id.

    None: there is none left before that one. What several people share stays: it is nobody's.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, batch_id FROM notify_notification WHERE recipient_id = %s AND id < %s
               ORDER BY id DESC LIMIT %s""",
            (recipient_id, before or _END, limit),
        )
        rows = cursor.fetchall()
        if not rows:
            return None
        ids = [row[0] for row in rows]
        cursor.execute(f"UPDATE notify_notification SET sealed = '' WHERE {IN_SPAN} AND sealed <> ''", span(ids))
        cursor.execute(
            f"""UPDATE notify_batch SET metadata = NULL, collapse_key = NULL
                WHERE {IN_SPAN} AND total = 1 AND (metadata IS NOT NULL OR collapse_key IS NOT NULL)""",
            span({row[1] for row in rows}),
        )
        bounds = [family_range(one) for one in ids]
        cursor.execute(
            """UPDATE notify_delivery d SET hint = ''
               FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS f(id, low, high)
               WHERE d.id BETWEEN f.low AND f.high AND d.id BETWEEN %s AND %s AND d.notification_id = f.id
                 AND d.hint <> ''""",
            (ids, [low for low, _ in bounds], [high for _, high in bounds], bounds[-1][0], bounds[0][1]),
        )
    return ids[-1] if len(ids) == limit else None


def clear_old(type_key: str, after: UUID | None, before: datetime, scan: int) -> Cleared:
    """Clear the words of the next notifications of a type that were accepted before an instant."""
    low, end = after or _START, first_id(before)
    with connection.cursor() as cursor:
        cursor.execute(_OLD, {"after": low, "before": end, "scan": scan, "type": type_key})
        rows = cursor.fetchall()
        ids = [row[0] for row in rows if row[1]]
        if ids:
            cursor.execute(f"UPDATE notify_notification SET sealed = '' WHERE {IN_SPAN}", span(ids))
    last = rows[-1][0] if rows else low
    return Cleared(after=low, until=last, count=len(ids), is_all=len(rows) < scan)
