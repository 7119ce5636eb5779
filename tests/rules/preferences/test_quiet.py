"""Quiet hours: the vectors of reliability.md section 6.2, and every zone against a clock that is asked each minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preferences.rules.quiet import QuietClock, Window, release, window_of, zone_of
from preferences.vocabulary import Preferences, QuietHours, RecipientFacts, RecipientStatus

NEW_YORK, LORD_HOWE, CHATHAM = "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham"

#: Zone, window, now, and the release; None: it is not quiet.
VECTORS = [
    (NEW_YORK, "22:00-08:00", "2026-03-08T02:59:59", None),
    (NEW_YORK, "22:00-08:00", "2026-03-08T03:00:00", "2026-03-08T12:00:00"),
    (NEW_YORK, "22:00-08:00", "2026-03-08T12:00:00", None),
    (NEW_YORK, "22:00-08:00", "2026-11-01T02:00:00", "2026-11-01T13:00:00"),
    (NEW_YORK, "01:00-02:30", "2026-03-08T06:30:00", "2026-03-08T07:00:00"),
    (NEW_YORK, "02:00-03:00", "2026-03-08T06:59:59", None),
    (NEW_YORK, "02:00-03:00", "2026-03-08T07:00:00", None),
    (NEW_YORK, "22:00-01:30", "2026-11-01T05:15:00", "2026-11-01T05:30:00"),
    (NEW_YORK, "22:00-01:30", "2026-11-01T05:30:00", None),
    (NEW_YORK, "22:00-01:30", "2026-11-01T06:00:00", "2026-11-01T06:30:00"),
    (LORD_HOWE, "22:00-07:00", "2026-04-04T14:30:00", "2026-04-04T20:30:00"),
    (LORD_HOWE, "22:00-07:00", "2026-10-03T15:45:00", "2026-10-03T20:00:00"),
    (CHATHAM, "21:30-08:00", "2026-09-26T18:14:59", "2026-09-26T18:15:00"),
    (CHATHAM, "21:30-08:00", "2026-09-26T18:15:00", None),
    ("Asia/Kathmandu", "22:00-08:00", "2026-06-01T16:15:00", "2026-06-02T02:15:00"),
    ("America/Santiago", "22:00-00:00", "2026-09-06T03:59:00", "2026-09-06T04:00:00"),
    ("America/Santiago", "22:00-00:00", "2026-09-06T04:00:00", None),
    ("Europe/London", "22:00-07:00", "2026-10-25T00:30:00", "2026-10-25T07:00:00"),
    (NEW_YORK, "09:00-17:00", "2026-06-01T13:00:00", "2026-06-01T21:00:00"),
    (NEW_YORK, "09:00-17:00", "2026-06-01T21:00:00", None),
    ("Europe/Paris", "08:00-08:00", "2026-06-01T06:00:00", None),
]
#: What has an offset that changes, or one of 30 or 45 minutes, is likely to be got wrong: all of them.
ZONES = sorted(available_timezones() - {"Factory"})
_MINUTE = timedelta(minutes=1)

ALICE = RecipientFacts(
    id=7,
    user_id="u_alice",
    status=RecipientStatus.ACTIVE,
    locale="",
    timezone="Europe/London",
    country_code="",
    attributes={},
    preferences=Preferences(quiet_hours=QuietHours("22:00", "07:00")),
    email=None,
    phone=None,
    devices=(),
    suppressed=frozenset(),
    wrapped_key=b"",
)
NIGHT = datetime(2026, 6, 1, 23, 30, tzinfo=UTC)


def window(text: str) -> Window:
    start, end = text.split("-")
    return window_of(QuietHours(start, end))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_quiet(at: datetime, hours: Window, zone: ZoneInfo) -> bool:
    """The predicate in other words than the rule's."""
    local = at.astimezone(zone).strftime("%H:%M")
    start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in hours)
    if start < end:
        return start <= local < end
    return start != end and not end <= local < start


@pytest.mark.parametrize(("zone", "hours", "now", "expected"), VECTORS)
def test_a_vector_of_the_table_holds(zone: str, hours: str, now: str, expected: str | None) -> None:
    assert release(utc(now), window(hours), ZoneInfo(zone)) == utc(expected or now)


@given(
    zone=st.sampled_from(ZONES),
    start=st.integers(0, 1439),
    end=st.integers(0, 1439),
    now=st.integers(0, 13 * 365 * 86_400).map(lambda seconds: utc("2024-01-01") + timedelta(seconds=seconds)),
)
def test_the_release_is_the_first_minute_that_is_not_quiet(zone: str, start: int, end: int, now: datetime) -> None:
    """Minute by minute: the slow way, which cannot be wrong."""
    _compare(ZoneInfo(zone), Window(start, end), now)


def _changes(zone: ZoneInfo) -> list[datetime]:
    """The days of 2026 and 2027 on which this zone changes its clocks."""
    days = [datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(730)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    return [day for day, one, next_one in zip(days, offsets, offsets[1:], strict=False) if one != next_one]


@given(
    zone=st.sampled_from([zone for zone in ZONES if _changes(ZoneInfo(zone))]),
    start=st.integers(0, 1439),
    length=st.integers(1, 600),
    back=st.integers(0, 48 * 60 * 60),
    data=st.data(),
)
def test_the_nights_on_which_clocks_change_are_no_exception(
    zone: str, start: int, length: int, back: int, data: st.DataObject
) -> None:
    place = ZoneInfo(zone)
    day = data.draw(st.sampled_from(_changes(place)))
    _compare(place, Window(start, (start + length) % 1440), day + timedelta(hours=36) - timedelta(seconds=back))


def _asked(zone: ZoneInfo, hours: Window, now: datetime) -> datetime:
    """The same by the clock of a page."""
    start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in hours)
    preferences = Preferences(quiet_hours=QuietHours(start, end), timezone=zone.key)
    return QuietClock(now).until(msgspec.structs.replace(ALICE, preferences=preferences)) or now


def _compare(zone: ZoneInfo, hours: Window, now: datetime) -> None:
    end = release(now, hours, zone)
    assert _asked(zone, hours, now) == end
    if not is_quiet(now, hours, zone):
        assert end == now
        return
    assert end > now
    assert end.second == end.microsecond == 0
    slow = now.replace(second=0, microsecond=0) + _MINUTE
    while is_quiet(slow, hours, zone):
        slow += _MINUTE
    assert end == slow


def test_where_clocks_are_about_to_change_a_page_asks_once_for_each_zone_and_window() -> None:
    spring = QuietClock(utc("2026-03-29T00:30:00"))
    assert spring.until(ALICE) == utc("2026-03-29T06:00:00")
    assert spring.until(ALICE) is spring.until(msgspec.structs.replace(ALICE, id=8))


def test_who_has_no_quiet_hours_is_never_quiet() -> None:
    assert QuietClock(NIGHT).until(msgspec.structs.replace(ALICE, preferences=Preferences())) is None


def test_the_zone_of_the_preferences_wins_over_the_recipients_own() -> None:
    hours = QuietHours("22:00", "07:00")
    abroad = msgspec.structs.replace(ALICE, preferences=Preferences(quiet_hours=hours, timezone=NEW_YORK))
    assert QuietClock(NIGHT).until(abroad) is None


@pytest.mark.parametrize("name", ["", "Atlantis/Capital"])
def test_who_told_no_zone_or_one_that_is_gone_sleeps_by_utc(name: str) -> None:
    lost = msgspec.structs.replace(ALICE, timezone=name)
    assert QuietClock(NIGHT).until(lost) == utc("2026-06-02T07:00:00")
    assert zone_of("Atlantis/Capital") == ZoneInfo("UTC")
