"""What is asked of a delivery when somebody opens it, follows its link, or leaves."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from channels.vocabulary import Channel
from notify.rules.ids import family_range


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A delivery that left."""

    id: UUID
    notification_id: UUID
    channel: str
    sent_at: datetime | None


def delivery(delivery_id: UUID) -> Sent | None:
    """A delivery; None once its log has been dropped."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, notification_id, channel, sent_at FROM notify_delivery WHERE id = %s", (delivery_id,)
        )
        row = cursor.fetchone()
    return Sent(*row) if row is not None else None


def shown(notification_id: UUID, channels: Collection[Channel], recipient_id: int | None) -> Sent | None:
    """What of a notification left last on some channels, for whomever or for one recipient; None: nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, notification_id, channel, sent_at FROM notify_delivery
               WHERE id BETWEEN %s AND %s AND notification_id = %s AND channel = ANY(%s) AND sent_at IS NOT NULL
                 AND (%s::bigint IS NULL OR recipient_id = %s)
               ORDER BY sent_at DESC, id LIMIT 1""",
            (
                *family_range(notification_id),
                notification_id,
                [channel.value for channel in channels],
                recipient_id,
                recipient_id,
            ),
        )
        row = cursor.fetchone()
    return Sent(*row) if row is not None else None
