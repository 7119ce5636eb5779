"""People of a campaign who were told in one breath: their rows are written once, as they have turned out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.utils import timezone

from channels.costs import book, costs
from channels.vocabulary import Channel
from notify.record.ending import GIVEN_UP, fall_back, status_without_words
from notify.record.tried import Tried, attempts_of, burial_of, events_of, keep_clean, measure, outcome_of
from notify.rules.lifecycle import ARRIVED, FINAL, roll_up
from notify.rules.outcome import UNKNOWN, ambiguous_in
from notify.rules.planning import PlannedDelivery
from notify.rules.ready import Unsendable
from notify.store import digests, planning, recording
from notify.store.planning import NewDelivery, PendingNotification
from notify.vocabulary import ClaimedPage, DeliveryStatus, NotificationStatus, PageRef, ReasonCode


class NewlyTold(msgspec.Struct, frozen=True, kw_only=True):
    """A share as it has turned out; nothing of it is written yet."""

    notifications: Sequence[PendingNotification]
    #: Every delivery as it was planned.
    deliveries: Sequence[PlannedDelivery]
    #: What planning has to tell in the trace.
    events: Sequence[recording.NewEvent]
    #: By channel, the page it would have been and what was tried of it.
    tried: Sequence[tuple[ClaimedPage, Sequence[Tried]]]
    unsendable: Sequence[Unsendable]
    #: By the notification's id as a number, its batch.
    counted_in: Mapping[int, UUID]
    created_at: datetime

    @property
    def is_refused(self) -> bool:
        """Whether the providers took less than half of what was sent."""
        sent = [one for _, group in self.tried for one in group if one.message is not None]
        return sum(one.outcome.at is not None for one in sent) * 2 > len(sent)


class _Ended(msgspec.Struct, frozen=True, gc=False):
    """How a delivery that was planned has turned out."""

    status: DeliveryStatus
    reason: ReasonCode | None
    tried: Tried | None = None
    detail: str = ""


def record_share(told: NewlyTold) -> list[PageRef]:
    """Write notifications, deliveries, attempts and events of a share; answers pages of what is told otherwise now.

    Belongs into the transaction that strikes its people off. Of a process that dies before its commit nobody knows whom
    it has told: they are told once more, and that is the page which a death may repeat.
    """
    now = timezone.now()
    for page, group in told.tried:
        _judge(page, group, now)
    ended = _ended(told)
    rows = [_row(one, ended.get(one.id.int), now) for one in told.deliveries]
    planning.insert_told(rows, told.counted_in)
    planning.insert_notifications(_statuses(told, rows), created_at=told.created_at)
    recording.insert_attempts([attempt for _, group in told.tried for one in group for attempt in attempts_of(one)])
    recording.insert_events([*told.events, *(event for page, group in told.tried for event in events_of(group, page))])
    digests.insert([one for one in told.deliveries if one.digest_at is not None])
    dead = DeliveryStatus.DEAD
    recording.bury(
        [burial_of(one, page, now) for page, group in told.tried for one in group if one.outcome.status is dead]
    )
    falling: list[PageRef] = []
    for page, group in told.tried:
        falling += fall_back(page.priority, page.channel or "", page.trace_id, _falls(group, rows))
        # Last, because its rows are everybody's.
        book(Channel(page.channel or ""), [one.cost for one in group])
    return falling


def after_share(told: NewlyTold) -> None:
    """What follows once it is written: addresses that are dead are used no more, and the page is counted."""
    now = timezone.now()
    for page, group in told.tried:
        keep_clean(page, group)
        measure(page, group, now)


def _judge(page: ClaimedPage, group: Sequence[Tried], now: datetime) -> None:
    for one in group:
        one.outcome = outcome_of(one, page, now)
    channel = Channel(page.channel or "")
    for one, cost in zip(group, costs(channel, [(one.message, one.result) for one in group]), strict=True):
        one.cost = cost


def _ended(told: NewlyTold) -> dict[int, _Ended]:
    """By the number of the delivery's id."""
    found = {
        one.delivery.id.int: _Ended(one.outcome.status, one.outcome.reason, one, one.error)
        for _, group in told.tried
        for one in group
    }
    for lost in told.unsendable:
        found[lost.delivery_id.int] = _Ended(status_without_words(lost.reason), lost.reason, detail=lost.detail[:500])
    return found


def _row(one: PlannedDelivery, ended: _Ended | None, now: datetime) -> NewDelivery:
    """The delivery as it is first, and mostly last, written."""
    if ended is None:
        return NewDelivery(one, one.status, one.reason, one.rule, one.next_attempt_at)
    tried = ended.tried
    if tried is None:
        return NewDelivery(one, ended.status, ended.reason, ended.detail, None)
    outcome, result = tried.outcome, tried.result
    arrived = outcome.status in ARRIVED or outcome.status is DeliveryStatus.BOUNCED
    return NewDelivery(
        one,
        ended.status,
        ended.reason,
        ended.detail,
        outcome.at,
        attempts=0 if outcome.free else 1,
        provider=result.provider if result is not None else "",
        ambiguous=ambiguous_in(result) if result is not None and outcome.at is not None else 0,
        sent_at=now if arrived else None,
        delivered_at=now if outcome.status is DeliveryStatus.DELIVERED else None,
    )


def _statuses(told: NewlyTold, rows: Sequence[NewDelivery]) -> list[tuple[PendingNotification, NotificationStatus]]:
    """Where each notification stands. What is under way is not stored: whoever reads it rolls it up."""
    mine: dict[int, list[DeliveryStatus]] = {}
    for row in rows:
        mine.setdefault(row.planned.notification_id.int, []).append(row.status)
    return [(one, _status(mine.get(one.id.int, []))) for one in told.notifications]


def _status(deliveries: Sequence[DeliveryStatus]) -> NotificationStatus:
    if all(status in FINAL or status is DeliveryStatus.DEFERRED for status in deliveries):
        return roll_up(deliveries, NotificationStatus.SUPPRESSED)
    return NotificationStatus.ACCEPTED


def _falls(group: Sequence[Tried], rows: Sequence[NewDelivery]) -> list[UUID]:
    """Notifications of which everything failed, and which may be told otherwise."""
    hopeful = {
        one.delivery.notification_id.int: one.delivery.notification_id
        for one in group
        if one.ready.has_fallback and one.outcome.status in GIVEN_UP and one.outcome is not UNKNOWN
    }
    for row in rows if hopeful else ():
        if row.status not in GIVEN_UP:
            hopeful.pop(row.planned.notification_id.int, None)
    return list(hopeful.values())
