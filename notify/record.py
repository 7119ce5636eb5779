"""Outcomes into rows: the only door to a delivery's status after planning."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from django.db import transaction
from django.utils import timezone

from channels.vocabulary import Channel, Message, SendOutcome, SendResult
from notify import metrics
from notify.policy import RETRIES
from notify.rules.ids import instant_of, milliseconds_of, sibling_ids
from notify.rules.lifecycle import ARRIVED, FINAL, roll_up
from notify.rules.outcome import PAGE_DEADLINE, UNDECIDED, Outcome, accepted, decide
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

#: The status of a notification with one delivery.
_ALONE = {status: roll_up([status], NotificationStatus.ACCEPTED) for status in DeliveryStatus}
_GIVEN_UP = (DeliveryStatus.FAILED, DeliveryStatus.BOUNCED, DeliveryStatus.DEAD, DeliveryStatus.SUPPRESSED)


class Tried(msgspec.Struct, kw_only=True, gc=False):
    """A claimed delivery on its way: its message or why there is none, the provider's answer, what that makes of it."""

    delivery: sending.ClaimedDelivery
    ready: Ready
    message: Message | None = None
    #: Why it must not be sent after all.
    refused: ReasonCode | None = None
    #: Blind index of the address, for suppression when it bounces.
    index: bytes = b""
    result: SendResult | None = None
    outcome: Outcome = UNDECIDED

    @property
    def error(self) -> str:
        """What the provider said, in a line without personal data."""
        result = self.result
        return (
            "" if result is None or result.outcome is SendOutcome.ACCEPTED else f"{result.code} {result.detail}".strip()
        )


class Unsendable(msgspec.Struct, frozen=True, gc=False):
    """A delivery that ended before anybody could be asked to send it."""

    delivery_id: UUID
    reason: ReasonCode
    detail: str


def record_page(page: ClaimedPage, token: int, tried: Sequence[Tried]) -> list[PageRef]:
    """Write the outcomes of a dispatched page; the answer names pages of fallback channels that wait to be planned.

    Writes only to deliveries this claim still holds: a late process finds them gone and leaves them alone.
    """
    now = timezone.now()
    for one in tried:
        one.outcome = _outcome(one, page, now)
    with transaction.atomic():
        lost = _write_deliveries(tried, token)
        kept = [one for one in tried if one.delivery.id not in lost] if lost else tried
        recording.insert_attempts([attempt for one in tried for attempt in _attempts(one)])
        recording.insert_events(list(_events(kept, page)))
        recording.bury([_burial(one, page, now) for one in kept if one.outcome.status is DeliveryStatus.DEAD])
        fallback = _write_notifications(page, kept)
        _close(page, tried)
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
        _close(page, ())


def bury_delivery(delivery_id: UUID, detail: str) -> None:
    """Give up a delivery that kept killing its workers."""
    with transaction.atomic():
        ended = recording.end_unsent(DeliveryStatus.DEAD, ReasonCode.RETRIES_EXHAUSTED, detail, [delivery_id])
        recording.bury_by_id([one for one, _ in ended], detail)
        _roll_up({notification_id for _, notification_id in ended})


def _outcome(one: Tried, page: ClaimedPage, now: datetime) -> Outcome:
    if one.refused is not None:
        return Outcome(DeliveryStatus.SUPPRESSED, one.refused)
    delivery, result = one.delivery, one.result or _unanswered(one)
    if result.outcome is SendOutcome.ACCEPTED:
        return accepted(result.receipt)
    accepted_at = instant_of(delivery.notification_id)
    facts = Facts(attempts=delivery.attempts, accepted_at=accepted_at, expires_at=delivery.expires_at)
    return decide(result, facts, RETRIES[page.priority], now=now, chance=random.random())  # noqa: S311 - jitter


def _unanswered(one: Tried) -> SendResult:
    return SendResult(id=one.delivery.id, outcome=SendOutcome.TRANSIENT, code="no_answer")


def _write_deliveries(tried: Sequence[Tried], token: int) -> set[UUID]:
    """One statement per kind of outcome, one for all that wait; answers the ids that were not ours any more."""
    groups: dict[recording.Settlement, list[UUID]] = {}
    again: list[recording.Again] = []
    for one in tried:
        name, outcome = one.delivery.id, one.outcome
        provider = one.result.provider if one.result is not None else ""
        if outcome.at is not None:
            refund = int(outcome.free)
            again.append(recording.Again(id=name, at=outcome.at, refund=refund, provider=provider, detail=one.error))
        else:
            kind = recording.Settlement(outcome.status, outcome.reason, provider, one.error)
            groups.setdefault(kind, []).append(name)
    lost = {name for kind, ids in groups.items() for name in recording.settle(kind, ids, token)}
    return lost | recording.reschedule(again, token) if again else lost


def _attempts(one: Tried) -> Iterable[recording.NewAttempt]:
    """One per account that was really asked: refusals of our own and unstarted messages are no attempts."""
    result = one.result
    if result is None:
        return
    for answer in (*result.earlier, result):
        if answer.provider and answer.code != PAGE_DEADLINE:
            yield _attempt(one, answer)


def _attempt(one: Tried, answer: SendResult) -> recording.NewAttempt:
    return recording.NewAttempt(
        delivery_id=one.delivery.id,
        number=one.delivery.attempts,
        provider=answer.provider,
        outcome=answer.outcome.value,
        code=answer.code,
        detail=answer.detail,
        provider_message_id=answer.provider_message_id,
        started_at=datetime.fromtimestamp(answer.started_at, UTC),
        latency_ms=round(answer.latency_ms),
    )


def _events(kept: Sequence[Tried], page: ClaimedPage) -> Iterable[recording.NewEvent]:
    """What is told in the trace beside the attempts: waiting, refusal at the last moment, giving up."""
    for one in kept:
        outcome = one.outcome
        if outcome.at is not None and one.error.startswith(PAGE_DEADLINE):
            continue
        if outcome.at is not None:
            kind = EventKind.SNOOZED if outcome.free else EventKind.RETRY
            yield _event(one, kind, {"until": outcome.at.isoformat(), "why": one.error})
        elif one.refused is not None:
            yield _event(one, EventKind.REFUSED_AT_CLAIM, {"channel": page.channel, "reason_code": one.refused})
        elif outcome.status is DeliveryStatus.DEAD:
            yield _event(one, EventKind.DEAD, {"reason_code": outcome.reason, "why": one.error})


def _event(one: Tried, kind: EventKind, detail: dict[str, object]) -> recording.NewEvent:
    return recording.NewEvent(
        notification_id=one.delivery.notification_id, delivery_id=one.delivery.id, kind=kind, detail=detail
    )


def _burial(one: Tried, page: ClaimedPage, now: datetime) -> recording.Burial:
    delivery = one.delivery
    return recording.Burial(
        delivery_id=delivery.id,
        notification_id=delivery.notification_id,
        recipient_id=delivery.recipient_id,
        channel=page.channel or "",
        type_key=one.ready.type_key,
        reason=one.outcome.reason or ReasonCode.RETRIES_EXHAUSTED,
        final_error=one.error,
        attempts=delivery.attempts,
        failed_at=now,
    )


def _write_notifications(page: ClaimedPage, kept: Sequence[Tried]) -> list[PageRef]:
    """Store each notification's final status. A lone delivery decides alone; others are asked together with theirs.

    What is under way is not stored again on the usual way: whoever reads a status rolls it up from the deliveries.
    """
    decided: dict[NotificationStatus, list[UUID]] = {}
    falling: list[UUID] = []
    shared: dict[UUID, bool] = {}
    for one in kept:
        delivery, status = one.delivery, one.outcome.status
        falls = one.ready.has_fallback and status in _GIVEN_UP
        if delivery.siblings > 1:
            shared[delivery.notification_id] = falls
        elif falls:
            falling.append(delivery.notification_id)
        elif status in FINAL:
            decided.setdefault(_ALONE[status], []).append(delivery.notification_id)
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


def _close(page: ClaimedPage, tried: Sequence[Tried]) -> None:
    """Remove the page, unless something on it is still open in other hands."""
    if len(tried) < page.size:
        done = {one.delivery.id for one in tried}
        rest = [one for one in pages.ids_of(page) if one not in done]
        _roll_up({notification_id for _, notification_id in recording.expire(rest)})
        if sending.still_open(rest):
            pages.postpone(page)
            return
    pages.finish(page)


def _keep_clean(page: ClaimedPage, kept: Sequence[Tried]) -> None:
    """Stop using addresses the provider says are dead; a test message proves nothing about a real address."""
    dead = [one for one in kept if one.outcome.reason is ReasonCode.INVALID_RECIPIENT and not one.ready.test]
    if not dead:
        return
    channel = Channel(page.channel or "")
    if channel is Channel.PUSH:
        devices = [one.delivery.device_id for one in dead if one.delivery.device_id is not None]
        started = min(one.result.started_at for one in dead if one.result is not None)
        # A device that registered again since the request started has a new token, of which nothing is known yet.
        people.deactivate_devices(devices, InactiveReason.REJECTED, datetime.fromtimestamp(started, UTC))
    elif channel is not Channel.IN_APP:
        people.suppress([one.index for one in dead if one.index], channel, SuppressionReason.HARD_BOUNCE)


def _measure(page: ClaimedPage, kept: Sequence[Tried], now: datetime) -> None:
    """Count the page: once per status, not once per row."""
    counts = Counter(one.outcome.status for one in kept)
    now_ms = now.timestamp() * 1000
    arrived = (one for one in kept if one.outcome.status in ARRIVED)
    seconds = [(now_ms - milliseconds_of(one.delivery.notification_id)) / 1000 for one in arrived]
    for status, count in counts.items():
        metrics.deliveries_recorded(page.channel or "", status, count)
    metrics.latency_observed(page.channel or "", page.priority, seconds)
