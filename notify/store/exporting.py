"""All that the log holds of a person, by pages of notifications: four statements each, whatever the page holds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from notify.rules.ids import family_range

_END = UUID(int=(1 << 128) - 1)

_NOTIFICATIONS = """
SELECT n.id, n.type_key AS type, n.priority, n.status, coalesce(n.channels, b.channels) AS channels, n.scheduled_at,
       n.expires_at, n.created_at, a.name AS application, v.template_id, v.number AS template_version, b.collapse_key,
       b.metadata::text AS metadata, n.sealed
FROM notify_notification n
JOIN notify_batch b ON b.id = n.batch_id
JOIN notify_application a ON a.id = b.application_id
LEFT JOIN notify_template_version v ON v.id = b.template_version_id
WHERE n.recipient_id = %s AND n.id < %s ORDER BY n.id DESC LIMIT %s
"""

_DELIVERIES = """
SELECT d.notification_id, d.id, d.channel, d.hint AS address, d.status, d.reason_code, d.provider, d.planned_at,
       d.sent_at, d.delivered_at, d.opened_at, d.clicked_at
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS f(id, low, high),
     LATERAL (SELECT * FROM notify_delivery
              WHERE id BETWEEN f.low AND f.high AND id BETWEEN %s AND %s AND notification_id = f.id) d
ORDER BY d.id
"""

_ATTEMPTS = """
SELECT t.delivery_id, t.number, t.provider, t.outcome, t.code, t.provider_message_id, t.started_at
FROM unnest(%s::uuid[], %s::uuid[]) AS f(low, high),
     LATERAL (SELECT * FROM notify_attempt WHERE id BETWEEN f.low AND f.high AND id BETWEEN %s AND %s) t
ORDER BY t.started_at, t.id
"""

_EVENTS = """
SELECT e.notification_id, e.delivery_id, e.at, e.kind, e.detail::text AS detail
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS f(id, low, high),
     LATERAL (SELECT * FROM notify_event
              WHERE id BETWEEN f.low AND f.high AND id BETWEEN %s AND %s AND notification_id = f.id) e
ORDER BY e.at, e.id
"""

#: A row by its columns.
Row = dict[str, Any]


class ExportPage(msgspec.Struct, frozen=True):
    """A page of notifications, newest first, with all that hangs on them."""

    notifications: list[Row]
    deliveries: list[Row]
    attempts: list[Row]
    events: list[Row]


def page(recipient_id: int, before: UUID | None, limit: int) -> ExportPage:
    """The notifications of a person older than one of them; `sealed` as it is stored."""
    notifications = _rows(_NOTIFICATIONS, (recipient_id, before or _END, limit))
    if not notifications:
        return ExportPage([], [], [], [])
    ids = [row["id"] for row in notifications]
    bounds = [family_range(one) for one in ids]
    low, high = [one[0] for one in bounds], [one[1] for one in bounds]
    # The page's own bounds: without them every partition is asked for every family.
    span = (low[-1], high[0])
    return ExportPage(
        notifications,
        _rows(_DELIVERIES, (ids, low, high, *span)),
        _rows(_ATTEMPTS, (low, high, *span)),
        _rows(_EVENTS, (ids, low, high, *span)),
    )


def _rows(sql: str, arguments: tuple[Any, ...]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
