"""What a scene shows: promises, each with what was found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from tests.bench.people import settle_in
from tests.bench.results import Goal
from tests.bench.stack import Stack
from tests.bench.workload import Way
from tests.chaos.arena import Arena


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much the scenes send, and for how long things are wrong; times are seconds."""

    #: Text messages a second, the time before and during the outage, and after it.
    texts_per_second: int
    lead: float
    outage: float
    recovery: float
    #: How long a breaker stays open.
    open_seconds: float
    #: Pushes into the storm, and how long it lasts.
    storm_pushes: int
    storm: float
    #: Pushes a second of the account that meets it.
    storm_rate: int
    #: Pushes of which one in fifty goes to a dead token.
    fading_pushes: int
    #: Pushes under way when a key is revoked, and how long it stays so.
    keyed_pushes: int
    revoked: float
    #: People of a campaign, and how many of them a second it may tell; how often each process is ended meanwhile, how
    #: often the campaign is paused, and for how long.
    campaign_people: int
    campaign_rate: int
    blows: int
    pauses: int
    paused: float
    #: Of the moments at which blows fall.
    seed: int = 1
    #: Whether what is held or leased may wait its usual time.
    patient: bool


FULL = Sizes(
    texts_per_second=200,
    lead=10.0,
    outage=120.0,
    recovery=60.0,
    open_seconds=30.0,
    storm_pushes=20_000,
    storm=20.0,
    storm_rate=1_000,
    fading_pushes=100_000,
    keyed_pushes=20_000,
    revoked=45.0,
    campaign_people=200_000,
    campaign_rate=1_000,
    blows=3,
    pauses=3,
    paused=6.0,
    patient=True,
)
QUICK = Sizes(
    texts_per_second=100,
    lead=2.0,
    outage=8.0,
    recovery=5.0,
    open_seconds=2.0,
    storm_pushes=1_000,
    storm=2.5,
    storm_rate=500,
    fading_pushes=2_000,
    keyed_pushes=2_000,
    revoked=2.0,
    campaign_people=2_000,
    campaign_rate=200,
    blows=1,
    pauses=1,
    paused=3.0,
    patient=False,
)


def texts_of(sizes: Sizes) -> int:
    """How many text messages the outage's scene sends."""
    return round(sizes.texts_per_second * (sizes.lead + sizes.outage + sizes.recovery))


class Scene(NamedTuple):
    """Something that goes wrong, by the name it has in the report."""

    name: str
    play: Callable[[Arena, Sizes], list[Goal]]
    #: Makes its people and its type.
    settle_in: Callable[[Stack, Sizes], None]


def crowd_of(way: Way, population: Callable[[Sizes], int]) -> Callable[[Stack, Sizes], None]:
    """Whom a scene writes to, and how many of them it needs."""

    def settle(stack: Stack, sizes: Sizes) -> None:
        settle_in(stack, population(sizes), way.crowd, [way.type_key])

    return settle


class Played(msgspec.Struct, kw_only=True):
    """A scene, and what came of each of its promises."""

    scene: str
    goals: list[Goal]
    seconds: float

    def problems(self) -> list[str]:
        """The promises that were broken; empty when all held."""
        return [f"{goal.name}: {goal.value:g} {goal.unit}".rstrip() for goal in self.goals if not goal.reached]


def told(name: str, value: float, unit: str = "") -> Goal:
    """A figure that is told and not judged."""
    return Goal(name=name, value=value, unit=unit)


def exactly(name: str, value: float, wanted: float, unit: str = "") -> Goal:
    """A figure that must be this one."""
    return Goal(name=name, value=value, unit=unit, wanted=f"{wanted:g}", reached=value == wanted)


def at_most(name: str, value: float, bound: float, unit: str = "") -> Goal:
    """A figure with an upper bound."""
    return Goal(name=name, value=value, unit=unit, wanted=f"<= {bound:g}", reached=value <= bound)


def at_least(name: str, value: float, bound: float, unit: str = "") -> Goal:
    """A figure with a lower bound."""
    return Goal(name=name, value=value, unit=unit, wanted=f">= {bound:g}", reached=value >= bound)
