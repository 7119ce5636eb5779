"""Token bucket arithmetic, for a process that has to pace itself because Redis is away.

The same sums stand in Lua in `channels/redis_state.py`; a test holds the two against each other.
"""

from __future__ import annotations

from typing import NamedTuple


class Level(NamedTuple):
    """What is in a bucket, and since when."""

    tokens: float
    #: Seconds on whichever clock the caller keeps to.
    at: float


class Taken(NamedTuple):
    """The answer to a request for tokens."""

    granted: int
    #: Whole tokens left for others.
    remaining: int
    #: Seconds until the bucket is full again.
    reset_seconds: float
    #: Seconds until what was not granted will be there (0 when all was).
    wait_seconds: float


def take(level: Level | None, *, rate: float, burst: float, wanted: int, now: float) -> tuple[Level, Taken]:
    """Grant up to `wanted` whole tokens of a bucket that refills `rate` a second up to `burst`.

    `level` None is a full bucket. A clock that went backwards refills nothing and is believed from then on,
    so it can neither hand out tokens twice nor stall the bucket.
    """
    tokens = burst if level is None else min(burst, level.tokens + max(0.0, now - level.at) * rate)
    granted = min(wanted, int(tokens))
    left = tokens - granted
    missing = min(wanted - granted, max(1, int(burst)))
    wait = max(0.0, (missing - left) / rate) if missing else 0.0
    return Level(left, now), Taken(granted, int(left), (burst - left) / rate, wait)
