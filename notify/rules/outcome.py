"""What a provider's answer makes of a delivery. `record` obeys; nothing here touches a row."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from channels.vocabulary import ReceiptKind, SendOutcome, SendResult
from notify.policy import HOLD_LIMIT, HOLD_WAIT, THROTTLE_WAIT, RetryPolicy
from notify.rules.backoff import delay_after
from notify.vocabulary import DeliveryStatus, ReasonCode


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The next state of a delivery."""

    status: DeliveryStatus
    reason: ReasonCode | None = None
    #: When to try again; only with status retrying.
    at: datetime | None = None
    #: A snooze: the try did not count.
    free: bool = False


class Tried(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `decide` must know of a delivery beside the provider's answer."""

    #: Attempts so far, this one included.
    attempts: int
    #: When the notification was accepted.
    accepted_at: datetime
    expires_at: datetime | None


#: Stands until an answer is in.
UNDECIDED = Outcome(DeliveryStatus.SENDING)
SENT = Outcome(DeliveryStatus.SENT)
DELIVERED = Outcome(DeliveryStatus.DELIVERED)
BOUNCED = Outcome(DeliveryStatus.BOUNCED, ReasonCode.INVALID_RECIPIENT)
EXPIRED = Outcome(DeliveryStatus.EXPIRED, ReasonCode.EXPIRED)

#: The code of a message that could not start before its page's time was up: simply not sent yet.
PAGE_DEADLINE = "page_deadline"
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
            return Outcome(DeliveryStatus.FAILED, ReasonCode.INVALID_RECIPIENT)
        case SendOutcome.BAD_MESSAGE:
            return Outcome(DeliveryStatus.FAILED, ReasonCode.PROVIDER_REJECTED)
        case SendOutcome.THROTTLED:
            return _later(_throttle_wait(result, chance), tried, now, free=True)
        case SendOutcome.MISCONFIGURED if result.code != NO_PROVIDER:
            return _held(tried, now)
        case _:
            return _retried(result, tried, policy, now=now, chance=chance)


def accepted(receipt: ReceiptKind | None) -> Outcome:
    """The outcome of a message that a provider took, with what it already knows."""
    if receipt is ReceiptKind.DELIVERED:
        return DELIVERED
    return BOUNCED if receipt is ReceiptKind.BOUNCED else SENT


def _throttle_wait(result: SendResult, chance: float) -> timedelta:
    if result.code == PAGE_DEADLINE:
        return timedelta(0)
    if result.retry_after_seconds is None:
        return THROTTLE_WAIT * (0.5 + chance)
    return timedelta(seconds=result.retry_after_seconds)


def _held(tried: Tried, now: datetime) -> Outcome:
    if tried.expires_at is None and now - tried.accepted_at > HOLD_LIMIT:
        return Outcome(DeliveryStatus.DEAD, ReasonCode.PROVIDER_REJECTED)
    return _later(HOLD_WAIT, tried, now, free=True)


def _retried(result: SendResult, tried: Tried, policy: RetryPolicy, *, now: datetime, chance: float) -> Outcome:
    if tried.attempts > policy.retries:
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
