"""Stopping a notification that has not left yet."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from notify import caps, record
from notify.errors import AlreadySent, UnknownNotification
from notify.rules.lifecycle import ARRIVED
from notify.store import digests, recording, stopping
from notify.vocabulary import DeliveryStatus, EventKind, NotificationStatus, ReasonCode


def cancel_notification(notification_id: UUID, application_id: int) -> None:
    """Cancel what of a notification is still here; its places are free for others then.

    Raises `UnknownNotification`, or `AlreadySent` once nothing of it can be stopped any more. Cancelling twice is
    harmless.
    """
    with transaction.atomic():
        _stop(notification_id, application_id)
    caps.give_back_untold([notification_id])


def cancel_batches(batch_ids: Sequence[UUID], low: UUID, high: UUID, limit: int) -> int:
    """End what waits of batches that were cancelled as a whole, between two ids; answers how many deliveries.

    Less than `limit`: there are no more. What is with a provider right now stays what that makes of it. Places that
    were reserved for the others are free then.
    """
    with transaction.atomic():
        ended = stopping.cancel_some(batch_ids, low, high, limit)
        record.end_notifications(set(ended))
    caps.give_back_untold(set(ended))
    return len(ended)


def _stop(notification_id: UUID, application_id: int) -> None:
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
    events = [_event(notification_id, None, {"stopped": stopped})]
    if not any(status in ARRIVED or status is DeliveryStatus.SENDING for status in statuses):
        recording.set_notification_status([notification_id], NotificationStatus.CANCELLED)
        events += _take_back_members(notification_id, application_id)
    recording.insert_events(events)


def _take_back_members(digest_id: UUID, application_id: int) -> list[recording.NewEvent]:
    """Nobody will tell what this notification would have told, if it is a digest."""
    members = digests.take_back(digest_id, application_id)
    record.end_notifications({notification_id for _, notification_id in members})
    return [_event(notification_id, name, {"digest": str(digest_id)}) for name, notification_id in members]


def _event(notification_id: UUID, delivery_id: UUID | None, detail: dict[str, object]) -> recording.NewEvent:
    return recording.NewEvent(
        notification_id=notification_id, delivery_id=delivery_id, kind=EventKind.CANCELLED, detail=detail
    )
