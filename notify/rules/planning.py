"""From a notification and what its recipient allows to the deliveries that tell it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from channels.vocabulary import Channel
from notify.rules.ids import delivery_id
from notify.vocabulary import DeliveryStatus, Priority, ReasonCode
from preferences.rules.verdict import verdict
from preferences.vocabulary import Category, Deny, RecipientFacts


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What planning must know of a notification."""

    id: UUID
    recipient_id: int
    type_key: str
    category: Category
    mandatory: bool
    priority: Priority
    expires_at: datetime | None
    channels: Sequence[Channel]
    fallback_channels: Sequence[Channel]
    #: Channels that already have deliveries, and how many those are: only when a fallback is planned.
    tried: Sequence[Channel] = ()
    planned_before: int = 0


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
    fallback: int
    siblings: int
    expires_at: datetime | None


class _Leg(msgspec.Struct, frozen=True, gc=False):
    """A channel's answer: an endpoint to reach, or the reason why not."""

    channel: Channel
    device_id: int | None
    hint: str
    reason: ReasonCode | None
    fallback: int


def plan(told: Told, facts: RecipientFacts) -> list[PlannedDelivery]:
    """Every delivery of a notification: one per endpoint that may be reached, one per channel that may not.

    Fallback channels join at once, in order, when none of the others can carry it.
    """
    legs = [leg for channel in told.channels for leg in _legs(told, facts, channel, 0)]
    if all(leg.reason is not None for leg in legs):
        legs += _fallback_legs(told, facts)
    return _deliveries(told, legs)


def plan_fallback(told: Told, facts: RecipientFacts) -> list[PlannedDelivery]:
    """The deliveries of the next fallback channel that can carry the notification, after the tried ones failed."""
    return _deliveries(told, _fallback_legs(told, facts))


def _fallback_legs(told: Told, facts: RecipientFacts) -> list[_Leg]:
    """Legs of the untried fallback channels up to and including the first that can be reached."""
    found: list[_Leg] = []
    done = {*told.tried, *(told.channels if not told.tried else ())}
    for rank, channel in enumerate(told.fallback_channels, start=1):
        if channel in done:
            continue
        legs = _legs(told, facts, channel, rank)
        found += legs
        if any(leg.reason is None for leg in legs):
            break
    return found


def _legs(told: Told, facts: RecipientFacts, channel: Channel, rank: int) -> list[_Leg]:
    """The endpoints of a channel, or one leg that says why there are none."""
    answer = verdict(
        facts,
        channel=channel,
        type_key=told.type_key,
        category=told.category,
        mandatory=told.mandatory,
        among=told.channels,
    )
    if isinstance(answer, Deny):
        return [_Leg(channel, None, "", ReasonCode(answer.reason), rank)]
    if channel is Channel.PUSH:
        return [_Leg(channel, device.id, device.hint, None, rank) for device in facts.devices]
    contact = facts.email if channel is Channel.EMAIL else facts.phone if channel is Channel.SMS else None
    return [_Leg(channel, None, contact.hint if contact is not None else "", None, rank)]


def _deliveries(told: Told, legs: list[_Leg]) -> list[PlannedDelivery]:
    siblings = len(legs) + told.planned_before
    return [
        PlannedDelivery(
            id=delivery_id(told.id, leg.channel, leg.device_id or 0),
            notification_id=told.id,
            recipient_id=told.recipient_id,
            channel=leg.channel,
            priority=told.priority,
            device_id=leg.device_id,
            hint=leg.hint,
            status=DeliveryStatus.PLANNED if leg.reason is None else DeliveryStatus.SUPPRESSED,
            reason=leg.reason,
            fallback=leg.fallback,
            siblings=siblings,
            expires_at=told.expires_at,
        )
        for leg in legs
    ]
