"""From a wall clock to an instant."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def instant_of_local(local: datetime, zone: str) -> datetime:
    """The instant of a wall-clock time in an IANA zone.

    A time that the clocks skip moves forward by the gap, one that comes twice is its first occurrence (RFC 5545;
    vectors in reliability.md section 6.1). Raises `ZoneInfoNotFoundError` for an unknown zone.
    """
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def is_zone(name: str) -> bool:
    """Whether the pinned zone data knows this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
