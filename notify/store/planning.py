"""What planning reads and writes: notifications in, deliveries out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from channels.vocabulary import Channel
from notify.rules.ids import family_range
from notify.rules.planning import PlannedDelivery
from notify.store.spans import IN_SPAN, span
from notify.vocabulary import NotificationStatus, Priority
from preferences.store import hot_cursor

#: By their words: calling an enum costs eight times a look-up, and a page asks a thousand times.
_PRIORITIES = {str(word): word for word in Priority}
_STATUSES = {str(word): word for word in NotificationStatus}


class PendingNotification(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A notification that waits to be planned."""

    id: UUID
    batch_id: UUID
    recipient_id: int
    type_key: str
    priority: Priority
    status: NotificationStatus
    channels: list[Channel] | None
    expires_at: datetime | None
    sealed: bytes


class BatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """What the later steps need of a batch."""

    id: UUID
    template_version_id: int | None
    channels: list[Channel] | None
    fallback_channels: list[Channel]
    collapse_key: str | None
    test: bool
    trace_id: str


def notifications(ids: Sequence[UUID]) -> list[PendingNotification]:
    """The notifications of a page, cancelled ones left out."""
    with hot_cursor() as cursor:
        cursor.execute(
            f"""SELECT id, batch_id, recipient_id, type_key, priority, status, channels, expires_at, sealed
               FROM notify_notification WHERE {IN_SPAN} AND status <> 'cancelled'""",
            span(ids),
        )
        rows = cursor.fetchall()
    return [
        PendingNotification(
            id=row[0],
            batch_id=row[1],
            recipient_id=row[2],
            type_key=row[3],
            priority=_PRIORITIES[row[4]],
            status=_STATUSES[row[5]],
            channels=_channels(row[6]),
            expires_at=row[7],
            sealed=row[8],
        )
        for row in rows
    ]


def batches(ids: Collection[UUID]) -> dict[UUID, BatchRow]:
    """Batches by id: few, since a page mostly stems from one request."""
    with hot_cursor() as cursor:
        cursor.execute(
            f"""SELECT id, template_version_id, channels, fallback_channels, collapse_key, test, trace_id
               FROM notify_batch WHERE {IN_SPAN}""",
            span(ids),
        )
        rows = cursor.fetchall()
    return {
        row[0]: BatchRow(
            id=row[0],
            template_version_id=row[1],
            channels=_channels(row[2]),
            fallback_channels=_channels(row[3]) or [],
            collapse_key=row[4],
            test=row[5],
            trace_id=row[6],
        )
        for row in rows
    }


def tried_channels(ids: Sequence[UUID]) -> dict[UUID, list[Channel]]:
    """The channel of every delivery that a notification already has."""
    lows, highs = zip(*(family_range(one) for one in ids), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT d.notification_id, d.channel FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS f(id, low, high),
                   LATERAL (SELECT notification_id, channel FROM notify_delivery
                            WHERE id BETWEEN f.low AND f.high AND notification_id = f.id) d""",
            (list(ids), list(lows), list(highs)),
        )
        tried: dict[UUID, list[Channel]] = {one: [] for one in ids}
        for notification_id, channel in cursor.fetchall():
            tried[notification_id].append(Channel(channel))
    return tried


def insert_deliveries(deliveries: Sequence[PlannedDelivery]) -> None:
    """Write planned and suppressed deliveries by COPY."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            """COPY notify_delivery (id, notification_id, recipient_id, channel, priority, device_id, hint, status,
                   reason_code, fallback, siblings, expires_at) FROM STDIN"""
        ) as copy,
    ):
        for one in deliveries:
            copy.write_row(
                (
                    one.id,
                    one.notification_id,
                    one.recipient_id,
                    one.channel,
                    one.priority,
                    one.device_id,
                    one.hint,
                    one.status,
                    one.reason,
                    one.fallback,
                    one.siblings,
                    one.expires_at,
                )
            )


def set_status(ids: Sequence[UUID], status: NotificationStatus) -> None:
    """Store the status of notifications that planning has settled."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE notify_notification SET status = %(status)s WHERE {IN_SPAN}",
            {"status": status.value, **span(ids)},
        )


def _channels(words: list[str] | None) -> list[Channel] | None:
    return [Channel(word) for word in words] if words is not None else None
