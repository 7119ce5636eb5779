"""When a campaign is due: once, again and again, or at each reader's own hour."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from cronsim import CronSim, CronSimError

from notify.rules.schedule import instant_of_local
from notify.rules.schedule import next_occurrence as next_hour
from preferences.rules.quiet import zone_of

#: The easternmost clock is so far ahead of UTC: there a day begins.
_EAST = timedelta(hours=14)
_CRON_FIELDS = 5
_NO_CRON = "is no cron expression of five fields that ever comes; every Monday at nine is 0 9 * * 1"


class Scheduled(Protocol):
    """What is asked of a campaign here."""

    @property
    def schedule_at(self) -> datetime | None:
        """An instant; with a local hour, its day."""

    @property
    def recurrence(self) -> str:
        """Five fields of cron, or nothing."""

    @property
    def timezone(self) -> str:
        """By whose clock and calendar `recurrence` and days are read."""

    @property
    def local_time(self) -> str:
        """Each reader's own hour (09:00), or nothing."""


def cron_fault(expression: str) -> str:
    """What is wrong with an expression, for people; empty: nothing. With a sixth field, it would be seconds."""
    if len(expression.split()) != _CRON_FIELDS:
        return _NO_CRON
    try:
        following = next(CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC)), None)
    except (CronSimError, ValueError):
        return _NO_CRON
    return "" if following is not None else "never happens"


def first_occurrence(campaign: Scheduled, now: datetime) -> datetime | None:
    """When an approved campaign is to be launched; None: when somebody starts it."""
    if campaign.recurrence:
        return occurrence_after(campaign, max(campaign.schedule_at or now, now))
    if campaign.schedule_at is None:
        return None
    begins = _day_begins(day_of(campaign, campaign.schedule_at)) if campaign.local_time else campaign.schedule_at
    return max(now, begins)


def occurrence_after(campaign: Scheduled, last: datetime) -> datetime | None:
    """The launch that follows the one of `last`; None: it does not come again.

    Cron's clock strikes an hour that the clocks skip when they have moved on, and one that comes twice, once. A day
    that is told at a local hour is launched where it begins first.
    """
    if not campaign.recurrence:
        return None
    if not campaign.local_time:
        return _strike(campaign, last)
    day = _strike(campaign, last)
    while day is not None and (begins := _day_begins(_day(campaign, day))) <= last:
        day = _strike(campaign, day)
    return begins if day is not None else None


def day_of(campaign: Scheduled, occurrence: datetime) -> date:
    """The calendar day that an occurrence is about: the planned one too where somebody started it before."""
    if campaign.recurrence:
        return (occurrence + _EAST).astimezone(UTC).date()
    return _day(campaign, campaign.schedule_at or occurrence)


def local_instant(day: date, local_time: str, zone: str, *, not_before: datetime) -> datetime:
    """When it is that time of that day in this zone; where that has passed already, the next time it is.

    A time that the clocks skip is told when they have moved on.
    """
    at = time.fromisoformat(local_time)
    name = zone_of(zone).key
    instant = instant_of_local(datetime.combine(day, at), name)
    return instant if instant >= not_before else next_hour(at, name, after=not_before)


def _strike(campaign: Scheduled, last: datetime) -> datetime | None:
    found = next(CronSim(campaign.recurrence, last.astimezone(zone_of(campaign.timezone))), None)
    return found.astimezone(UTC) if found is not None else None


def _day(campaign: Scheduled, instant: datetime) -> date:
    return instant.astimezone(zone_of(campaign.timezone)).date()


def _day_begins(day: date) -> datetime:
    """When a day begins in the easternmost zone."""
    return datetime.combine(day, time.min, tzinfo=UTC) - _EAST
