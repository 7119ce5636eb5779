"""Quiet hours: whether they are now on a person's wall clock, and the instant at which they end.

The predicate is on the wall clock alone: start inclusive, end exclusive, over midnight where start is later than end,
none where both are the same. Everything else follows from it: an hour that comes twice is quiet twice, a window that
the clocks skip does not exist (vectors: reliability.md section 6.2).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from preferences.vocabulary import QuietHours, RecipientFacts

_DAY = 24 * 60
_SECOND = timedelta(seconds=1)
#: No window is longer.
_LONGEST = timedelta(days=1)
_UTC = ZoneInfo("UTC")


class Window(NamedTuple):
    """Minutes of the day: the first that is quiet, and the first that is not."""

    start: int
    end: int

    def covers(self, minute: int) -> bool:
        """Whether this minute of the day is quiet."""
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


class QuietClock:
    """The end of people's quiet hours as seen from one instant; what zones have in common is worked out once.

    Made for a page and thrown away with it: what was quiet a moment ago may not be now.
    """

    __slots__ = ("_ends", "_hands", "_whole", "now")

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._whole = now.replace(second=0, microsecond=0)
        #: Per zone the minute of its day, or None where its clocks are about to be changed.
        self._hands: dict[str, int | None] = {}
        self._ends: dict[tuple[str, Window], datetime | None] = {}

    def until(self, facts: RecipientFacts) -> datetime | None:
        """When the quiet hours of this moment end for this person; None: it is not quiet."""
        hours = facts.preferences.quiet_hours
        if hours is None:
            return None
        name, window = zone_name(facts), window_of(hours)
        if name not in self._hands:
            self._hands[name] = _hand(self.now, zone_of(name))
        minute = self._hands[name]
        if minute is None:
            return self._with_change(name, window)
        return self._whole + timedelta(minutes=(window.end - minute) % _DAY) if window.covers(minute) else None

    def _with_change(self, name: str, window: Window) -> datetime | None:
        """The slow way, for the two days of the year that have it."""
        key = (name, window)
        if key not in self._ends:
            end = release(self.now, window, zone_of(name))
            self._ends[key] = end if end > self.now else None
        return self._ends[key]


def release(now: datetime, window: Window, zone: ZoneInfo) -> datetime:
    """The first instant from `now` on, in UTC, at which the window is not in force; `now` itself outside it.

    On an ordinary night that is the end on the wall clock. Where the clocks are changed before it, the wall clock
    jumps, and is asked again there.
    """
    at = now.astimezone(UTC)
    while True:
        local = at.astimezone(zone)
        left = _left(local, window)
        if left is None:
            return at
        end = at + left
        if end.astimezone(zone).utcoffset() == local.utcoffset():
            return end
        at = _change(at, end, zone)


@lru_cache(maxsize=10_000)
def window_of(hours: QuietHours) -> Window:
    """The window in minutes."""
    return Window(_minute(hours.start), _minute(hours.end))


def zone_name(facts: RecipientFacts) -> str:
    """The zone of a person's wall clock; UTC where nobody has told."""
    return facts.preferences.timezone or facts.timezone or "UTC"


@lru_cache(maxsize=1_024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of this name; UTC for one that the zone data no longer know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _UTC


def _left(local: datetime, window: Window) -> timedelta | None:
    """How far the hands must go until the window's end; None outside it."""
    minute = local.hour * 60 + local.minute
    if not window.covers(minute):
        return None
    whole = timedelta(minutes=(window.end - minute) % _DAY)
    return whole - timedelta(seconds=local.second, microseconds=local.microsecond)


def _change(after: datetime, until: datetime, zone: ZoneInfo) -> datetime:
    """The first second after `after`, and not after `until`, with another offset; there is one."""
    before = after.astimezone(zone).utcoffset()
    low = after.replace(microsecond=0)
    high = until
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _hand(now: datetime, zone: ZoneInfo) -> int | None:
    """The minute of the day on a zone's clocks, if they go on evenly for a day and are whole minutes from UTC."""
    local = now.astimezone(zone)
    offset = local.utcoffset()
    if offset != (now + _LONGEST).astimezone(zone).utcoffset() or local.second != now.second:
        return None
    return local.hour * 60 + local.minute


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
