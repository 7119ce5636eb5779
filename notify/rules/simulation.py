"""What a send would do: the question, and the answer as callers get it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from channels.vocabulary import Channel
from notify.rules.decision import Leg, shown_until
from notify.rules.intake import Rejection
from notify.rules.requests import SendRequest
from notify.rules.trace import explained
from notify.vocabulary import Action, Content, ReasonCode


class SimulateRequest(SendRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a send, and the instant at which it would come in."""

    #: None: now.
    at: datetime | None = None


class Wording(msgspec.Struct, frozen=True):
    """What a delivery would say, and what saying it would cost."""

    #: None: it cannot be said, and `fault` tells why.
    content: Content | None
    #: The language of the words; empty for words that came with the call.
    locale: str = ""
    fault: str = ""
    #: Text messages it would be billed as; 0 on other channels.
    segments: int = 0
    #: By the rate card, in millionths of the installation's currency.
    cost_micros: int = 0


class SimulatedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One channel and endpoint: what would become of it, and why."""

    channel: Channel
    #: A hint, never the address.
    address: str
    #: The n-th fallback channel; 0: one of the first.
    fallback: int
    #: send, defer, digest, suppress or expire; fail where its words cannot be made.
    decision: str
    reason_code: ReasonCode | None
    #: When it would go; null where it would not, and where only a change of the system's mode lets it.
    goes_at: datetime | None
    #: The rules asked, in order; the one that decided, as `why`; those overruled.
    reasons: dict[str, Any]
    #: The words, where it would go now or later.
    content: Content | None
    locale: str
    fault: str
    segments: int
    cost_micros: int


class SimulatedRecipient(msgspec.Struct, frozen=True, kw_only=True):
    """One person: what they would be told, when, and how."""

    user_id: str
    #: When it is decided: at once, or at the instant of the schedule.
    at: datetime
    expires_at: datetime | None
    timezone: str
    #: Whether anything reaches them, now or later.
    told: bool
    deliveries: list[SimulatedDelivery]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in numbers."""

    told: int
    left_out: int
    rejected: int
    cost_micros: int
    #: Deliveries per channel and decision.
    deliveries: dict[Channel, dict[str, int]]
    #: Deliveries that do not go, per reason.
    reasons: dict[str, int]


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """What a send would do, and to whom it would not."""

    at: datetime
    type: str
    priority: str
    template_id: str | None
    template_version: int | None
    system_mode: str
    totals: Totals
    recipients: list[SimulatedRecipient]
    rejected: list[Rejection]


def simulated_delivery(leg: Leg, wording: Wording | None, at: datetime) -> SimulatedDelivery:
    """A leg as callers see it; `wording` is None where it does not go."""
    answer = leg.answer
    failed = wording is not None and wording.content is None
    until = None if answer.until is None or shown_until(answer.until) is None else answer.until
    goes_at = at if answer.action is Action.SEND else until
    return SimulatedDelivery(
        channel=leg.channel,
        address=leg.hint,
        fallback=leg.fallback,
        decision="fail" if failed else answer.action.value,
        reason_code=ReasonCode.INVALID_PAYLOAD if failed else answer.reason,
        goes_at=None if failed else goes_at,
        reasons=explained(answer.rule or "", answer.overruled, leg.channel),
        content=wording.content if wording is not None else None,
        locale=wording.locale if wording is not None else "",
        fault=wording.fault if wording is not None else "",
        segments=wording.segments if wording is not None else 0,
        cost_micros=wording.cost_micros if wording is not None else 0,
    )


def totals_of(recipients: Sequence[SimulatedRecipient], rejected: Sequence[Rejection]) -> Totals:
    """The sums."""
    legs = [one for person in recipients for one in person.deliveries]
    counts = Counter((one.channel, one.decision) for one in legs)
    deliveries: dict[Channel, dict[str, int]] = {}
    for (channel, decision), count in sorted(counts.items()):
        deliveries.setdefault(channel, {})[decision] = count
    told = sum(person.told for person in recipients)
    return Totals(
        told=told,
        left_out=len(recipients) - told,
        rejected=len(rejected),
        cost_micros=sum(one.cost_micros for one in legs),
        deliveries=deliveries,
        reasons=dict(sorted(Counter(one.reason_code.value for one in legs if one.reason_code is not None).items())),
    )
