"""Where notifications stand once something of them has ended, and what comes after it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from notify import metrics
from notify.rules.ids import ENTROPY, new_ids
from notify.rules.lifecycle import roll_up
from notify.rules.ready import Unsendable
from notify.store import digests, pages, recording
from notify.vocabulary import (
    ClaimedPage,
    DeliveryStatus,
    EventKind,
    NotificationStatus,
    PageRef,
    PageStep,
    Priority,
    ReasonCode,
)

GIVEN_UP = (DeliveryStatus.FAILED, DeliveryStatus.BOUNCED, DeliveryStatus.DEAD, DeliveryStatus.SUPPRESSED)


def follow(notification_ids: Collection[UUID]) -> None:
    """Let what digests told end as they did, where these are digests; of those under way, nothing."""
    roll_up_stored(digests.follow(list(notification_ids)) if notification_ids else ())


def end_notifications(notification_ids: Collection[UUID]) -> None:
    """Store where notifications stand of which something ended outside a page, and what digests among them told."""
    roll_up_stored(notification_ids)
    follow(notification_ids)


def bury_delivery(delivery_id: UUID, detail: str) -> None:
    """Give up a delivery that kept killing its workers."""
    with transaction.atomic():
        ended = recording.end_unsent(DeliveryStatus.DEAD, ReasonCode.RETRIES_EXHAUSTED, detail, [delivery_id])
        recording.bury_by_id([one for one, _ in ended], detail)
        end_notifications({notification_id for _, notification_id in ended})


def record_unsendable(page: ClaimedPage, unsendable: Sequence[Unsendable]) -> None:
    """End deliveries that could not even be rendered, each with its reason."""
    groups: dict[tuple[ReasonCode, str], list[UUID]] = {}
    for one in unsendable:
        groups.setdefault((one.reason, one.detail[:500]), []).append(one.delivery_id)
    with transaction.atomic():
        ended = [
            (status_without_words(reason), notification_id)
            for (reason, detail), ids in groups.items()
            for _, notification_id in recording.end_unsent(status_without_words(reason), reason, detail, ids)
        ]
        end_notifications({notification_id for _, notification_id in ended})
    for status, count in Counter(status for status, _ in ended).items():
        metrics.deliveries_recorded(page.channel or "", status, count)


def status_without_words(reason: ReasonCode) -> DeliveryStatus:
    """To forget a person is no failure."""
    return DeliveryStatus.SUPPRESSED if reason is ReasonCode.USER_ERASED else DeliveryStatus.FAILED


def roll_up_stored(notification_ids: Iterable[UUID], falls: Sequence[UUID] = ()) -> list[UUID]:
    """Store the status of notifications from all their deliveries; those that fall back are answered instead."""
    ids = list(notification_ids)
    if not ids:
        return []
    decided: dict[NotificationStatus, list[UUID]] = {}
    falling: list[UUID] = []
    for one, statuses in recording.statuses(ids).items():
        if one in falls and all(status in GIVEN_UP for status in statuses):
            falling.append(one)
        else:
            decided.setdefault(roll_up(statuses, NotificationStatus.ACCEPTED), []).append(one)
    for status, group in decided.items():
        recording.set_notification_status(group, status)
    return falling


def fall_back(priority: Priority, channel: str, trace_id: str, notification_ids: Sequence[UUID]) -> list[PageRef]:
    """Write pages on which the next channel of these notifications is planned, after this one has failed."""
    cut = list(pages.in_pages(notification_ids))
    names = new_ids(len(cut), now=timezone.now(), entropy=os.urandom(ENTROPY * len(cut)))
    pages.insert(
        [
            pages.NewPage(id=name, step=PageStep.FALLBACK, priority=priority, channel=None, ids=ids, trace_id=trace_id)
            for name, ids in zip(names, cut, strict=True)
        ]
    )
    recording.insert_events(
        [
            recording.NewEvent(notification_id=one, delivery_id=None, kind=EventKind.FALLBACK, detail={"from": channel})
            for one in notification_ids
        ]
    )
    return [PageRef(page_id=name, priority=priority) for name in names]
