"""The outcomes of a page whose deliveries were written before."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from channels.costs import book, costs
from channels.vocabulary import Channel
from notify.record.ending import GIVEN_UP, end_notifications, fall_back, follow, roll_up_stored
from notify.record.tried import Tried, attempts_of, burial_of, events_of, keep_clean, measure, outcome_of
from notify.rules.digest import is_digest
from notify.rules.lifecycle import FINAL, roll_up
from notify.rules.outcome import UNKNOWN, ambiguous_in
from notify.store import pages, recording, sending
from notify.vocabulary import (
    ClaimedPage,
    DeliveryStatus,
    NotificationStatus,
    PageRef,
)

#: The status of a notification with one delivery.
ALONE = {status: roll_up([status], NotificationStatus.ACCEPTED) for status in DeliveryStatus}


def record_page(page: ClaimedPage, token: int, tried: Sequence[Tried]) -> list[PageRef]:
    """Write the outcomes of a dispatched page; the answer names pages of fallback channels that wait to be planned.

    Writes only to deliveries this claim still holds: a late process finds them gone and leaves them alone.
    """
    now = timezone.now()
    for one in tried:
        one.outcome = outcome_of(one, page, now)
    channel = Channel(page.channel or "")
    for one, cost in zip(tried, costs(channel, [(one.message, one.result) for one in tried]), strict=True):
        one.cost = cost
    with transaction.atomic():
        lost = _write_deliveries(tried, token)
        kept = [one for one in tried if one.delivery.id not in lost] if lost else tried
        recording.insert_attempts([attempt for one in tried for attempt in attempts_of(one)])
        recording.insert_events(list(events_of(kept, page)))
        recording.bury([burial_of(one, page, now) for one in kept if one.outcome.status is DeliveryStatus.DEAD])
        fallback = _write_notifications(page, kept)
        follow([one.delivery.notification_id for one in kept if is_digest(one.ready.type_key)])
        _close(page, tried)
        # Money is spent whoever holds the delivery by now. Last, because its rows are everybody's.
        book(channel, [one.cost for one in tried])
    keep_clean(page, kept)
    measure(page, kept, now)
    return fallback


def close_page(page: ClaimedPage) -> None:
    """End a page of which nothing is left to send."""
    with transaction.atomic():
        _close(page, ())


def _write_deliveries(tried: Sequence[Tried], token: int) -> set[UUID]:
    """One statement per kind of outcome, one for all that wait; answers the ids that were not ours any more."""
    groups: dict[recording.Settlement, list[UUID]] = {}
    again: list[recording.Again] = []
    for one in tried:
        name, outcome = one.delivery.id, one.outcome
        provider = one.result.provider if one.result is not None else ""
        if outcome.at is not None:
            refund = int(outcome.free)
            again.append(
                recording.Again(
                    id=name,
                    status=outcome.status,
                    at=outcome.at,
                    refund=refund,
                    provider=provider,
                    detail=one.error,
                    ambiguous=0 if one.result is None else ambiguous_in(one.result),
                )
            )
        else:
            kind = recording.Settlement(outcome.status, outcome.reason, provider, one.error)
            groups.setdefault(kind, []).append(name)
    lost = {name for kind, ids in groups.items() for name in recording.settle(kind, ids, token)}
    return lost | recording.reschedule(again, token) if again else lost


def _write_notifications(page: ClaimedPage, kept: Sequence[Tried]) -> list[PageRef]:
    """Store each notification's final status. A lone delivery decides alone; others are asked together with theirs.

    What is under way is not stored again on the usual way: whoever reads a status rolls it up from the deliveries.
    """
    decided: dict[NotificationStatus, list[UUID]] = {}
    falling: list[UUID] = []
    shared: dict[UUID, bool] = {}
    for one in kept:
        delivery, status = one.delivery, one.outcome.status
        falls = one.ready.has_fallback and status in GIVEN_UP and one.outcome is not UNKNOWN
        if delivery.siblings > 1:
            shared[delivery.notification_id] = falls
        elif falls:
            falling.append(delivery.notification_id)
        elif status in FINAL or status is DeliveryStatus.DEFERRED:
            decided.setdefault(ALONE[status], []).append(delivery.notification_id)
    falling += roll_up_stored(shared, falls=[name for name, falls in shared.items() if falls])
    for rolled, ids in decided.items():
        recording.set_notification_status(ids, rolled)
    return fall_back(page.priority, page.channel or "", page.trace_id, falling)


def _close(page: ClaimedPage, tried: Sequence[Tried]) -> None:
    """Remove the page, unless something on it is still open in other hands."""
    if len(tried) < page.size:
        done = {one.delivery.id for one in tried}
        rest = [one for one in pages.ids_of(page) if one not in done]
        end_notifications({notification_id for _, notification_id in recording.expire(rest)})
        if sending.still_open(rest):
            pages.postpone(page)
            return
    pages.finish(page)
