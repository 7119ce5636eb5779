"""Sliding windows that all processes share: at most so many, exactly, while Redis may come and go.

Redis holds the counters and can do without them. Since when it remembers is written beside them; a counter that is not
there, and is longer than that memory, may have been lost, and is read from where the truth is. A process that had to
do without Redis lets it forget all counters when it is back: it may have missed something.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from channels import redis_state
from channels.rules import bucket
from channels.rules.bucket import Level, Taken
from channels.rules.windows import Counter, Log, Place, Window, Wish

#: Reads counters by their names from where the truth is; one that is not there is empty.
Recall = Callable[[Collection[str]], Mapping[str, Log]]

#: A large window is handed out in so many parts.
_SHARES = 60
#: Times wishes are asked for before they are given up for this time: each miss means that Redis was flushed once more.
_TRIES = 3
#: Wishes in one step. Nobody else is answered meanwhile, and a one-time password has several questions.
_AT_ONCE = 100


class _Missed:
    """Whether this process has counted without Redis since it last had an answer."""

    anything = False


class _Alone:
    """The buckets of this process, for when Redis is away."""

    levels: dict[str, Level] = {}


def take(
    wishes: Sequence[Wish], recall: Recall, *, now_ms: int, margin_ms: int, dry: bool = False
) -> list[Place] | None:
    """A place for each wish, in order, each in one step for all processes; None when Redis is away.

    Whoever gets None must count by itself. With `dry` nothing is taken.
    """
    places: list[Place] = []
    for at in range(0, len(wishes), _AT_ONCE):
        taken = _take(wishes[at : at + _AT_ONCE], recall, now_ms=now_ms, margin_ms=margin_ms, dry=dry)
        if taken is None:
            return None
        places += taken
    return places


def _take(wishes: Sequence[Wish], recall: Recall, *, now_ms: int, margin_ms: int, dry: bool) -> list[Place] | None:
    known: dict[str, Log] = {}
    for _ in range(_TRIES):
        counted = redis_state.count(
            wishes, known, now_ms=now_ms, margin_ms=margin_ms, anew=_Missed.anything and not dry, dry=dry
        )
        if counted is None:
            break
        _Missed.anything = _Missed.anything and dry
        if not counted.unknown:
            return counted.places
        read = recall(counted.unknown)
        known |= {name: read.get(name, {}) for name in counted.unknown}
    _Missed.anything = True
    return None


def share(name: str, window: Window, wanted: int) -> Taken:
    """How many of these may go now, of what the whole installation may send within a window; the others know when.

    For numbers that are too large to be remembered one by one: a bucket that holds a sixtieth of the window, and fills
    just so fast that no window holds more than it may. Redis flushed, it is full again: a sixtieth more. While Redis is
    away each process keeps to the whole of it by itself.
    """
    burst = max(1.0, window.most / _SHARES)
    rate = max(1.0, window.most - burst) / (window.span_ms / 1_000)
    taken = redis_state.take(f"share:{name}", rate, burst, wanted)
    if taken is None:
        now = time.monotonic()
        _Alone.levels[name], taken = bucket.take(
            _Alone.levels.get(name), rate=rate, burst=burst, wanted=wanted, now=now
        )
    return taken


def give_back(places: Sequence[tuple[Counter, str]]) -> None:
    """Free places on counters by member: what was to be told is not. While Redis is away, nothing is kept."""
    redis_state.give_back(places)


def forget() -> None:
    """Let this process believe Redis again: between tests."""
    _Missed.anything = False
    _Alone.levels.clear()
