"""Stopping and repeating single notifications."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from notify.rules.ids import family_range
from notify.rules.lifecycle import CANCELLABLE
from notify.vocabulary import NotificationStatus, Priority, ReasonCode


def hold_planning(notification_id: UUID) -> None:
    """Lock the page on which a notification waits to be planned, if any: planning comes wholly before or after."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM notify_page WHERE step IN ('plan', 'fallback') AND %s = ANY(ids) FOR UPDATE",
            (notification_id,),
        )


def lock(notification_id: UUID, application_id: int) -> NotificationStatus | None:
    """Lock a notification of an application against planning and recording; None: there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT n.status FROM notify_notification n JOIN notify_batch b ON b.id = n.batch_id
               WHERE n.id = %s AND b.application_id = %s FOR UPDATE OF n""",
            (notification_id, application_id),
        )
        row = cursor.fetchone()
    return NotificationStatus(row[0]) if row is not None else None


def cancel_deliveries(notification_id: UUID, reason: ReasonCode) -> int:
    """End the deliveries that have not left; answers how many."""
    low, high = family_range(notification_id)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_delivery SET status = 'cancelled', reason_code = %s, next_attempt_at = NULL
               WHERE id BETWEEN %s AND %s AND notification_id = %s AND status = ANY(%s)""",
            (reason, low, high, notification_id, [str(status) for status in CANCELLABLE]),
        )
        return int(cursor.rowcount)


def cancel_some(batch_ids: Sequence[UUID], low: UUID, high: UUID, limit: int) -> list[UUID]:
    """End deliveries of whole batches that have not left; the answer names the notification of each."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_delivery SET status = 'cancelled', reason_code = 'cancelled', next_attempt_at = NULL
               WHERE id IN (SELECT id FROM notify_delivery
                            WHERE id >= %(low)s AND id < %(high)s AND batch_id = ANY(%(batches)s)
                              AND status = ANY(%(statuses)s) LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
                 AND id >= %(low)s AND id < %(high)s
               RETURNING notification_id""",
            {
                "low": low,
                "high": high,
                "batches": list(batch_ids),
                "statuses": [str(status) for status in CANCELLABLE],
                "limit": limit,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def revive(dead_letter_ids: Sequence[int]) -> list[tuple[UUID, UUID, str, Priority]]:
    """Take dead deliveries back among those that wait: (delivery, notification, channel, priority) of each revived.

    Belongs into the transaction that writes their pages. A dead letter is replayed once; the next failure writes
    another.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_dead_letter SET replayed_at = now() WHERE id = ANY(%s) AND replayed_at IS NULL
               RETURNING delivery_id""",
            (list(dead_letter_ids),),
        )
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return []
        cursor.execute(
            """UPDATE notify_delivery SET status = 'retrying', reason_code = NULL, detail = '', attempts = 0,
                      ambiguous = 0, avoid = '', next_attempt_at = NULL, expires_at = NULL
               WHERE id = ANY(%s) AND id BETWEEN %s AND %s AND status = 'dead'
               RETURNING id, notification_id, channel, priority""",
            (ids, min(ids), max(ids)),
        )
        return [(row[0], row[1], row[2], Priority(row[3])) for row in cursor.fetchall()]


class Original(msgspec.Struct, frozen=True, kw_only=True):
    """A notification about to be sent once more."""

    id: UUID
    batch_id: UUID
    recipient_id: int
    type_key: str
    priority: Priority
    channels: list[str] | None
    sealed: bytes


def original(notification_id: UUID, application_id: int) -> Original | None:
    """A notification of an application with what a copy needs."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT n.id, n.batch_id, n.recipient_id, n.type_key, n.priority, n.channels, n.sealed
               FROM notify_notification n JOIN notify_batch b ON b.id = n.batch_id
               WHERE n.id = %s AND b.application_id = %s""",
            (notification_id, application_id),
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return Original(
        id=row[0],
        batch_id=row[1],
        recipient_id=row[2],
        type_key=row[3],
        priority=Priority(row[4]),
        channels=row[5],
        sealed=row[6],
    )


def insert_copy(of: Original, copy_id: UUID, sealed: bytes, now: datetime) -> None:
    """Write the copy beside its original, in the same batch, without schedule and expiry."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_notification (id, batch_id, recipient_id, type_key, priority, status, channels,
                   sealed, created_at) VALUES (%s, %s, %s, %s, %s, 'accepted', %s, %s, %s)""",
            (copy_id, of.batch_id, of.recipient_id, of.type_key, of.priority, of.channels, sealed, now),
        )
