"""A storm of 429: nothing is lost, no attempt is used up, and the account's rate holds through it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence

import orjson

from notify.policy import PAGE_SIZE
from tests.bench.proof import Sent, lost_and_repeated
from tests.bench.results import Goal
from tests.bench.workload import BULK_TYPE, Crowd, Way
from tests.chaos.arena import Arena
from tests.chaos.scene import Scene, Sizes, at_most, crowd_of, exactly, told

STAND_IN = "fcm"
#: What the refusals ask for, in seconds.
RETRY_AFTER = 2
_WAY = Way(Crowd.APPLE, BULK_TYPE, STAND_IN)
#: Seconds over which the rate is looked at.
_WINDOW = 2.0


def play(arena: Arena, sizes: Sizes) -> list[Goal]:
    """From the first request on all is refused for a while, with Retry-After; then everything goes out."""
    lab = arena.lab
    lab.reset(STAND_IN)
    sent = Sent(f"storm{time.time():.0f}", sizes.storm_pushes, sizes.storm_pushes, _WAY)
    since = time.time()
    lab.script(STAND_IN, faults=[{"answer": "quota", "retry_after": str(RETRY_AFTER)}])
    with arena.telling(sent):
        arena.wait(lambda: bool(lab.summary(STAND_IN).refusals), every=0.05)
        arena.let_pass(sizes.storm)
        lab.script(STAND_IN)
        well = time.time()
    arena.wait(arena.is_idle)
    refused: list[float] = orjson.loads(lab.ask(STAND_IN, "GET", "/__ledger/refusals"))
    arrivals = lab.arrivals(STAND_IN)
    lost, repeated = lost_and_repeated([arrivals], sent)
    attempts = arena.attempts(since)
    requests = sorted([*refused, *(arrival.at for arrival in arrivals.values())])
    # The bucket holds a second's worth when a window begins; clocks of two processes differ by a little.
    bound = sizes.storm_rate * (_WINDOW + 1.0) * 1.05
    return [
        told("accepted", sent.total),
        told("requests refused with 429", len(refused)),
        exactly("lost", lost, 0),
        exactly("sent twice", repeated, 0),
        exactly("deliveries that used more than one attempt", sent.total - attempts.get(1, 0), 0),
        exactly("not sent in the end", sent.total - arena.statuses(since).get("sent", 0), 0),
        at_most("refused in one back-off", max(_per_backoff(refused), default=0), 2 * PAGE_SIZE),
        at_most(f"requests in any {_WINDOW:g} s", _most_within(requests, _WINDOW), bound),
        told("all sent after the storm", max(arrival.at for arrival in arrivals.values()) - well, "s"),
    ]


def _per_backoff(refused: Sequence[float]) -> list[int]:
    """Refusals of each stretch of the length that was asked for."""
    counts, start = [], float("-inf")
    for at in refused:
        if at - start >= RETRY_AFTER * 0.9:
            counts.append(0)
            start = at
        counts[-1] += 1
    return counts


def _most_within(instants: Sequence[float], window: float) -> int:
    """The most of them in any stretch of so many seconds."""
    return max((at - bisect_left(instants, last - window) + 1 for at, last in enumerate(instants)), default=0)


SCENE = Scene("a storm of 429", play, crowd_of(_WAY, lambda sizes: sizes.storm_pushes))
