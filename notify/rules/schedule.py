"""From a wall clock to instants, by the pinned zone data."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from importlib.metadata import version
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY = timedelta(days=1)


def instant_of_local(local: datetime, zone: str) -> datetime:
    """The instant of a wall-clock time in an IANA zone.

    A time that the clocks skip moves forward by the gap, one that comes twice is its first occurrence (RFC 5545;
    vectors in reliability.md section 6.1). Raises `ZoneInfoNotFoundError` for an unknown zone.
    """
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def next_occurrence(at: time, zone: str, *, after: datetime) -> datetime:
    """The first instant after `after` at which the clocks of a zone show this time of day; once in a calendar day.

    By the day, never by adding 24 hours: an hour that is skipped or comes twice moves no later occurrence.
    """
    day = datetime.combine(after.astimezone(ZoneInfo(zone)).date(), at)
    while (instant := instant_of_local(day, zone)) <= after:
        day += _DAY
    return instant


def is_zone(name: str) -> bool:
    """Whether the pinned zone data knows this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@cache
def zone_data() -> str:
    """The version of the pinned zone data: instants worked out with another one may be wrong."""
    return version("tzdata")
