"""When campaigns are due: over nights that are 23 or 25 hours long, in zones of half and quarter hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.occurrences import cron_fault, day_of, first_occurrence, local_instant, occurrence_after

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "America/Havana",
        "Atlantic/Azores",
        "Africa/Casablanca",
        "Africa/Cairo",
        "Asia/Kathmandu",
        "Asia/Beirut",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "Etc/GMT+12",
    ]
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
HOURS = st.times().map(lambda one: one.strftime("%H:%M"))
CRONS = st.one_of(
    st.builds("{} {} * * *".format, st.integers(0, 59), st.integers(0, 23)),
    st.builds("{} {} * * {}".format, st.integers(0, 59), st.integers(0, 4), st.integers(0, 6)),
    st.builds("{} {} {} * *".format, st.integers(0, 59), st.integers(0, 23), st.integers(1, 28)),
    st.builds("*/{} * * * *".format, st.sampled_from([5, 15, 20, 30])),
    st.builds("{} */{} * * *".format, st.integers(0, 59), st.integers(1, 6)),
)
EAST = timedelta(hours=14)


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    schedule_at: datetime | None = None
    recurrence: str = ""
    timezone: str = "UTC"
    local_time: str = ""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def chain(campaign: Campaign, last: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    while len(found) < count:
        following = occurrence_after(campaign, found[-1] if found else last)
        assert following is not None
        found.append(following)
    return found


@pytest.mark.parametrize("good", ["0 9 * * 1", "*/15 * * * *", "0 9 L * *", " 0  9 * * MON ", "59 23 29 2 *"])
def test_five_fields_that_come_at_some_time_are_good(good: str) -> None:
    assert cron_fault(good) == ""


@pytest.mark.parametrize(
    "bad",
    ["", "0 9 * *", "*/5 * * * * *", "@daily", "0 9 31 2 *", "60 * * * *", "0 25 * * *", "a b c d e", "0 9 * * 9"],
)
def test_everything_else_is_told_with_an_example(bad: str) -> None:
    assert "0 9 * * 1" in cron_fault(bad)


@given(st.text(max_size=30))
def test_no_text_breaks_the_check(text: str) -> None:
    assert isinstance(cron_fault(text), str)


@given(CRONS, ZONES, MOMENTS)
def test_what_follows_is_later_always(cron: str, zone: str, last: datetime) -> None:
    found = chain(Campaign(recurrence=cron, timezone=zone), last, 4)
    assert all(before < after for before, after in pairwise([last, *found]))
    assert all(one.tzinfo is UTC for one in found)


@given(st.integers(0, 59), st.integers(0, 23), ZONES, MOMENTS)
def test_what_comes_daily_comes_once_on_every_day_of_the_calendar(
    minute: int, hour: int, zone: str, last: datetime
) -> None:
    found = chain(Campaign(recurrence=f"{minute} {hour} * * *", timezone=zone), last, 30)
    days = [one.astimezone(ZoneInfo(zone)).date() for one in found]
    assert [after - before for before, after in pairwise(days)] == [timedelta(days=1)] * 29


@pytest.mark.parametrize(
    ("zone", "cron", "last", "following"),
    [
        # Skipped: when the clocks have moved on. Comes twice: the first of the two.
        ("Europe/Berlin", "30 2 * * *", "2027-03-27T12:00", "2027-03-28T01:00"),
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", "2026-10-25T00:30"),
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),
        # Half an hour of summer, and three quarters of an hour of offset.
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00", "2026-10-03T15:30"),
        ("Asia/Kathmandu", "0 9 * * *", "2026-11-01T00:00", "2026-11-01T03:15"),
        ("Pacific/Chatham", "0 9 * * *", "2026-11-01T00:00", "2026-11-01T19:15"),
        # Midnight is skipped.
        ("Asia/Beirut", "0 0 * * *", "2027-03-27T12:00", "2027-03-27T22:00"),
    ],
)
def test_clocks_that_move_are_followed(zone: str, cron: str, last: str, following: str) -> None:
    assert occurrence_after(Campaign(recurrence=cron, timezone=zone), at(last)) == at(following)


@given(CRONS, ZONES, MOMENTS, HOURS)
def test_a_day_told_at_local_hours_is_launched_where_it_begins_first(
    cron: str, zone: str, last: datetime, hour: str
) -> None:
    campaign = Campaign(recurrence=cron, timezone=zone, local_time=hour)
    found = chain(campaign, last, 3)
    days = [day_of(campaign, one) for one in found]
    assert found == [datetime.combine(day, time.min, tzinfo=UTC) - EAST for day in days]
    assert all(before < after for before, after in pairwise([last, *found]))


@given(MOMENTS, MOMENTS)
def test_what_is_due_once_is_due_at_its_instant_or_now(scheduled: datetime, now: datetime) -> None:
    campaign = Campaign(schedule_at=scheduled)
    assert first_occurrence(campaign, now) == max(now, scheduled)
    assert occurrence_after(campaign, scheduled) is None


def test_what_has_no_schedule_waits_for_somebody() -> None:
    assert first_occurrence(Campaign(), at("2026-11-21T00:00")) is None
    assert first_occurrence(Campaign(local_time="09:00"), at("2026-11-21T00:00")) is None


@given(CRONS, ZONES, MOMENTS, MOMENTS)
def test_nothing_recurs_before_it_is_to_begin(cron: str, zone: str, begins: datetime, now: datetime) -> None:
    campaign = Campaign(recurrence=cron, timezone=zone, schedule_at=begins)
    first = first_occurrence(campaign, now)
    assert first is not None
    assert first > max(begins, now)


@given(ZONES, MOMENTS, MOMENTS)
def test_a_local_hour_makes_a_day_of_the_schedule(zone: str, scheduled: datetime, now: datetime) -> None:
    campaign = Campaign(schedule_at=scheduled, timezone=zone, local_time="09:00")
    first = first_occurrence(campaign, now)
    assert first is not None
    assert first >= now
    assert day_of(campaign, first) == scheduled.astimezone(ZoneInfo(zone)).date()


def test_what_somebody_starts_before_its_day_is_still_about_that_day() -> None:
    campaign = Campaign(schedule_at=at("2026-12-24T12:00"), local_time="09:00")
    assert day_of(campaign, at("2026-11-21T12:00")) == date(2026, 12, 24)
    assert day_of(Campaign(local_time="09:00"), at("2026-11-21T12:00")) == date(2026, 11, 21)


@given(st.dates(date(2026, 1, 1), date(2027, 12, 30)), HOURS, ZONES)
def test_nobody_is_told_before_the_day_is_launched(day: date, hour: str, zone: str) -> None:
    launched = datetime.combine(day, time.min, tzinfo=UTC) - EAST
    instant = local_instant(day, hour, zone, not_before=launched)
    local = instant.astimezone(ZoneInfo(zone))
    shown = datetime.combine(day, time.fromisoformat(hour)).replace(tzinfo=ZoneInfo(zone))
    exists = shown.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == shown.replace(tzinfo=None)
    assert launched <= instant
    assert local.date() == day
    assert not exists or local.strftime("%H:%M") == hour


@given(st.dates(date(2026, 1, 2), date(2027, 12, 30)), HOURS, ZONES, MOMENTS)
def test_an_hour_that_has_passed_is_told_the_next_time_it_strikes(
    day: date, hour: str, zone: str, now: datetime
) -> None:
    instant = local_instant(day, hour, zone, not_before=now)
    on_the_day = local_instant(day, hour, zone, not_before=datetime.min.replace(tzinfo=UTC))
    assert instant >= now
    assert instant == on_the_day or (on_the_day < now and instant - now <= timedelta(hours=25))


@pytest.mark.parametrize(
    ("day", "hour", "zone", "instant"),
    [
        (date(2027, 3, 28), "02:30", "Europe/Berlin", "2027-03-28T01:30"),
        (date(2026, 10, 25), "02:30", "Europe/Berlin", "2026-10-25T00:30"),
        (date(2026, 10, 4), "02:15", "Australia/Lord_Howe", "2026-10-03T15:45"),
        (date(2026, 11, 21), "09:00", "Asia/Kathmandu", "2026-11-21T03:15"),
        (date(2026, 11, 21), "09:00", "Pacific/Kiritimati", "2026-11-20T19:00"),
        (date(2026, 11, 21), "09:00", "Etc/GMT+12", "2026-11-21T21:00"),
        (date(2026, 11, 21), "09:00", "No/Such_Zone", "2026-11-21T09:00"),
    ],
)
def test_local_hours_are_instants(day: date, hour: str, zone: str, instant: str) -> None:
    assert local_instant(day, hour, zone, not_before=at("2026-01-01T00:00")) == at(instant)
