"""Sliding windows: at most so many within any stretch of so many seconds, and when there is room again.

A counter is a log of members and the instant each was (or will be) told. Whoever finds it full may reserve the first
instant at which it has room; reservations count like the rest, so that those who wait come one after the other and no
window ever holds more than it may. `channels/lua/windows.lua` does the same sums in Redis; a test holds the two against
each other. This one counts for a process alone while Redis is away.

What is told reaches its provider up to `margin_ms` after the instant in the log, which is why a place is free again so
much later than its window ends: by the provider's clock, too, no window holds more than it may. A member asked for
again within the margin, or before its reserved instant, keeps its place; later it gives it up and wishes anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec


class Window(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """At most `most` within any `span_ms`."""

    most: int
    span_ms: int


class Counter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A log of its own by its name, and the windows over it."""

    name: str
    windows: list[Window]
    #: Whose it is: Redis keeps all counters of one owner together.
    owner: str

    @property
    def span_ms(self) -> int:
        """The longest window: how long the log remembers."""
        return max(window.span_ms for window in self.windows)


class Wish(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A place on each of these counters, or on none."""

    #: What is to be counted once, however often it is asked for.
    member: str
    #: How long it may wait for its place; 0: now or never.
    wait_ms: int
    counters: list[Counter]


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The answer to a wish."""

    #: Whether a place is taken; otherwise nothing is counted.
    taken: bool
    #: When there is room, in milliseconds from now: 0 where it may go at once.
    in_ms: int


#: Members with their instants, in milliseconds of the epoch.
Log = dict[str, int]


class Logs:
    """The counters of a process alone."""

    def __init__(self, logs: Mapping[str, Log], *, margin_ms: int) -> None:
        """Begin with what is known."""
        self._logs = {name: dict(log) for name, log in logs.items()}
        self._margin_ms = margin_ms

    def take(self, wishes: Sequence[Wish], now_ms: int) -> list[Place]:
        """An answer for each wish, in order; each sees the places that those before it took."""
        return [self._take(wish, now_ms) for wish in wishes]

    def _take(self, wish: Wish, now_ms: int) -> Place:
        at = max([now_ms, *(self._room(counter, wish.member, now_ms) for counter in wish.counters)])
        if at - now_ms > wish.wait_ms:
            return Place(taken=False, in_ms=at - now_ms)
        for counter in wish.counters:
            log = self._logs.setdefault(counter.name, {})
            if not self._stands(log.get(wish.member), now_ms):
                log[wish.member] = at
        return Place(taken=True, in_ms=at - now_ms)

    def _stands(self, own: int | None, now_ms: int) -> bool:
        return own is not None and own >= now_ms - self._margin_ms

    def _room(self, counter: Counter, member: str, now_ms: int) -> int:
        """The first instant at which every window of the counter has room."""
        log = self._logs.get(counter.name, {})
        own = log.get(member)
        if own is not None and self._stands(own, now_ms):
            return own
        others = sorted((at for name, at in log.items() if name != member), reverse=True)
        return max(
            (
                others[window.most - 1] + window.span_ms + self._margin_ms
                for window in counter.windows
                if len(others) >= window.most
            ),
            default=now_ms,
        )
