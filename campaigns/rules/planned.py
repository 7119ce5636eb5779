"""When a campaign is told, as people write it into fields, and back: a day, an hour, a zone, or five fields of cron."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any, Final

import msgspec

from campaigns.errors import InvalidCampaign
from campaigns.rules.occurrences import Scheduled, cron_fault, day_of, first_occurrence, occurrence_after
from channels.errors import FieldError
from notify.rules.schedule import instant_of_local, is_zone
from preferences.rules.quiet import zone_of

#: Whoever starts it says when; once at an instant; once at each reader's own hour; again and again.
BY_HAND, AT, LOCAL, AGAIN = "by_hand", "at", "local", "again"
#: Occurrences that are shown to whoever writes.
_SHOWN: Final = 3
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_NOON = time(12)


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """The fields; empty where nothing is said."""

    when: str = BY_HAND
    #: "2027-04-15"; of what comes again, the day before which nothing is told.
    day: str = ""
    #: "09:00"; of what comes again, each reader's own.
    hour: str = ""
    zone: str = ""
    cron: str = ""


class _Kept(msgspec.Struct, frozen=True):
    schedule_at: datetime | None
    recurrence: str
    timezone: str
    local_time: str


def planned_of(campaign: Scheduled) -> Planned:
    """The fields of a campaign that is kept."""
    at = campaign.schedule_at.astimezone(zone_of(campaign.timezone)) if campaign.schedule_at is not None else None
    day = at.date().isoformat() if at is not None else ""
    if campaign.recurrence:
        hour = campaign.local_time
        return Planned(when=AGAIN, day=day, hour=hour, zone=campaign.timezone, cron=campaign.recurrence)
    if at is None:
        return Planned()
    if campaign.local_time:
        return Planned(when=LOCAL, day=day, hour=campaign.local_time, zone=campaign.timezone)
    return Planned(when=AT, day=day, hour=f"{at:%H:%M}", zone=campaign.timezone)


def schedule_of(planned: Planned) -> dict[str, Any]:
    """The four fields of `Written` that say when, as JSON has them; raises `InvalidCampaign` with every fault."""
    nothing = {"schedule_at": None, "local_time": None, "timezone": None, "recurrence": None}
    if planned.when == BY_HAND:
        return nothing
    if faults := list(_faults(planned)):
        raise InvalidCampaign(faults)
    zone = planned.zone or "UTC"
    if planned.when == AT:
        at = _instant(planned.day, time.fromisoformat(planned.hour), zone)
        return nothing | {"schedule_at": at, "timezone": zone}
    if planned.when == LOCAL:
        return nothing | {
            "schedule_at": _instant(planned.day, _NOON, zone),
            "local_time": planned.hour,
            "timezone": zone,
        }
    return nothing | {
        "schedule_at": _instant(planned.day, time.min, zone) if planned.day else None,
        "local_time": planned.hour or None,
        "recurrence": {"cron": planned.cron, "timezone": zone},
    }


def coming(planned: Planned, now: datetime) -> list[str]:
    """The next three times it is told, for people; none: when somebody starts it. Raises `InvalidCampaign`."""
    said = schedule_of(planned)
    zone = planned.zone or "UTC"
    at = said["schedule_at"]
    kept = _Kept(
        schedule_at=datetime.fromisoformat(at) if at else None,
        recurrence=planned.cron if planned.when == AGAIN else "",
        timezone=zone,
        local_time=said["local_time"] or "",
    )
    found = first_occurrence(kept, now)
    lines: list[str] = []
    while found is not None and len(lines) < _SHOWN:
        lines.append(_line(kept, found))
        found = occurrence_after(kept, found)
    return lines


def _line(kept: _Kept, occurrence: datetime) -> str:
    if kept.local_time:
        return f"{day_of(kept, occurrence):%a %Y-%m-%d} at {kept.local_time} on each reader's own clock"
    local = occurrence.astimezone(zone_of(kept.timezone))
    return f"{local:%a %Y-%m-%d %H:%M} {kept.timezone}"


def _faults(planned: Planned) -> Iterator[FieldError]:
    """Each with the field that is to be written differently."""
    if planned.zone and not is_zone(planned.zone):
        yield FieldError("/timezone", "invalid_timezone", 'Not an IANA zone; write for example "Europe/London".')
    if (planned.day or planned.when != AGAIN) and not _is_day(planned.day):
        yield FieldError("/schedule_at", "invalid_schedule_at", "Choose a day, for example 2027-04-15.")
    if (planned.hour or planned.when != AGAIN) and _TIME.match(planned.hour) is None:
        yield FieldError("/local_time", "invalid_local_time", "Choose an hour, for example 09:00.")
    if planned.when == AGAIN and (fault := cron_fault(planned.cron)):
        yield FieldError("/recurrence/cron", "invalid_cron", f"This {fault}.")


def _is_day(text: str) -> bool:
    if _DAY.match(text) is None:
        return False
    try:
        # Room for a zone on either side.
        return date.min < date.fromisoformat(text) < date.max
    except ValueError:
        return False


def _instant(day: str, at: time, zone: str) -> str:
    return instant_of_local(datetime.combine(date.fromisoformat(day), at), zone).astimezone(UTC).isoformat()
