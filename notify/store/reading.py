"""What became of a notification: one primary-key range per table, because its rows are one family."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.db import connection

from notify.rules.history import AttemptRow, DeliveryRow, EventRow, NotificationRow
from notify.rules.ids import family_range, first_id
from notify.rules.lifecycle import roll_up
from notify.vocabulary import DeliveryStatus, NotificationStatus

_Row = TypeVar("_Row")

#: Rows that one call of a filtered list looks through, newest first; the cursor goes on behind them.
SCAN_LIMIT = 10_000


class ListedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A notification in a list."""

    id: UUID
    recipient_id: int
    type_key: str
    priority: str
    status: NotificationStatus
    scheduled_at: datetime | None
    created_at: datetime


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which notifications are listed; None: whatever."""

    recipient_id: int | None = None
    type_key: str | None = None
    status: NotificationStatus | None = None
    campaign_id: str | None = None
    created_after: datetime | None = None
    #: Older than this one.
    before: UUID | None = None


class Found(msgspec.Struct, frozen=True):
    """One page of a list."""

    rows: list[ListedRow]
    #: Where the search stopped; None: there is nothing older.
    stopped_at: UUID | None


_NOTIFICATION = """
SELECT n.id, n.batch_id, n.recipient_id, n.type_key, n.priority, n.status AS stored, n.scheduled_at, n.expires_at,
       n.created_at, coalesce(n.channels, b.channels) AS channels, b.fallback_channels, b.collapse_key,
       b.metadata::text AS metadata,
       b.test, b.trace_id, b.request_id, b.application_id, a.name AS application, v.template_id,
       v.number AS template_version
FROM notify_notification n
JOIN notify_batch b ON b.id = n.batch_id
JOIN notify_application a ON a.id = b.application_id
LEFT JOIN notify_template_version v ON v.id = b.template_version_id
WHERE n.id = %s
"""

_DELIVERIES = """
SELECT id, channel, hint, status, reason_code, detail, fallback, attempts, provider,
       -- What waits for a mode has no instant to tell.
       CASE WHEN next_attempt_at < '9999-01-01Z' THEN next_attempt_at END AS next_attempt_at,
       planned_at, sent_at, delivered_at, opened_at, clicked_at
FROM notify_delivery WHERE id BETWEEN %s AND %s AND notification_id = %s ORDER BY fallback, planned_at, channel, id
"""

_ATTEMPTS = """
SELECT delivery_id, number, provider, outcome, code, detail, provider_message_id, started_at, latency_ms,
       segments, cost_micros
FROM notify_attempt WHERE id BETWEEN %s AND %s AND delivery_id = ANY(%s) ORDER BY started_at, id
"""

_EVENTS = """
SELECT delivery_id, at, kind, detail::text AS detail
FROM notify_event WHERE id BETWEEN %s AND %s AND notification_id = %s ORDER BY at, id
"""

# What is scanned is bounded, not what is found: a filter that fits nobody costs no more than SCAN_LIMIT rows, and the
# answer says where the scan ended. A family's bounds are the id's first 80 bits, which are 23 characters of its text.
_LIST = """
WITH seen AS MATERIALIZED (
    SELECT id, batch_id, recipient_id, type_key, priority, status, scheduled_at, created_at FROM notify_notification
    WHERE id < %(before)s AND id >= %(after)s AND (%(recipient)s::bigint IS NULL OR recipient_id = %(recipient)s)
    ORDER BY id DESC LIMIT %(scan)s
)
SELECT edge.scanned, edge.last, m.*
FROM (SELECT (SELECT count(*) FROM seen) AS scanned, (SELECT id FROM seen ORDER BY id LIMIT 1) AS last) edge
LEFT JOIN LATERAL (
    SELECT s.id, s.recipient_id, s.type_key, s.priority, s.status AS stored, s.scheduled_at, s.created_at,
           ARRAY(SELECT d.status FROM notify_delivery d
                 WHERE d.id BETWEEN (left(s.id::text, 23) || '-000000000000')::uuid
                                AND (left(s.id::text, 23) || '-ffffffffffff')::uuid
                   AND d.notification_id = s.id) AS deliveries
    FROM seen s
    WHERE (%(type)s::text IS NULL OR s.type_key = %(type)s)
      AND (%(stored)s::text[] IS NULL OR s.status = ANY(%(stored)s))
      AND (%(campaign)s::text IS NULL OR EXISTS (
          SELECT 1 FROM notify_batch b WHERE b.id = s.batch_id AND b.metadata->>'campaign_id' = %(campaign)s))
    ORDER BY s.id DESC LIMIT %(limit)s
) m ON true
"""

#: The largest id: before it is everything.
_END = UUID(int=(1 << 128) - 1)
#: Stored statuses that work in progress may already have left behind.
_LAGGING = (
    NotificationStatus.ACCEPTED,
    NotificationStatus.SCHEDULED,
    NotificationStatus.DEFERRED,
    NotificationStatus.PROCESSING,
    NotificationStatus.SENT,
)


def notification(notification_id: UUID) -> NotificationRow | None:
    """A notification with its request, in one statement."""
    found = _read(NotificationRow, _NOTIFICATION, [notification_id], json="metadata")
    return found[0] if found else None


def deliveries(notification_id: UUID) -> list[DeliveryRow]:
    """Its deliveries, first planned first, in one statement."""
    return _read(DeliveryRow, _DELIVERIES, [*family_range(notification_id), notification_id])


def attempts(notification_id: UUID, delivery_ids: Sequence[UUID]) -> list[AttemptRow]:
    """The attempts of its deliveries, oldest first, in one statement."""
    return _read(AttemptRow, _ATTEMPTS, [*family_range(notification_id), list(delivery_ids)])


def events(notification_id: UUID) -> list[EventRow]:
    """Its events, oldest first, in one statement."""
    return _read(EventRow, _EVENTS, [*family_range(notification_id), notification_id], json="detail")


def page(filters: Filters, limit: int) -> Found:
    """Up to `limit` notifications, newest first, in one statement. A page may be short and yet have a next one."""
    narrows = filters.type_key or filters.status or filters.campaign_id
    scan = SCAN_LIMIT if narrows else limit + 1
    rows = _list(filters, limit, scan)
    scanned, last = rows[0][0], rows[0][1]
    candidates = [_listed(row[2:]) for row in rows if row[2] is not None]
    more = len(candidates) > limit
    shown = [one for one in candidates[:limit] if filters.status in (None, one.status)]
    if more:
        return Found(shown, candidates[limit - 1].id)
    return Found(shown, last if narrows and scanned == scan else None)


def _list(filters: Filters, limit: int, scan: int) -> list[tuple[Any, ...]]:
    stored = None if filters.status is None else [*_LAGGING, filters.status]
    with connection.cursor() as cursor:
        cursor.execute(
            _LIST,
            {
                "before": filters.before or _END,
                "after": first_id(filters.created_after) if filters.created_after else UUID(int=0),
                "recipient": filters.recipient_id,
                "type": filters.type_key,
                "stored": stored,
                "campaign": filters.campaign_id,
                "scan": scan,
                "limit": limit + 1,
            },
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _listed(row: tuple[Any, ...]) -> ListedRow:
    name, recipient_id, type_key, priority, stored, scheduled_at, created_at, statuses = row
    return ListedRow(
        id=name,
        recipient_id=recipient_id,
        type_key=type_key,
        priority=priority,
        status=roll_up([DeliveryStatus(status) for status in statuses], NotificationStatus(stored)),
        scheduled_at=scheduled_at,
        created_at=created_at,
    )


def _read(shape: type[_Row], query: str, arguments: Sequence[Any], *, json: str = "") -> list[_Row]:
    """Rows as structs, column by name; the column named by `json` holds JSON as text."""
    with connection.cursor() as cursor:
        cursor.execute(query, arguments)
        names = [column.name for column in cursor.description]
        named = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in named:
        if row.get(json) is not None:
            row[json] = msgspec.json.decode(row[json])
    return [msgspec.convert(row, shape) for row in named]
