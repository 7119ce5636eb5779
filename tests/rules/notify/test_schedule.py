"""From a wall clock to an instant: vectors of reliability.md section 6.1 (tzdata 2026f, fold=0)."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.rules.schedule import instant_of_local, is_zone, next_occurrence, zone_data

VECTORS = [
    ("America/New_York", "2026-03-08T01:59:59", "2026-03-08T06:59:59"),
    ("America/New_York", "2026-03-08T02:00:00", "2026-03-08T07:00:00"),
    ("America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:30:00"),
    ("America/New_York", "2026-11-01T01:00:00", "2026-11-01T05:00:00"),
    ("America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00"),
    ("America/New_York", "2026-11-01T02:00:00", "2026-11-01T07:00:00"),
    ("Europe/London", "2026-03-29T01:30:00", "2026-03-29T01:30:00"),
    ("Europe/London", "2026-10-25T01:30:00", "2026-10-25T00:30:00"),
    ("Europe/Dublin", "2026-03-29T01:30:00", "2026-03-29T01:30:00"),
    ("Europe/Paris", "2026-03-29T02:30:00", "2026-03-29T01:30:00"),
    ("Europe/Paris", "2026-10-25T02:30:00", "2026-10-25T00:30:00"),
    ("America/St_Johns", "2026-03-08T02:15:00", "2026-03-08T05:45:00"),
    ("America/St_Johns", "2026-11-01T01:15:00", "2026-11-01T03:45:00"),
    ("Australia/Lord_Howe", "2026-04-05T01:29:59", "2026-04-04T14:29:59"),
    ("Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00"),
    ("Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00"),
    ("Australia/Lord_Howe", "2026-10-04T02:30:00", "2026-10-03T15:30:00"),
    ("Pacific/Chatham", "2026-04-05T03:00:00", "2026-04-04T13:15:00"),
    ("Pacific/Chatham", "2026-09-27T03:00:00", "2026-09-26T14:15:00"),
    ("America/Santiago", "2026-09-06T00:00:00", "2026-09-06T04:00:00"),
    ("America/Santiago", "2026-09-06T00:30:00", "2026-09-06T04:30:00"),
    ("America/Santiago", "2026-04-04T23:30:00", "2026-04-05T02:30:00"),
    ("Africa/Cairo", "2026-04-24T00:30:00", "2026-04-23T22:30:00"),
    ("Africa/Cairo", "2026-10-29T23:30:00", "2026-10-29T20:30:00"),
    ("Asia/Beirut", "2026-03-29T00:30:00", "2026-03-28T22:30:00"),
    ("America/Havana", "2026-03-08T00:30:00", "2026-03-08T05:30:00"),
    ("Antarctica/Troll", "2026-03-29T02:00:00", "2026-03-29T02:00:00"),
    ("Antarctica/Troll", "2026-10-25T01:30:00", "2026-10-24T23:30:00"),
    ("Africa/Casablanca", "2026-02-15T02:30:00", "2026-02-15T01:30:00"),
    ("Africa/Casablanca", "2026-03-22T02:30:00", "2026-03-22T02:30:00"),
    ("Asia/Kathmandu", "2026-06-01T09:00:00", "2026-06-01T03:15:00"),
    ("Asia/Kolkata", "2026-06-01T09:00:00", "2026-06-01T03:30:00"),
    ("Australia/Eucla", "2026-06-01T09:00:00", "2026-06-01T00:15:00"),
    ("Pacific/Marquesas", "2026-06-01T09:00:00", "2026-06-01T18:30:00"),
    ("Asia/Tehran", "2026-06-01T09:00:00", "2026-06-01T05:30:00"),
    ("America/Sao_Paulo", "2026-12-01T09:00:00", "2026-12-01T12:00:00"),
    ("America/Asuncion", "2026-06-01T09:00:00", "2026-06-01T12:00:00"),
    ("Pacific/Kiritimati", "2026-06-01T09:00:00", "2026-05-31T19:00:00"),
    ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00"),
]

#: Right with tzdata 2026f, wrong with the 2025b of Debian: the pinned package must win over the system's files.
FRESH = [
    ("America/Vancouver", "2026-12-01T09:00:00", "2026-12-01T16:00:00"),
    ("America/Edmonton", "2026-12-01T09:00:00", "2026-12-01T15:00:00"),
    ("America/Havana", "2026-12-01T09:00:00", "2026-12-01T13:00:00"),
    ("Africa/Casablanca", "2026-10-01T09:00:00", "2026-10-01T09:00:00"),
]


@pytest.mark.parametrize(("zone", "local", "utc"), VECTORS + FRESH)
def test_a_wall_clock_time_becomes_the_right_instant(zone: str, local: str, utc: str) -> None:
    expected = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert instant_of_local(datetime.fromisoformat(local), zone) == expected


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "Europe/London\0", "/etc/localtime"])
def test_what_is_no_zone_is_said_to_be_none(name: str) -> None:
    assert not is_zone(name)


#: Zone, time of day, the day before the first run, and the runs that follow one another.
DAILY = [
    (
        "America/New_York",
        "09:00",
        "2026-03-05T15",
        ["2026-03-06T14", "2026-03-07T14", "2026-03-08T13", "2026-03-09T13"],
    ),
    (
        "America/New_York",
        "09:00",
        "2026-10-29T15",
        ["2026-10-30T13", "2026-10-31T13", "2026-11-01T14", "2026-11-02T14"],
    ),
    ("America/New_York", "02:30", "2026-03-06T15", ["2026-03-07T07:30", "2026-03-08T07:30", "2026-03-09T06:30"]),
    ("America/New_York", "01:30", "2026-10-31T15", ["2026-11-01T05:30", "2026-11-02T06:30"]),
    ("Australia/Lord_Howe", "01:45", "2026-04-03T00", ["2026-04-03T14:45", "2026-04-04T14:45", "2026-04-05T15:15"]),
    ("America/Santiago", "00:00", "2026-09-04T15", ["2026-09-05T04", "2026-09-06T04", "2026-09-07T03"]),
]
ZONES = sorted(available_timezones() - {"Factory"})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "clock", "after", "runs"), DAILY)
def test_a_daily_run_keeps_to_the_wall_clock_over_every_change(
    zone: str, clock: str, after: str, runs: list[str]
) -> None:
    at = utc(after)
    for expected in runs:
        at = next_occurrence(time.fromisoformat(clock), zone, after=at)
        assert at == utc(expected)


@given(
    zone=st.sampled_from(ZONES),
    minute=st.integers(0, 1439),
    after=st.integers(0, 13 * 365 * 86_400).map(lambda seconds: utc("2024-01-01") + timedelta(seconds=seconds)),
)
def test_an_occurrence_is_ahead_and_on_each_day_there_is_one(zone: str, minute: int, after: datetime) -> None:
    clock = time(minute // 60, minute % 60)
    first = next_occurrence(clock, zone, after=after)
    second = next_occurrence(clock, zone, after=first)
    assert after < first <= after + timedelta(hours=27)
    days = [(at - timedelta(hours=3)).astimezone(ZoneInfo(zone)).date() for at in (first, second)]
    assert timedelta(hours=21) <= second - first <= timedelta(hours=27)
    assert days[0] < days[1]


def test_the_version_of_the_zone_data_is_known() -> None:
    assert zone_data() >= "2026.6"
