"""How often somebody may call: one bucket per credential in Redis, shared by all processes.

Under load a process draws several tokens at once and spends them itself, so that not every call costs a round trip;
what it has not spent after a second is lost, never hoarded. With Redis away each process keeps a bucket of its own.
"""

from __future__ import annotations

import math
import time

import msgspec
from django.http import HttpRequest
from rest_framework.request import Request

from channels import redis_state
from channels.rules import bucket
from notify.api.context import RateState, context_of
from notify.policy import STRANGER_CALL_RATE, CallRate

#: A draw that follows the last one within this many seconds asks for twice as many tokens.
_BUSY_SECONDS = 0.1
#: The largest draw, as a share of the burst: 20 of 1,000. Four processes can hold back 8 %, for a second.
_LARGEST_SHARE = 50
#: Seconds after which drawn tokens are not spent any more.
_KEEPS_FOR = 1.0
#: Buckets a process remembers at once.
_MOST_KNOWN = 10_000


class Draw(msgspec.Struct, frozen=True, gc=False):
    """One call counted against a bucket."""

    state: RateState
    #: Seconds until the next call is allowed; 0: this one is.
    wait_seconds: int


class _Purse(msgspec.Struct, gc=False):
    """Tokens this process has drawn and not spent."""

    tokens: int = 0
    #: Left in Redis for others, and seconds until that is full.
    remaining: int = 0
    reset_seconds: float = 0.0
    drawn_at: float = -1e9
    #: How many were asked for last.
    wanted: int = 1


class _Known:
    """This process's purses, and its own buckets for when Redis is away."""

    purses: dict[str, _Purse] = {}
    levels: dict[str, bucket.Level] = {}


def draw(name: str, rate: CallRate) -> Draw:
    """Count one call against the bucket `name`."""
    now = time.monotonic()
    purse = _Known.purses.get(name)
    if purse is None:
        _forget_if_many()
        purse = _Known.purses[name] = _Purse()
    wait = 0.0
    if purse.tokens == 0 or now - purse.drawn_at > _KEEPS_FOR:
        wait = _fill(purse, name, rate, now)
    if purse.tokens == 0:
        return Draw(_state(purse, rate), max(1, math.ceil(wait)))
    purse.tokens -= 1
    return Draw(_state(purse, rate), 0)


def meter_stranger(request: HttpRequest | Request) -> int:
    """Count a call without a valid credential by its address, in this process; seconds to wait, or 0."""
    taken = _take_locally(f"stranger:{request.META.get('REMOTE_ADDR', '')}", STRANGER_CALL_RATE, 1, time.monotonic())
    context_of(request).rate = RateState(STRANGER_CALL_RATE.burst, taken.remaining, math.ceil(taken.reset_seconds))
    return 0 if taken.granted else max(1, math.ceil(taken.wait_seconds))


def _fill(purse: _Purse, name: str, rate: CallRate, now: float) -> float:
    """Draw tokens into the purse; the answer is how long to wait where there were none."""
    wanted = _wanted(purse, rate, now)
    taken = redis_state.take(f"call:{name}", rate.per_second, rate.burst, wanted)
    if taken is None:
        taken = _take_locally(name, rate, wanted, now)
    purse.tokens, purse.remaining, purse.reset_seconds = taken.granted, taken.remaining, taken.reset_seconds
    purse.drawn_at, purse.wanted = now, wanted
    return taken.wait_seconds


def _wanted(purse: _Purse, rate: CallRate, now: float) -> int:
    """One token, twice as many as last time while calls come thick, one again near the end of the bucket."""
    if now - purse.drawn_at > _BUSY_SECONDS or purse.remaining < rate.burst // 10:
        return 1
    return min(purse.wanted * 2, max(1, rate.burst // _LARGEST_SHARE))


def _take_locally(name: str, rate: CallRate, wanted: int, now: float) -> bucket.Taken:
    _forget_if_many()
    level, taken = bucket.take(_Known.levels.get(name), rate=rate.per_second, burst=rate.burst, wanted=wanted, now=now)
    _Known.levels[name] = level
    return taken


def _state(purse: _Purse, rate: CallRate) -> RateState:
    return RateState(rate.burst, purse.remaining + purse.tokens, math.ceil(purse.reset_seconds))


def _forget_if_many() -> None:
    """A bucket nobody asked for is a full one: forgetting all is a gift of one burst, and keeps memory bounded."""
    for known in (_Known.purses, _Known.levels):
        if len(known) >= _MOST_KNOWN:
            known.clear()
