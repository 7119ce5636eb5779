"""What planning reads and writes: notifications in, deliveries out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from channels.vocabulary import Channel
from notify.rules.ids import family_range
from notify.rules.planning import PlannedDelivery
from notify.store.spans import IN_SPAN, span
from notify.vocabulary import DeliveryStatus, NotificationStatus, Priority
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
    #: Variables that all its notifications share, under the master key; None: each has its own.
    sealed: bytes | None = None


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
            f"""SELECT id, template_version_id, channels, fallback_channels, collapse_key, test, trace_id, sealed
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
            sealed=row[7],
        )
        for row in rows
    }


class TriedChannel(NamedTuple):
    """A delivery that a notification already has."""

    channel: Channel
    reason: str | None


def tried_channels(ids: Sequence[UUID]) -> dict[UUID, list[TriedChannel]]:
    """The channel of every delivery that a notification already has, with the reason it ended for."""
    lows, highs = zip(*(family_range(one) for one in ids), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT d.notification_id, d.channel, d.reason_code
               FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS f(id, low, high),
                   LATERAL (SELECT notification_id, channel, reason_code FROM notify_delivery
                            WHERE id BETWEEN f.low AND f.high AND notification_id = f.id) d""",
            (list(ids), list(lows), list(highs)),
        )
        tried: dict[UUID, list[TriedChannel]] = {one: [] for one in ids}
        for notification_id, channel, reason in cursor.fetchall():
            tried[notification_id].append(TriedChannel(Channel(channel), reason))
    return tried


def insert_notifications(
    told: Sequence[tuple[PendingNotification, NotificationStatus]], *, created_at: datetime
) -> None:
    """Write notifications that are planned in the same breath, by COPY, in the status that planning gave them."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            """COPY notify_notification (id, batch_id, recipient_id, type_key, priority, status, sealed, expires_at,
                   created_at) FROM STDIN"""
        ) as copy,
    ):
        for one, status in told:
            copy.write_row(
                (
                    one.id,
                    one.batch_id,
                    one.recipient_id,
                    one.type_key,
                    one.priority,
                    status,
                    one.sealed,
                    one.expires_at,
                    created_at,
                )
            )


class NewDelivery(NamedTuple):
    """A delivery as it is first written: as planned, or as it has turned out already."""

    planned: PlannedDelivery
    status: DeliveryStatus
    reason: str | None
    detail: str
    next_attempt_at: datetime | None
    attempts: int = 0
    provider: str = ""
    ambiguous: int = 0
    sent_at: datetime | None = None
    delivered_at: datetime | None = None


def insert_deliveries(deliveries: Sequence[PlannedDelivery], counted_in: Mapping[int, UUID]) -> None:
    """Write deliveries in their first status by COPY; the detail of one that may not go now is the rule behind it.

    `counted_in`: by the notification's id as a number, the batch that is counted and stopped as a whole, if it is one.
    """
    insert_told(
        [NewDelivery(one, one.status, one.reason, one.rule, one.next_attempt_at) for one in deliveries], counted_in
    )


def insert_told(deliveries: Sequence[NewDelivery], counted_in: Mapping[int, UUID]) -> None:
    """The same for deliveries of which it is known already what became of them."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            """COPY notify_delivery (id, notification_id, recipient_id, channel, priority, device_id, hint, status,
                   reason_code, detail, next_attempt_at, fallback, siblings, expires_at, batch_id, attempts, provider,
                   ambiguous, sent_at, delivered_at) FROM STDIN"""
        ) as copy,
    ):
        for one in deliveries:
            planned = one.planned
            copy.write_row(
                (
                    planned.id,
                    planned.notification_id,
                    planned.recipient_id,
                    planned.channel,
                    planned.priority,
                    planned.device_id,
                    planned.hint,
                    one.status,
                    one.reason,
                    one.detail,
                    one.next_attempt_at,
                    planned.fallback,
                    planned.siblings,
                    planned.expires_at,
                    counted_in.get(planned.notification_id.int),
                    one.attempts,
                    one.provider,
                    one.ambiguous,
                    one.sent_at,
                    one.delivered_at,
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
