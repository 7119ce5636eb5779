"""From a sample of decided people to what a whole audience will come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import ceil, sqrt

import msgspec

from channels.vocabulary import Channel
from notify.rules.simulation import SimulatedDelivery, SimulatedRecipient

#: 95 of 100 samples are off by no more than this over the root of their size, in percentage points, at worst.
_MARGIN = 98.0
_PERCENT = 100.0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the people."""

    percent: float
    people: int


class ChannelPart(Part, frozen=True, kw_only=True):
    """Those whom a channel reaches, now or later, and what that costs."""

    messages: int
    #: By the rate card of today, in millionths of the installation's currency.
    cost_micros: int


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What an audience comes to, drawn from a sample."""

    #: Reached on some channel, at once or later.
    reached: Part
    #: Of these: later, after their night, in a digest, or when the system's mode allows it.
    later: Part
    left_out: Part
    #: Why people are left out: of each the first reason on their way.
    reasons: dict[str, Part]
    channels: dict[Channel, ChannelPart]
    #: Words that cannot be made for people, by what is wrong with the template or the variables.
    faults: dict[str, Part]
    cost_micros: int
    sampled: int
    #: How far off the percentages may be, in points, 19 times of 20; 0: everybody was looked at.
    margin_points: float


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long it takes."""

    starts_at: datetime | None
    people_per_second: float
    duration_seconds: int
    #: max_per_second, window_hours, all_campaigns, providers, or capacity where nothing else holds it back.
    limited_by: str
    #: People who would not be told before the window closes.
    beyond_window: int


def judged(recipients: Sequence[SimulatedRecipient], people: int) -> Judged:
    """The parts of a sample, for so many people."""
    size = len(recipients)
    told = [one for one in recipients if one.told]
    out = [one for one in recipients if not one.told]

    def part(count: int) -> Part:
        return Part(percent=_share(count, size), people=_scaled(count, size, people))

    channels = _channels(recipients, people)
    return Judged(
        reached=part(len(told)),
        later=part(sum(_is_later(one) for one in told)),
        left_out=part(len(out)),
        reasons={why: part(count) for why, count in Counter(_reason(one) for one in out).most_common()},
        channels=channels,
        faults={why: part(count) for why, count in Counter(_faults(recipients)).most_common()},
        cost_micros=sum(one.cost_micros for one in channels.values()),
        sampled=size,
        margin_points=0.0 if size >= people or not size else round(_MARGIN / sqrt(size), 1),
    )


def pace(
    people: int,
    limits: dict[str, float | None],
    *,
    usual: float,
    window_seconds: float | None,
    starts_at: datetime | None,
) -> Pace:
    """How long so many people take at the lowest of these rates; without any, at the usual one."""
    asked = {name: rate for name, rate in limits.items() if rate}
    limited_by = min(asked, key=lambda name: asked[name], default="capacity")
    rate = asked.get(limited_by, usual)
    seconds = people / rate
    beyond = people - rate * window_seconds if window_seconds is not None else 0.0
    return Pace(
        starts_at=starts_at,
        people_per_second=round(rate, 2),
        duration_seconds=ceil(seconds),
        limited_by=limited_by,
        beyond_window=max(0, round(beyond)),
    )


def _channels(recipients: Sequence[SimulatedRecipient], people: int) -> dict[Channel, ChannelPart]:
    size = len(recipients)
    reached: Counter[Channel] = Counter()
    messages: Counter[Channel] = Counter()
    cost: Counter[Channel] = Counter()
    for one in recipients:
        going = [leg for leg in one.deliveries if leg.reason_code is None]
        reached.update({leg.channel for leg in going})
        messages.update(leg.channel for leg in going)
        for leg in going:
            cost[leg.channel] += leg.cost_micros
    return {
        channel: ChannelPart(
            percent=_share(count, size),
            people=_scaled(count, size, people),
            messages=_scaled(messages[channel], size, people),
            cost_micros=_scaled(cost[channel], size, people),
        )
        for channel, count in sorted(reached.items())
    }


def _faults(recipients: Iterable[SimulatedRecipient]) -> Iterable[str]:
    """Each fault of the words once for everybody who meets it."""
    for one in recipients:
        yield from {leg.fault for leg in one.deliveries if leg.fault}


def _reason(one: SimulatedRecipient) -> str:
    return next((str(leg.reason_code) for leg in one.deliveries if leg.reason_code is not None), "no_channel")


def _is_later(one: SimulatedRecipient) -> bool:
    """Whether nothing reaches them at their instant, but something after it."""
    return all(_waits(leg, one.at) for leg in one.deliveries if leg.reason_code is None)


def _waits(leg: SimulatedDelivery, at: datetime) -> bool:
    return leg.goes_at is None or leg.goes_at > at


def _share(count: int, size: int) -> float:
    return round(count / size * _PERCENT, 1) if size else 0.0


def _scaled(count: int, size: int, people: int) -> int:
    return round(count / size * people) if size else 0
