"""From a wall clock to an instant: vectors of reliability.md section 6.1 (tzdata 2026f, fold=0)."""

from datetime import UTC, datetime

import pytest

from notify.rules.schedule import instant_of_local, is_zone

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
    ("Europe/Paris", "2026-10-25T02:30:00", "2026-10-25T00:30:00"),
    ("America/St_Johns", "2026-03-08T02:15:00", "2026-03-08T05:45:00"),
    ("Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00"),
    ("Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00"),
    ("Pacific/Chatham", "2026-09-27T03:00:00", "2026-09-26T14:15:00"),
    ("America/Santiago", "2026-09-06T00:00:00", "2026-09-06T04:00:00"),
    ("Africa/Cairo", "2026-04-24T00:30:00", "2026-04-23T22:30:00"),
    ("Antarctica/Troll", "2026-10-25T01:30:00", "2026-10-24T23:30:00"),
    ("Africa/Casablanca", "2026-03-22T02:30:00", "2026-03-22T02:30:00"),
    ("Asia/Kathmandu", "2026-06-01T09:00:00", "2026-06-01T03:15:00"),
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
