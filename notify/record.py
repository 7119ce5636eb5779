"""Outcomes into rows: the only door to a delivery's status after planning."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from django.db import transaction
from django.utils import timezone

from channels.vocabulary import Channel, SendOutcome, SendResult
from notify import metrics
from notify.policy import RETRIES
from notify.rules.ids import instant_of, sibling_ids
from notify.rules.lifecycle import ARRIVED, roll_up
from notify.rules.outcome import PAGE_DEADLINE, Outcome, decide
from notify.rules.outcome import Tried as Facts
from notify.rules.ready import Ready
from notify.store import pages, recording, sending
from notify.vocabulary import (
    ClaimedPage,
    DeliveryStatus,
    EventKind,
    NotificationStatus,
    PageRef,
    PageStep,
    ReasonCode,
)
from preferences import store as people
from preferences.vocabulary import InactiveReason, SuppressionReason

_GIVEN_UP = (DeliveryStatus.FAILED, DeliveryStatus.BOUNCED, DeliveryStatus.DEAD, DeliveryStatus.SUPPRESSED)


class Tried(msgspec.Struct, frozen=True, gc=False):
    """A claimed delivery and what came of it: a provider's answer, or the reason why none was asked."""

    delivery: sending.ClaimedDelivery
    result: SendResult | None
    refused: ReasonCode | None
    ready: Ready
    #: Blind index of the address.
    index: bytes


class Unsendable(msgspec.Struct, frozen=True, gc=False):
    """A delivery that ended before anybody could be asked to send it."""

    delivery_id: UUID
    reason: ReasonCode
    detail: str


class _Settled(msgspec.Struct, frozen=True, gc=False):
    """A tried delivery with its outcome."""

    tried: Tried
    outcome: Outcome

    @property
    def id(self) -> UUID:
        return self.tried.delivery.id

    @property
    def error(self) -> str:
        """What the provider said, in a line without personal data."""
        result = self.tried.result
        return (
            "" if result is None or result.outcome is SendOutcome.ACCEPTED else f"{result.code} {result.detail}".strip()
        )


def record_page(page: ClaimedPage, token: int, tried: Sequence[Tried]) -> list[PageRef]:
    """Write the outcomes of a dispatched page; the answer names pages of fallback channels that wait to be planned.

    Writes only to deliveries this claim still holds: a late process finds them gone and leaves them alone.
    """
    now = timezone.now()
    settled = [_Settled(one, _outcome(one, page, now)) for one in tried]
    with transaction.atomic():
        won = _write_deliveries(settled, token)
        kept = [one for one in settled if one.id in won]
        recording.insert_attempts([attempt for one in settled for attempt in _attempts(one)])
        recording.insert_events(list(_events(kept, page)))
        recording.bury([_burial(one, page, now) for one in kept if one.outcome.status is DeliveryStatus.DEAD])
        fallback = _write_notifications(page, kept)
        _close(page, {one.delivery.id for one in tried})
    _keep_clean(page, kept)
    _measure(page, kept, now)
    return fallback


def record_unsendable(page: ClaimedPage, unsendable: Sequence[Unsendable]) -> None:
    """End deliveries that could not even be rendered, each with its reason."""
    groups: dict[tuple[ReasonCode, str], list[UUID]] = {}
    for one in unsendable:
        groups.setdefault((one.reason, one.detail[:500]), []).append(one.delivery_id)
    with transaction.atomic():
        ended = [
            pair
            for (reason, detail), ids in groups.items()
            for pair in recording.end_unsent(DeliveryStatus.FAILED, reason, detail, ids)
        ]
        _roll_up({notification_id for _, notification_id in ended})
    metrics.deliveries_recorded(page.channel or "", DeliveryStatus.FAILED, len(ended))


def close_page(page: ClaimedPage) -> None:
    """End a page of which nothing is left to send."""
    with transaction.atomic():
        _close(page, set())


def bury_delivery(delivery_id: UUID, detail: str) -> None:
    """Give up a delivery that kept killing its workers."""
    with transaction.atomic():
        ended = recording.end_unsent(DeliveryStatus.DEAD, ReasonCode.RETRIES_EXHAUSTED, detail, [delivery_id])
        recording.bury_by_id([one for one, _ in ended], detail)
        _roll_up({notification_id for _, notification_id in ended})


def _outcome(one: Tried, page: ClaimedPage, now: datetime) -> Outcome:
    if one.refused is not None:
        return Outcome(DeliveryStatus.SUPPRESSED, one.refused)
    delivery = one.delivery
    accepted_at = instant_of(delivery.notification_id)
    facts = Facts(attempts=delivery.attempts, accepted_at=accepted_at, expires_at=delivery.expires_at)
    result = one.result
    if result is None:
        result = SendResult(id=delivery.id, outcome=SendOutcome.TRANSIENT, code="no_answer", started_at=0, latency_ms=0)
    return decide(result, facts, RETRIES[page.priority], now=now, chance=random.random())  # noqa: S311 - jitter


def _write_deliveries(settled: Sequence[_Settled], token: int) -> set[UUID]:
    """One statement per kind of outcome, one for all that wait; answers the ids that were ours to write."""
    groups: dict[recording.Settlement, list[UUID]] = {}
    again: list[recording.Again] = []
    for one in settled:
        provider = one.tried.result.provider if one.tried.result is not None else ""
        outcome = one.outcome
        if outcome.at is not None:
            refund = int(outcome.free)
            again.append(recording.Again(id=one.id, at=outcome.at, refund=refund, provider=provider, detail=one.error))
        else:
            kind = recording.Settlement(outcome.status, outcome.reason, provider, one.error)
            groups.setdefault(kind, []).append(one.id)
    won = {won for kind, ids in groups.items() for won in recording.settle(kind, ids, token)}
    return won | set(recording.reschedule(again, token) if again else ())


def _attempts(one: _Settled) -> Iterable[recording.NewAttempt]:
    """One per account that was really asked: refusals of our own and unstarted messages are no attempts."""
    result = one.tried.result
    if result is None:
        return
    for answer in (*result.earlier, result):
        if answer.provider and answer.code != PAGE_DEADLINE:
            yield _attempt(one, answer)


def _attempt(one: _Settled, answer: SendResult) -> recording.NewAttempt:
    return recording.NewAttempt(
        delivery_id=one.id,
        number=one.tried.delivery.attempts,
        provider=answer.provider,
        outcome=answer.outcome.value,
        code=answer.code,
        detail=answer.detail,
        provider_message_id=answer.provider_message_id,
        started_at=datetime.fromtimestamp(answer.started_at, UTC),
        latency_ms=round(answer.latency_ms),
    )


def _events(kept: Sequence[_Settled], page: ClaimedPage) -> Iterable[recording.NewEvent]:
    """What is told in the trace beside the attempts: waiting, refusal at the last moment, giving up."""
    for one in kept:
        outcome = one.outcome
        if outcome.at is not None and one.error.startswith(PAGE_DEADLINE):
            continue
        if outcome.at is not None:
            kind = EventKind.SNOOZED if outcome.free else EventKind.RETRY
            yield _event(one, kind, {"until": outcome.at.isoformat(), "why": one.error})
        elif one.tried.refused is not None:
            yield _event(one, EventKind.REFUSED_AT_CLAIM, {"channel": page.channel, "reason_code": one.tried.refused})
        elif outcome.status is DeliveryStatus.DEAD:
            yield _event(one, EventKind.DEAD, {"reason_code": outcome.reason, "why": one.error})


def _event(one: _Settled, kind: EventKind, detail: dict[str, object]) -> recording.NewEvent:
    return recording.NewEvent(
        notification_id=one.tried.delivery.notification_id, delivery_id=one.id, kind=kind, detail=detail
    )


def _burial(one: _Settled, page: ClaimedPage, now: datetime) -> recording.Burial:
    delivery = one.tried.delivery
    return recording.Burial(
        delivery_id=delivery.id,
        notification_id=delivery.notification_id,
        recipient_id=delivery.recipient_id,
        channel=page.channel or "",
        type_key=one.tried.ready.type_key,
        reason=one.outcome.reason or ReasonCode.RETRIES_EXHAUSTED,
        final_error=one.error,
        attempts=delivery.attempts,
        failed_at=now,
    )


def _write_notifications(page: ClaimedPage, kept: Sequence[_Settled]) -> list[PageRef]:
    """Store each notification's new status. A lone delivery decides alone; others are asked together with theirs."""
    decided: dict[NotificationStatus, list[UUID]] = {}
    falling: list[UUID] = []
    shared: dict[UUID, bool] = {}
    for one in kept:
        delivery, status = one.tried.delivery, one.outcome.status
        falls = one.tried.ready.has_fallback and status in _GIVEN_UP
        if delivery.siblings > 1:
            shared[delivery.notification_id] = falls
        elif falls:
            falling.append(delivery.notification_id)
        elif status is not DeliveryStatus.RETRYING:
            alone = roll_up([status], NotificationStatus.ACCEPTED)
            decided.setdefault(alone, []).append(delivery.notification_id)
    falling += _roll_up(shared, falls=[name for name, falls in shared.items() if falls])
    for rolled, ids in decided.items():
        recording.set_notification_status(ids, rolled)
    return _fall_back(page, falling)


def _roll_up(notification_ids: Iterable[UUID], falls: Sequence[UUID] = ()) -> list[UUID]:
    """Store the status of notifications from all their deliveries; those that fall back are answered instead."""
    ids = list(notification_ids)
    if not ids:
        return []
    decided: dict[NotificationStatus, list[UUID]] = {}
    falling: list[UUID] = []
    for one, statuses in recording.statuses(ids).items():
        if one in falls and all(status in _GIVEN_UP for status in statuses):
            falling.append(one)
        else:
            decided.setdefault(roll_up(statuses, NotificationStatus.ACCEPTED), []).append(one)
    for status, group in decided.items():
        recording.set_notification_status(group, status)
    return falling


def _fall_back(page: ClaimedPage, notification_ids: Sequence[UUID]) -> list[PageRef]:
    """Write pages on which the next channel of these notifications is planned."""
    cut = list(pages.in_pages(notification_ids))
    names = sibling_ids([page.page_id] * len(cut), entropy=os.urandom(6 * len(cut)))
    pages.insert(
        [
            pages.NewPage(
                id=name, step=PageStep.FALLBACK, priority=page.priority, channel=None, ids=ids, trace_id=page.trace_id
            )
            for name, ids in zip(names, cut, strict=True)
        ]
    )
    recording.insert_events(
        [
            recording.NewEvent(
                notification_id=one, delivery_id=None, kind=EventKind.FALLBACK, detail={"from": page.channel}
            )
            for one in notification_ids
        ]
    )
    return [PageRef(page_id=name, priority=page.priority) for name in names]


def _close(page: ClaimedPage, tried: set[UUID]) -> None:
    """Remove the page, unless something on it is still open in other hands."""
    rest = [one for one in page.ids if one not in tried]
    if rest:
        _roll_up({notification_id for _, notification_id in recording.expire(rest)})
        if sending.still_open(rest):
            pages.postpone(page)
            return
    pages.finish(page)


def _keep_clean(page: ClaimedPage, kept: Sequence[_Settled]) -> None:
    """Stop using addresses the provider says are dead; a test message proves nothing about a real address."""
    dead = [one for one in kept if one.outcome.reason is ReasonCode.INVALID_RECIPIENT and not one.tried.ready.test]
    if not dead:
        return
    channel = Channel(page.channel or "")
    if channel is Channel.PUSH:
        devices = [one.tried.delivery.device_id for one in dead if one.tried.delivery.device_id is not None]
        started = min(one.tried.result.started_at for one in dead if one.tried.result is not None)
        # A device that registered again since the request started has a new token, of which nothing is known yet.
        people.deactivate_devices(devices, InactiveReason.REJECTED, datetime.fromtimestamp(started, UTC))
    elif channel is not Channel.IN_APP:
        people.suppress([one.tried.index for one in dead if one.tried.index], channel, SuppressionReason.HARD_BOUNCE)


def _measure(page: ClaimedPage, kept: Sequence[_Settled], now: datetime) -> None:
    """Count the page: once per status, not once per row."""
    counts: dict[DeliveryStatus, int] = {}
    seconds: list[float] = []
    for one in kept:
        counts[one.outcome.status] = counts.get(one.outcome.status, 0) + 1
        if one.outcome.status in ARRIVED:
            seconds.append((now - instant_of(one.tried.delivery.notification_id)).total_seconds())
    for status, count in counts.items():
        metrics.deliveries_recorded(page.channel or "", status, count)
    metrics.latency_observed(page.channel or "", page.priority, seconds)
