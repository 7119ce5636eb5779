"""When a digest is made, and what it holds."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.rules.digest import (
    MOST_LISTED,
    Item,
    built_in,
    due_at,
    is_digest,
    item_of,
    type_key_of,
    type_row_of,
    variables_of,
)
from notify.vocabulary import Content
from preferences.vocabulary import Category, DigestFrequency

_NINE = time(9)
_ZONES = st.sampled_from(
    ["UTC", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"]
).map(ZoneInfo)
_INSTANTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("frequency", "zone", "now", "due"),
    [
        (DigestFrequency.HOURLY, "UTC", "2026-06-01T12:00", "2026-06-01T13:00"),
        (DigestFrequency.HOURLY, "Asia/Kathmandu", "2026-06-01T12:10", "2026-06-01T12:15"),
        (DigestFrequency.DAILY, "America/New_York", "2026-03-07T13:59", "2026-03-07T14:00"),
        (DigestFrequency.DAILY, "America/New_York", "2026-03-07T14:00", "2026-03-08T13:00"),
        (DigestFrequency.DAILY, "America/New_York", "2026-10-31T13:00", "2026-11-01T14:00"),
        (DigestFrequency.WEEKLY, "America/New_York", "2026-03-07T14:00", "2026-03-09T13:00"),
        (DigestFrequency.WEEKLY, "Europe/London", "2026-06-01T08:00", "2026-06-08T08:00"),
        (DigestFrequency.WEEKLY, "Europe/London", "2026-06-01T07:59", "2026-06-01T08:00"),
    ],
)
def test_digests_come_by_the_readers_clock(frequency: DigestFrequency, zone: str, now: str, due: str) -> None:
    assert due_at(frequency, utc(now), ZoneInfo(zone), _NINE) == utc(due)


@pytest.mark.parametrize(
    ("day", "zone", "hour", "due"),
    [
        ("2026-03-08T00:00", "America/New_York", time(2, 30), "2026-03-08T07:30"),
        ("2026-11-01T00:00", "America/New_York", time(1, 30), "2026-11-01T05:30"),
        ("2026-10-03T15:00", "Australia/Lord_Howe", time(2, 15), "2026-10-03T15:45"),
        ("2026-04-04T14:00", "Australia/Lord_Howe", time(1, 45), "2026-04-04T14:45"),
    ],
)
def test_an_hour_that_is_skipped_or_comes_twice_happens_once(day: str, zone: str, hour: time, due: str) -> None:
    first = due_at(DigestFrequency.DAILY, utc(day), ZoneInfo(zone), hour)
    assert first == utc(due)
    second = due_at(DigestFrequency.DAILY, first, ZoneInfo(zone), hour)
    assert second is not None
    assert second - first > timedelta(hours=20)


@given(now=_INSTANTS, zone=_ZONES, frequency=st.sampled_from(list(DigestFrequency)), hour=st.times())
def test_a_digest_comes_soon_and_never_in_the_past(
    now: datetime, zone: ZoneInfo, frequency: DigestFrequency, hour: time
) -> None:
    due = due_at(frequency, now, zone, hour)
    longest = {"hourly": timedelta(hours=1), "daily": timedelta(hours=25), "weekly": timedelta(days=7, hours=1)}
    if frequency is DigestFrequency.REALTIME:
        assert due is None
    else:
        assert due is not None
        assert timedelta(0) < due - now <= longest[frequency.value]


def test_whoever_hears_at_once_gathers_nothing() -> None:
    assert due_at(DigestFrequency.REALTIME, utc("2026-06-01T12:00"), ZoneInfo("UTC"), _NINE) is None


def item(number: int, key: str = "LIKED") -> Item:
    return Item(title=f"title {number}", body=f"body {number}", type=key, action_url="", created_at="")


def test_a_template_is_told_everything_and_by_type() -> None:
    told = variables_of([item(1), item(2, "FOLLOWED"), item(3)], 5)
    assert (told["count"], told["more"], told["unlisted"]) == (5, 2, 2)
    assert [(group["type"], group["count"]) for group in told["groups"]] == [("LIKED", 2), ("FOLLOWED", 1)]


def test_a_member_is_cut_to_a_line() -> None:
    made = item_of(Content(body="a\n b " * 200, subject=""), "LIKED", utc("2026-06-01T12:00"))
    assert len(made.title) <= 80
    assert len(made.body) <= 200
    assert made.created_at == "2026-06-01T12:00:00+00:00"


@pytest.mark.parametrize("channel", ["push", "email", "sms"])
@pytest.mark.parametrize("locale", ["en", "de-AT", "es", "fr", "ja", None])
def test_the_built_in_words_hold_whatever_comes(channel: str, locale: str | None) -> None:
    many = [
        item_of(
            Content(title="<b>" * 90, body="x" * 900, action_url="https://e.com/" + "&" * 480),
            "LIKED",
            datetime.now(UTC),
        )
        for _ in range(MOST_LISTED)
    ]
    for items, count in (([item(1)], 1), (many, 1_000)):
        content = built_in().render(channel, locale, variables_of(items, count), {}).content
        assert content.body
        assert "<b><b>" not in content.html_body


def test_each_category_has_a_type_of_its_own() -> None:
    assert {type_row_of(category).category for category in Category} == {str(category) for category in Category}
    assert is_digest(type_key_of(Category.SOCIAL))
    assert not is_digest("WEEKLY_DIGEST")
    assert not is_digest("DIGEST_OF_NEWS")
