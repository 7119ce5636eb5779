"""What a provider's answer makes of a delivery. `record` obeys; nothing here touches a row."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from channels.rules.gate import Why
from channels.rules.tally import PAGE_DEADLINE
from channels.vocabulary import Channel, ReceiptKind, SendOutcome, SendResult
from notify.policy import HOLD_LIMIT, HOLD_WAIT, MAX_AMBIGUOUS, MAY_REPEAT, THROTTLE_WAIT, RetryPolicy
from notify.rules.backoff import delay_after
from notify.vocabulary import DeliveryStatus, Priority, ReasonCode
from preferences.vocabulary import Category


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The next state of a delivery."""

    status: DeliveryStatus
    reason: ReasonCode | None = None
    #: When to try again; only with status retrying or deferred.
    at: datetime | None = None
    #: A snooze: the try did not count.
    free: bool = False


class Tried(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `decide` must know of a delivery beside the provider's answer."""

    #: Attempts so far, this one included.
    attempts: int
    #: When the notification was accepted.
    planned_at: datetime
    expires_at: datetime | None
    #: Attempts so far whose fate nobody knows, those of this call included.
    ambiguous: int = 0
    #: Twice is better than never.
    may_repeat: bool = False
    #: It is urgent, and another channel stands ready.
    can_turn_aside: bool = False


#: Stands until an answer is in.
UNDECIDED = Outcome(DeliveryStatus.SENDING)
SENT = Outcome(DeliveryStatus.SENT)
DELIVERED = Outcome(DeliveryStatus.DELIVERED)
BOUNCED = Outcome(DeliveryStatus.BOUNCED, ReasonCode.INVALID_RECIPIENT)
INVALID = Outcome(DeliveryStatus.FAILED, ReasonCode.INVALID_RECIPIENT)
#: Not invalid: its owner has sent a STOP to the provider.
OPTED_OUT = Outcome(DeliveryStatus.SUPPRESSED, ReasonCode.SUPPRESSED_ADDRESS)
EXPIRED = Outcome(DeliveryStatus.EXPIRED, ReasonCode.EXPIRED)
#: This channel is given up at once, so that the next one goes.
NOBODY = Outcome(DeliveryStatus.FAILED, ReasonCode.NO_PROVIDER)
#: Perhaps it arrived. A receipt may still tell, or an operator send it again; no other channel repeats it.
UNKNOWN = Outcome(DeliveryStatus.DEAD, ReasonCode.OUTCOME_UNKNOWN)

#: The code of a message that no configured account can carry.
NO_PROVIDER = "no_provider"


def decide(result: SendResult, tried: Tried, policy: RetryPolicy, *, now: datetime, chance: float) -> Outcome:
    """The outcome of one attempt.

    Throttling and faults of our own configuration consume no attempt; nothing is retried past its expiry.
    """
    match result.outcome:
        case SendOutcome.ACCEPTED:
            return accepted(result.receipt)
        case SendOutcome.BAD_RECIPIENT:
            return OPTED_OUT if result.receipt is ReceiptKind.UNSUBSCRIBED else INVALID
        case SendOutcome.BAD_MESSAGE:
            return Outcome(DeliveryStatus.FAILED, ReasonCode.PROVIDER_REJECTED)
        case SendOutcome.THROTTLED:
            return _throttled(result, tried, now, chance)
        case SendOutcome.MISCONFIGURED if result.code != NO_PROVIDER:
            return _held(tried, now)
        case _:
            return _retried(result, tried, policy, now=now, chance=chance)


def held(until: datetime | None, tried: Tried) -> Outcome:
    """The outcome of a claim that found that it is not the hour: no attempt was made. None: it will not live so long.

    What was tried before keeps retrying, since a receipt may still tell of that try; it only waits longer.
    """
    if until is None:
        return EXPIRED
    untried = tried.attempts <= 1 and not tried.ambiguous
    return Outcome(DeliveryStatus.DEFERRED if untried else DeliveryStatus.RETRYING, None, until, free=True)


def may_repeat(category: Category, channel: Channel, priority: Priority, *, mandatory: bool) -> bool:
    """Whether a message whose fate is unknown is rather sent again: if somebody needs it, or if it costs nothing."""
    needed = priority is Priority.CRITICAL or (mandatory and category is not Category.MARKETING)
    return needed or channel in MAY_REPEAT[category]


def ambiguous_in(result: SendResult) -> int:
    """How many accounts left us in the dark in this call."""
    return sum(one.outcome is SendOutcome.AMBIGUOUS for one in (*result.earlier, result))


def accepted(receipt: ReceiptKind | None) -> Outcome:
    """The outcome of a message that a provider took, with what it already knows."""
    if receipt is ReceiptKind.DELIVERED:
        return DELIVERED
    return BOUNCED if receipt is ReceiptKind.BOUNCED else SENT


def _throttled(result: SendResult, tried: Tried, now: datetime, chance: float) -> Outcome:
    if result.code == Why.CIRCUIT_OPEN and tried.can_turn_aside:
        return NOBODY
    return _later(_throttle_wait(result, chance), tried, now, free=True)


def _throttle_wait(result: SendResult, chance: float) -> timedelta:
    if result.code == PAGE_DEADLINE:
        return timedelta(0)
    if result.retry_after_seconds is None:
        return THROTTLE_WAIT * (0.5 + chance)
    return timedelta(seconds=result.retry_after_seconds)


def _held(tried: Tried, now: datetime) -> Outcome:
    if tried.expires_at is None and now - tried.planned_at > HOLD_LIMIT:
        return Outcome(DeliveryStatus.DEAD, ReasonCode.PROVIDER_REJECTED)
    return _later(HOLD_WAIT, tried, now, free=True)


def _retried(result: SendResult, tried: Tried, policy: RetryPolicy, *, now: datetime, chance: float) -> Outcome:
    is_last = tried.attempts > policy.retries
    once_more = tried.may_repeat and tried.ambiguous <= MAX_AMBIGUOUS
    if result.outcome is SendOutcome.AMBIGUOUS and (is_last or not once_more):
        return UNKNOWN
    if is_last:
        exhausted = result.code == NO_PROVIDER
        return Outcome(DeliveryStatus.DEAD, ReasonCode.NO_PROVIDER if exhausted else ReasonCode.RETRIES_EXHAUSTED)
    wait = delay_after(tried.attempts, policy, chance=chance)
    if result.retry_after_seconds is not None:
        wait = max(wait, timedelta(seconds=result.retry_after_seconds))
    return _later(wait, tried, now, free=False)


def _later(wait: timedelta, tried: Tried, now: datetime, *, free: bool) -> Outcome:
    at = now + wait
    if tried.expires_at is not None and at >= tried.expires_at:
        return EXPIRED
    return Outcome(DeliveryStatus.RETRYING, None, at, free)
