"""A delivery that was tried: what came of it, in the words of every table that keeps it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from channels.costs import FREE, Cost
from channels.rules.failover import NOT_ASKED
from channels.rules.tally import PAGE_DEADLINE
from channels.vocabulary import Channel, Message, ReceiptKind, SendOutcome, SendResult, SmsMessage
from notify import hygiene, metrics
from notify.policy import RETRIES
from notify.rules.decision import Answer, shown_until
from notify.rules.ids import milliseconds_of
from notify.rules.lifecycle import ARRIVED
from notify.rules.outcome import UNDECIDED, Outcome, accepted, ambiguous_in, decide, held
from notify.rules.outcome import Tried as Facts
from notify.rules.ready import Ready
from notify.store import recording, sending
from notify.vocabulary import (
    ClaimedPage,
    DeliveryStatus,
    EventKind,
    ReasonCode,
)

#: What a provider may say of an address in the same breath in which it answers.
_TELLING = frozenset({ReceiptKind.UNSUBSCRIBED, ReceiptKind.COMPLAINED, ReceiptKind.SOFT_BOUNCED})


class Tried(msgspec.Struct, kw_only=True, gc=False):
    """A claimed delivery on its way: its message or why there is none, the provider's answer, what that makes of it."""

    delivery: sending.ClaimedDelivery
    ready: Ready
    message: Message | None = None
    #: Why it must not be sent after all.
    refused: ReasonCode | None = None
    #: Why it must wait after all.
    held: Answer | None = None
    #: Blind index of the address, for suppression when it bounces.
    index: bytes = b""
    result: SendResult | None = None
    outcome: Outcome = UNDECIDED
    cost: Cost = FREE

    @property
    def error(self) -> str:
        """What the provider said, or the rule that lets it wait, in a line without personal data."""
        result = self.result
        if self.held is not None:
            return str(self.held.rule)
        return (
            "" if result is None or result.outcome is SendOutcome.ACCEPTED else f"{result.code} {result.detail}".strip()
        )


def outcome_of(one: Tried, page: ClaimedPage, now: datetime) -> Outcome:
    """What a try makes of its delivery."""
    if one.refused is not None:
        is_cancelled = one.refused is ReasonCode.CANCELLED
        return Outcome(DeliveryStatus.CANCELLED if is_cancelled else DeliveryStatus.SUPPRESSED, one.refused)
    delivery = one.delivery
    result = one.result or SendResult(id=delivery.id, outcome=SendOutcome.TRANSIENT, code="no_answer")
    if result.outcome is SendOutcome.ACCEPTED:
        return accepted(result.receipt)
    facts = Facts(
        attempts=delivery.attempts,
        planned_at=delivery.planned_at,
        expires_at=delivery.expires_at,
        ambiguous=delivery.ambiguous + ambiguous_in(result),
        may_repeat=one.message is not None and one.message.may_repeat,
        can_turn_aside=page.priority.is_urgent and one.ready.has_fallback,
    )
    if one.held is not None:
        return held(one.held.until, facts)
    return decide(result, facts, RETRIES[page.priority], now=now, chance=random.random())  # noqa: S311 - jitter


def attempts_of(one: Tried) -> Iterable[recording.NewAttempt]:
    """One per account that was really asked: refusals of our own and unstarted messages are no attempts."""
    result = one.result
    if result is None:
        return
    for answer in (*result.earlier, result):
        if answer.provider and answer.code not in NOT_ASKED:
            yield _attempt(one, answer)


def _attempt(one: Tried, answer: SendResult) -> recording.NewAttempt:
    # Only the last one asked can have taken it.
    cost = one.cost if answer is one.result else FREE
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
        segments=cost.units if isinstance(one.message, SmsMessage) else 0,
        cost_micros=cost.micros,
    )


def events_of(kept: Sequence[Tried], page: ClaimedPage) -> Iterable[recording.NewEvent]:
    """What is told in the trace beside the attempts: waiting, refusal at the last moment, giving up."""
    for one in kept:
        outcome = one.outcome
        if outcome.at is not None and one.error.startswith(PAGE_DEADLINE):
            continue
        if one.held is not None and outcome.at is not None:
            until = shown_until(outcome.at)
            yield _event(one, EventKind.DEFERRED, {"step": "claim", "why": one.held.rule, "until": until})
        elif outcome.at is not None:
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


def burial_of(one: Tried, page: ClaimedPage, now: datetime) -> recording.Burial:
    """The dead letter of a delivery that was given up."""
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


def keep_clean(page: ClaimedPage, kept: Sequence[Tried]) -> None:
    """Stop using addresses the provider says are dead; a test message proves nothing about a real address."""
    channel = Channel(page.channel or "")
    answered = [(one, one.result) for one in kept if one.result is not None and not one.ready.test]
    if channel is Channel.PUSH:
        hygiene.sort_out_devices([hygiene.PushAnswer(one.delivery.device_id, result) for one, result in answered])
    elif channel is not Channel.IN_APP:
        hygiene.apply([_finding(channel, one, result) for one, result in answered if _tells(one, result)])


def _tells(one: Tried, result: SendResult) -> bool:
    return one.outcome.reason is ReasonCode.INVALID_RECIPIENT or result.receipt in _TELLING


def _finding(channel: Channel, one: Tried, result: SendResult) -> hygiene.Finding:
    """A provider may know at once that the owner of the address has sent a STOP."""
    return hygiene.Finding(
        channel=channel,
        kind=result.receipt if result.receipt in _TELLING else ReceiptKind.BOUNCED,
        at=datetime.fromtimestamp(result.started_at, UTC),
        index=one.index,
        recipient_id=one.delivery.recipient_id,
    )


def measure(page: ClaimedPage, kept: Sequence[Tried], now: datetime) -> None:
    """Count the page: once per status, not once per row."""
    counts = Counter(one.outcome.status for one in kept)
    now_ms = now.timestamp() * 1000
    arrived = (one for one in kept if one.outcome.status in ARRIVED)
    seconds = [(now_ms - milliseconds_of(one.delivery.notification_id)) / 1000 for one in arrived]
    for status, count in counts.items():
        metrics.deliveries_recorded(page.channel or "", status, count)
    metrics.latency_observed(page.channel or "", page.priority, seconds)
