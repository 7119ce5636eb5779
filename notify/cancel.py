"""Stopping a notification that has not left yet."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from notify.errors import AlreadySent, UnknownNotification
from notify.rules.lifecycle import ARRIVED
from notify.store import recording, stopping
from notify.vocabulary import DeliveryStatus, EventKind, NotificationStatus, ReasonCode


def cancel_notification(notification_id: UUID, application_id: int) -> None:
    """Cancel what of a notification is still here.

    Raises `UnknownNotification`, or `AlreadySent` once nothing of it can be stopped any more. Cancelling twice is
    harmless.
    """
    with transaction.atomic():
        stopping.hold_planning(notification_id)
        stored = stopping.lock(notification_id, application_id)
        if stored is None:
            raise UnknownNotification
        if stored is NotificationStatus.CANCELLED:
            return
        stopped = stopping.cancel_deliveries(notification_id, ReasonCode.CANCELLED)
        statuses = recording.statuses([notification_id])[notification_id]
        if not stopped and statuses:
            raise AlreadySent
        if not any(status in ARRIVED or status is DeliveryStatus.SENDING for status in statuses):
            recording.set_notification_status([notification_id], NotificationStatus.CANCELLED)
        recording.insert_events(
            [
                recording.NewEvent(
                    notification_id=notification_id,
                    delivery_id=None,
                    kind=EventKind.CANCELLED,
                    detail={"stopped": stopped},
                )
            ]
        )
