"""From the legs that were decided to the deliveries that are first written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from channels.vocabulary import Channel
from notify.rules.decision import Leg, Moment, Told, decide, decide_fallback
from notify.rules.ids import delivery_id
from notify.vocabulary import Action, DeliveryStatus, Priority, ReasonCode
from preferences.vocabulary import RecipientFacts

_FIRST = {
    Action.SEND: DeliveryStatus.PLANNED,
    Action.DEFER: DeliveryStatus.DEFERRED,
    Action.DIGEST: DeliveryStatus.DEFERRED,
    Action.SUPPRESS: DeliveryStatus.SUPPRESSED,
    Action.EXPIRE: DeliveryStatus.EXPIRED,
}


class PlannedDelivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One delivery as it is first written."""

    id: UUID
    notification_id: UUID
    recipient_id: int
    channel: Channel
    priority: Priority
    device_id: int | None
    hint: str
    status: DeliveryStatus
    reason: ReasonCode | None
    #: The rule that decided, where one objected; and those that did so in vain.
    rule: str
    overruled: Sequence[str]
    #: When a deferred one is taken up.
    next_attempt_at: datetime | None
    #: When the digest is made that tells it; it then waits for that.
    digest_at: datetime | None
    fallback: int
    siblings: int
    expires_at: datetime | None


def plan(told: Told, facts: RecipientFacts, moment: Moment) -> list[PlannedDelivery]:
    """Every delivery of a notification: one per endpoint that may be reached, one per channel that may not."""
    return deliveries(told, decide(told, facts, moment))


def plan_fallback(told: Told, facts: RecipientFacts, moment: Moment) -> list[PlannedDelivery]:
    """The deliveries of the next fallback channel that can carry the notification, after the tried ones failed."""
    return deliveries(told, decide_fallback(told, facts, moment))


def deliveries(told: Told, legs: Sequence[Leg]) -> list[PlannedDelivery]:
    """A delivery for each leg."""
    siblings = len(legs) + told.planned_before
    return [
        PlannedDelivery(
            id=delivery_id(told.id, leg.channel, leg.device_id or 0, int(leg.again)),
            notification_id=told.id,
            recipient_id=told.recipient_id,
            channel=leg.channel,
            priority=told.priority,
            device_id=leg.device_id,
            hint=leg.hint,
            status=_FIRST[leg.answer.action],
            reason=leg.answer.reason,
            rule=leg.answer.rule or "",
            overruled=leg.answer.overruled,
            next_attempt_at=None if leg.answer.action is Action.DIGEST else leg.answer.until,
            digest_at=leg.answer.until if leg.answer.action is Action.DIGEST else None,
            fallback=leg.fallback,
            siblings=siblings,
            expires_at=told.expires_at,
        )
        for leg in legs
    ]
