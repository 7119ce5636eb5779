"""The first SMS provider is down for a while: the second takes over, and the first is asked again once it is well."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise

import orjson

from celeryconfig import POOLS
from channels import policy
from tests.bench.lab import Arrival
from tests.bench.proof import Sent, lost_and_repeated
from tests.bench.results import Goal
from tests.bench.workload import TEXT_TYPE, Crowd, Way
from tests.chaos.arena import Arena
from tests.chaos.scene import Scene, Sizes, at_most, crowd_of, exactly, texts_of, told

FIRST, SECOND = "twilio", "vonage"
#: Recipients of one call.
_PER_CALL = 20
#: Seconds after the circuit has opened in which what was in flight may still be refused.
_IN_FLIGHT = 1.0
#: Seconds without a refusal that part the probes of one half-open phase from those of the next.
_PAUSE = 1.0
_WAY = Way(Crowd.TEXTED, TEXT_TYPE, FIRST)


def play(arena: Arena, sizes: Sizes) -> list[Goal]:
    """A steady rate, an outage in its middle, and the ledgers of both providers afterwards."""
    lab = arena.lab
    lab.reset(FIRST)
    lab.reset(SECOND)
    total = texts_of(sizes)
    sent = Sent(f"down{time.time():.0f}", total, total, _WAY)
    since = time.time()
    with arena.telling(sent, per_call=_PER_CALL, rate=sizes.texts_per_second / _PER_CALL):
        arena.let_pass(sizes.lead)
        lab.script(FIRST, faults=[{"answer": "unavailable"}])
        down = time.time()
        arena.let_pass(sizes.outage)
        lab.script(FIRST)
        well = time.time()
    arena.wait(arena.is_idle)
    refused: list[float] = orjson.loads(lab.ask(FIRST, "GET", "/__ledger/refusals"))
    first, second = lab.arrivals(FIRST), lab.arrivals(SECOND)
    return [
        *_nothing_lost(arena, sent, since, [first, second]),
        *_fast(refused, second, down, well),
        *_spared(refused, sizes),
        *_back(first, second, well, sizes),
    ]


def _nothing_lost(arena: Arena, sent: Sent, since: float, ledgers: Sequence[Mapping[str, Arrival]]) -> list[Goal]:
    lost, repeated = lost_and_repeated(ledgers, sent)
    statuses = arena.statuses(since)
    return [
        told("accepted", sent.total),
        exactly("lost", lost, 0),
        exactly("sent twice", repeated, 0),
        exactly("neither sent nor delivered", sent.total - statuses.get("sent", 0) - statuses.get("delivered", 0), 0),
    ]


def _fast(refused: Sequence[float], second: Mapping[str, Arrival], down: float, well: float) -> list[Goal]:
    """How long nothing went out: from the refusal that opened the circuit, and at any time while it was open."""
    opened = _opened(refused)
    taken = sorted(arrival.at for arrival in second.values() if down <= arrival.at <= well)
    begun = min((at for at in taken if at >= opened), default=float("inf")) - opened
    gaps = [later - earlier for earlier, later in pairwise([opened, *(at for at in taken if at >= opened), well])]
    return [
        at_most("circuit open → the second provider's next acceptance", begun, 1.0, "s"),
        at_most("longest time without an acceptance while down", max(gaps), 2.0, "s"),
    ]


def _spared(refused: Sequence[float], sizes: Sizes) -> list[Goal]:
    """What the dead one was sent: up to the opening and in flight, and then probes."""
    early = [at for at in refused if at <= _opened(refused) + _IN_FLIGHT]
    probes = _bursts([at for at in refused if at > _opened(refused) + _IN_FLIGHT])
    in_flight = next(pool.concurrency for pool in POOLS if pool.name == "high") * _PER_CALL
    bound = policy.BREAKER_FAILURES + in_flight
    return [
        at_most("sent to the dead one (threshold + in flight)", len(early), bound),
        at_most("probes at a time", max(map(len, probes), default=0), policy.BREAKER_PROBES),
        at_most("times it was probed while down", len(probes), sizes.outage / sizes.open_seconds),
    ]


def _back(first: Mapping[str, Arrival], second: Mapping[str, Arrival], well: float, sizes: Sizes) -> list[Goal]:
    returned = min((arrival.at for arrival in first.values() if arrival.at >= well), default=float("inf"))
    left = max((arrival.at for arrival in second.values()), default=well)
    return [
        at_most("well → the first provider's next acceptance", returned - well, sizes.open_seconds + 2.0, "s"),
        at_most("well → nothing goes to the second any more", max(0.0, left - well), sizes.open_seconds + 5.0, "s"),
    ]


def _opened(refused: Sequence[float]) -> float:
    """When the refusal came that made the threshold full."""
    return refused[min(policy.BREAKER_FAILURES, len(refused)) - 1] if refused else 0.0


def _bursts(instants: Sequence[float]) -> list[list[float]]:
    """Instants that follow each other closely, together."""
    bursts: list[list[float]] = []
    for at in instants:
        if bursts and at - bursts[-1][-1] < _PAUSE:
            bursts[-1].append(at)
        else:
            bursts.append([at])
    return bursts


SCENE = Scene("the first SMS provider is down", play, crowd_of(_WAY, texts_of))
