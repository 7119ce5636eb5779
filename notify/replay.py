"""Another try for what was given up, and a repeat of what was sent."""

from __future__ import annotations

import os
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from notify import queue
from notify.rules.ids import ENTROPY, new_ids
from notify.store import pages, recording, stopping
from notify.vocabulary import EventKind, NotificationStatus, PageRef, PageStep, Priority, Step


def replay_dead_letters(dead_letter_ids: Sequence[int]) -> int:
    """Send dead deliveries again from their first attempt on; answers how many were revived."""
    with transaction.atomic():
        revived = stopping.revive(dead_letter_ids)
        groups: dict[tuple[str, Priority], list[UUID]] = {}
        for delivery_id, _, channel, priority in revived:
            groups.setdefault((channel, priority), []).append(delivery_id)
        _put_on_pages(groups)
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


def _put_on_pages(groups: dict[tuple[str, Priority], list[UUID]]) -> None:
    cut = [(key, ids) for key, group in groups.items() for ids in pages.in_pages(sorted(group))]
    names = new_ids(len(cut), now=timezone.now(), entropy=os.urandom(ENTROPY * len(cut)))
    new = [
        pages.NewPage(id=name, step=PageStep.SEND, priority=priority, channel=channel, ids=ids)
        for name, ((channel, priority), ids) in zip(names, cut, strict=True)
    ]
    pages.insert(new)
    queue.enqueue(
        Step.RENDER, [PageRef(page_id=page.id, priority=page.priority, channel=page.channel) for page in new]
    )
