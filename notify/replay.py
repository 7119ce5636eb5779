"""Another try for what was given up, and a repeat of what was sent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from channels.rules.sealing import Unreadable, seal, unseal
from notify import queue
from notify.errors import UnknownNotification
from notify.rules.ids import ENTROPY, new_ids
from notify.store import pages, recording, stopping
from notify.vocabulary import EventKind, NotificationStatus, PageRef, PageStep, Priority, Step
from preferences import store as people


def replay_dead_letters(dead_letter_ids: Sequence[int]) -> int:
    """Send dead deliveries again from their first attempt on; answers how many were revived."""
    with transaction.atomic():
        revived = stopping.revive(dead_letter_ids)
        groups: dict[tuple[PageStep, str | None, Priority], list[UUID]] = {}
        for delivery_id, _, channel, priority in revived:
            groups.setdefault((PageStep.SEND, channel, priority), []).append(delivery_id)
        new = pages.insert_groups(groups, now=timezone.now())
        refs = [PageRef(page_id=page.id, priority=page.priority, channel=page.channel) for page in new]
        queue.enqueue(Step.RENDER, refs)
        recording.insert_events(
            [
                recording.NewEvent(
                    notification_id=notification_id, delivery_id=delivery_id, kind=EventKind.REPLAYED, detail={}
                )
                for delivery_id, notification_id, _, _ in revived
            ]
        )
        if revived:
            recording.set_notification_status(
                list({notification_id for _, notification_id, _, _ in revived}), NotificationStatus.PROCESSING
            )
    return len(revived)


def resend_notification(notification_id: UUID, application_id: int, *, now: datetime) -> UUID:
    """Accept a copy of a notification: the same words to the same recipient, planned anew.

    Raises `UnknownNotification`. The copy keeps the template version; its variables are sealed for its own row.
    """
    with transaction.atomic():
        original = stopping.original(notification_id, application_id)
        if original is None:
            raise UnknownNotification
        copy_id = new_ids(1, now=now, entropy=os.urandom(ENTROPY))[0]
        sealed = _resealed(original, copy_id)
        stopping.insert_copy(original, copy_id, sealed, now)
        page_id = new_ids(1, now=now, entropy=os.urandom(ENTROPY))[0]
        pages.insert(
            [pages.NewPage(id=page_id, step=PageStep.PLAN, priority=original.priority, channel=None, ids=[copy_id])]
        )
        recording.insert_events(
            [
                recording.NewEvent(
                    notification_id=copy_id,
                    delivery_id=None,
                    kind=EventKind.RESENT,
                    detail={"of": str(notification_id)},
                )
            ]
        )
        queue.enqueue(Step.PLAN, [PageRef(page_id=page_id, priority=original.priority)])
    return copy_id


def _resealed(original: stopping.Original, copy_id: UUID) -> bytes:
    """The original's content under the same key, bound to the copy's row."""
    facts = people.facts_for([original.recipient_id]).get(original.recipient_id)
    if facts is None:
        raise UnknownNotification
    try:
        key = people.data_key(facts.wrapped_key, facts.id)
        plain = unseal(key, original.sealed, b"notification.sealed:" + original.id.bytes)
    except Unreadable:
        raise UnknownNotification from None
    return seal(key, plain, b"notification.sealed:" + copy_id.bytes)
