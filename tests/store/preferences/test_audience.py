"""Audiences: their windows, their zones, and how many they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.db import connection

from preferences import store
from preferences.errors import SegmentTooSlow
from preferences.rules.quiet import zone_name
from preferences.rules.segment import parse
from preferences.store import audience, documents, recipients
from preferences.store.audience import Counted, Members
from preferences.vocabulary import Preferences, Profile, RecipientRef
from tests.factories import BY_APP

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MakePerson = Callable[..., RecipientRef]
Counting = Callable[[], AbstractContextManager[list[str]]]


def of(text: str, *, with_zone: bool = False) -> Members:
    return audience.of_segment(parse(text), NOW, with_zone=with_zone)


def rows(members: Members, after: int = 0, upto: int = 1 << 62) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(members.sql, members.values | {"after": after, "upto": upto})
        found: list[tuple[int, str]] = sorted(cursor.fetchall())
    return found


def slow(seconds: float) -> Members:
    """Everybody, each of them taking a while."""
    sql = """SELECT r.id, '' AS zone FROM preferences_recipient r
             WHERE r.id > %(after)s AND r.id <= %(upto)s AND pg_sleep(%(seconds)s) IS NOT NULL"""
    return Members(sql, {"seconds": seconds})


def scatter(count: int, step: int) -> None:
    """So many people at every so manieth id; every fourth is in Great Britain."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO preferences_recipient (id, user_id, status, locale, timezone, country_code, attributes,
                   data_key, created_at, updated_at) OVERRIDING SYSTEM VALUE
               SELECT n * %s, 'u_' || n, 'active', '', '', CASE WHEN n %% 4 = 0 THEN 'GB' ELSE 'US' END, '{}', '',
                   now(), now() FROM generate_series(1, %s) n""",
            (step, count),
        )


@pytest.fixture
def ids(make_profile: Callable[..., Profile]) -> list[int]:
    """Ten people; the odd ones have the plan gold."""
    plans = [msgspec.json.encode({"plan": "gold" if number % 2 else "free"}).decode() for number in range(10)]
    store.upsert({f"u_{n}": make_profile(attributes=plan, country_code="GB") for n, plan in enumerate(plans)})
    return sorted(ref.id for ref in store.resolve([f"u_{n}" for n in range(10)]).values())


def test_a_window_holds_the_people_after_its_start_up_to_its_end(ids: list[int]) -> None:
    everybody = of("TRUE")
    assert [one for one, _ in rows(everybody, ids[2], ids[5])] == ids[3:6]
    assert rows(everybody, ids[-1]) == []


def test_who_is_deleted_is_in_no_audience(ids: list[int]) -> None:
    recipients.mark_deleted("u_1")
    assert len(rows(of("TRUE"))) == 9
    assert audience.count(of("plan = 'gold'")) == Counted(4, is_estimate=False)


def test_the_zone_is_the_one_that_quiet_hours_go_by(make_person: MakePerson) -> None:
    plain, told, chose = (
        make_person("u_a"),
        make_person("u_b", timezone="Asia/Tokyo"),
        make_person("u_c", timezone="UTC"),
    )
    documents.save_preferences(chose, Preferences(), Preferences(timezone="Europe/Rome", version=1), BY_APP)
    zones = dict(rows(of("TRUE", with_zone=True)))
    assert zones == {plain.id: "UTC", told.id: "Asia/Tokyo", chose.id: "Europe/Rome"}
    assert zones == {one: zone_name(facts) for one, facts in store.facts_for(list(zones)).items()}
    assert {zone for _, zone in rows(of("TRUE"))} == {""}


def test_the_people_of_a_topic_are_its_active_subscribers(ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO preferences_topic (key) VALUES ('news') RETURNING id")
        (topic,) = cursor.fetchone()
        cursor.execute(
            "INSERT INTO preferences_subscription (topic_id, recipient_id) SELECT %s, unnest(%s::bigint[])",
            (topic, ids[:5]),
        )
    recipients.mark_deleted("u_0")
    gone = store.resolve(["u_0"])["u_0"].id
    news = audience.of_topic(topic, with_zone=True)
    assert rows(news, upto=ids[3]) == [(one, "UTC") for one in ids[:4] if one != gone]
    assert audience.count(news) == Counted(4, is_estimate=False)


@pytest.mark.parametrize(("text", "number"), [("FALSE", 0), ("TRUE", 10), ("plan = 'gold'", 5), ("plan = 'lost'", 0)])
def test_an_audience_is_counted_in_few_statements(
    ids: list[int], text: str, number: int, count_statements: Counting
) -> None:
    with count_statements() as seen:
        assert audience.count(of(text)) == Counted(number, is_estimate=False)
    assert len(seen) == 4


def test_what_takes_too_long_to_count_is_estimated_and_says_so(ids: list[int]) -> None:
    assert audience.count(slow(0.02), seconds=0.05) == Counted(10, is_estimate=True)


def test_an_estimate_is_made_from_fewer_where_time_is_short(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    scatter(100, 1)
    monkeypatch.setattr(audience, "SAMPLE_WINDOWS", 10)
    monkeypatch.setattr(audience, "SAMPLE_WIDTHS", (10, 1))
    monkeypatch.setattr(audience, "ESTIMATE_SECONDS", 0.5)
    assert audience._estimate(slow(0.01), 100) == 100


def test_what_takes_too_long_to_estimate_is_refused_with_the_cure(ids: list[int]) -> None:
    with pytest.raises(SegmentTooSlow, match="fewer conditions"):
        audience.count(slow(1), seconds=0.05)


def test_the_time_limit_ends_with_the_count(ids: list[int]) -> None:
    audience.count(of("TRUE"), seconds=0.5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        assert cursor.fetchone() == ("0",)


def test_an_estimate_is_near_the_truth_over_scattered_ids(db: None) -> None:
    scatter(30_000, 7)
    top = audience.last_id()
    assert top == 210_000
    assert audience._estimate(of("country = 'GB'"), top) == pytest.approx(7_500, rel=0.03)
    assert audience._estimate(of("country = 'GB'"), top) % 10 == 0
    assert audience._estimate(of("FALSE"), top) == 0
    assert len({one.user_id for one in audience.sample(of("country = 'GB'"), 5)}) == 5


def test_examples_are_told_without_addresses(make_person: MakePerson) -> None:
    make_person(email="alice@example.com", locale="en-GB", country_code="GB", timezone="Europe/London")
    (only,) = audience.sample(of("has_email"), 5)
    assert only == ("u_alice", "GB", "en-GB", "Europe/London")


def test_as_many_examples_as_asked_for_are_told(ids: list[int]) -> None:
    assert len(audience.sample(of("TRUE"), 3)) == 3
    assert len(audience.sample(of("plan = 'gold'"), 50)) == 5
    assert audience.sample(slow(1), 3) == []


def test_nobody_at_all_is_an_audience_too(db: None) -> None:
    everybody: Any = of("TRUE")
    assert (audience.last_id(), audience.count(everybody), audience.sample(everybody, 5)) == (0, Counted(0, False), [])
