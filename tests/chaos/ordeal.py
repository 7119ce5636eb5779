"""What befalls a campaign: blow after blow at seeded moments, pauses with a blow in each, people who say no."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple

import orjson
import psutil
from redis.exceptions import RedisError

from tests.bench.lab import Summary
from tests.bench.readers import Told
from tests.bench.workload import Crowd, person
from tests.chaos.arena import Arena
from tests.chaos.faults import BLOWS, Fault
from tests.chaos.scene import Sizes
from tests.chaos.told import Campaign, ask

#: Seconds within which a pause holds everywhere.
HOLDS_WITHIN = 2.0
#: Seconds after the last blow that it may take longer than its pace: the lease of a slice, then of a page, and sweeps.
LEASES = 120.0
#: Of so many people one says no to everything and another is erased before it starts; a third says no while it runs.
_LEAVING = 200
_LEAVES = {"opted out": 3, "erased": 56, "opts out": 111}
#: The share of the messages that have arrived when the last blow falls.
_LAST_BLOW = 0.85
#: Seconds without an arrival after which those who have no time let the leases of the dead end.
_STANDSTILL = 2.0


class Pause(NamedTuple):
    """A campaign that stood still, with a blow in the middle."""

    #: Seconds from its answer to the last arrival.
    last_after: float
    #: What arrived later than a pause may take.
    late: int


class Ordeal(NamedTuple):
    """What befell a campaign."""

    blows: Counter[Fault]
    pauses: list[Pause]
    #: Epoch seconds at which those were answered who said no while it ran, by number.
    noes: Mapping[int, float]
    #: Seconds from the last blow to its completion, and how long its pace alone takes for what was left then.
    waited: float
    pace: float


def leaving(meant: Told, how: str) -> range:
    """Who of all people is opted out or erased, or opts out while it runs, by number."""
    return range(_LEAVES[how], meant.population, _LEAVING)


def say_no(arena: Arena, meant: Told, how: str) -> dict[int, float]:
    """Let them say so by the API; when they were answered, by number."""
    answered: dict[int, float] = {}
    for number in leaving(meant, how):
        path = f"/v1/users/{person(number, Crowd.READER).user_id}"
        if how == "erased":
            ask(arena, "POST", f"{path}/erase", expected={202})
        else:
            ask(arena, "PUT", f"{path}/preferences", orjson.dumps({"global_opt_out": True}))
        answered[number] = time.time()
    return answered


def undergo(arena: Arena, sizes: Sizes, campaign: Campaign, meant: Told) -> Ordeal:
    """Each blow at its moment: the first at once, while the audience is read, the others by what has arrived."""
    chance = Random(sizes.seed)  # noqa: S311 - the moments must be repeatable, not secret
    blows = list(BLOWS) * sizes.blows
    chance.shuffle(blows)
    expected = sum(1 for _ in meant.readers())
    moments = [0.0, *sorted(chance.uniform(0.02, _LAST_BLOW) * expected for _ in blows[1:])]
    pausing = set(chance.sample(range(1, len(blows)), sizes.pauses))
    pauses: list[Pause] = []
    noes: dict[int, float] = {}
    for at, (fault, moment) in enumerate(zip(blows, moments, strict=True)):
        _await_arrivals(arena, sizes, moment)
        if at in pausing:
            pauses.append(_pause(arena, campaign, fault, sizes.paused))
            noes = noes or say_no(arena, meant, "opts out")
        else:
            _strike(arena, fault)
    last_blow, pace = time.time(), (expected - _heard(arena).requests) / sizes.campaign_rate
    arena.wait(_over(arena, sizes, campaign), every=0.5, patience=pace + 2 * LEASES)
    return Ordeal(Counter(blows), pauses, noes, time.time() - last_blow, pace)


def _await_arrivals(arena: Arena, sizes: Sizes, wanted: float) -> None:
    hurry = _hurry(arena, sizes)

    def is_there() -> bool:
        hurry()
        return _heard(arena).requests >= wanted

    arena.wait(is_there, every=0.1)


def _heard(arena: Arena) -> Summary:
    """The stand-in's ledger in numbers; one that just has too many connections is asked again."""
    found: list[Summary] = []

    def is_answered() -> bool:
        try:
            found.append(arena.lab.summary())
        except OSError:
            return False
        return True

    arena.wait(is_answered)
    return found[-1]


def _pause(arena: Arena, campaign: Campaign, fault: Fault, seconds: float) -> Pause:
    """Hold it, strike, look what arrived nevertheless, and let it go on."""
    paused = campaign.act("pause")
    arena.let_pass(HOLDS_WITHIN - (time.time() - paused))
    held = _heard(arena).requests
    _strike(arena, fault)
    arena.let_pass(seconds - HOLDS_WITHIN)
    summary = _heard(arena)
    campaign.act("resume")
    return Pause(max(0.0, summary.last - paused), summary.requests - held)


def _strike(arena: Arena, fault: Fault) -> None:
    """Strike, once what is meant is alive: it may just have died of another blow."""

    def fell() -> bool:
        try:
            fault.strike(arena.stack, arena.servers)
        except (OSError, ValueError, psutil.Error, RedisError):
            return False
        return True

    arena.wait(fell, every=0.05)


def _over(arena: Arena, sizes: Sizes, campaign: Campaign) -> Callable[[], bool]:
    """Whether the campaign has ended."""
    hurry = _hurry(arena, sizes)

    def is_over() -> bool:
        hurry()
        return campaign.standing().is_over

    return is_over


def _hurry(arena: Arena, sizes: Sizes) -> Callable[[], None]:
    """For who has no time: called again and again, it lets leases end where nothing arrives any more."""
    seen = [(time.monotonic(), -1)]

    def hurry() -> None:
        since, arrived = seen[-1]
        now, accepted = time.monotonic(), _heard(arena).requests
        if accepted != arrived or (now - since > _STANDSTILL and arena.end_leases()):
            seen.append((now, accepted))

    return (lambda: None) if sizes.patient else hurry
