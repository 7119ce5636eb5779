"""The language of segments: what is understood, and what is refused where."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.errors import Position
from preferences import policy
from preferences.errors import InvalidSegment
from preferences.rules.segment import Segment, parse
from preferences.rules.segment_dates import is_instant, moment_of
from preferences.rules.segment_tree import All, Compare, Field, Moment, Not, OneOf, Operator, Relative, Reserved, Some

A, B, C = (Compare(Field(path=(key,)), Operator.EQUAL, value=True) for key in "abc")


def refusal(text: str) -> InvalidSegment:
    with pytest.raises(InvalidSegment) as raised:
        parse(text)
    return raised.value


def test_the_example_of_the_interface_is_understood() -> None:
    assert parse("last_active > '2026-01-01' AND country IN ('US','CA')").condition == All(
        (
            Compare(Field(path=("last_active",)), Operator.MORE, Moment("2026-01-01")),
            OneOf(Field(Reserved.COUNTRY), ("US", "CA")),
        )
    )


def test_not_binds_before_and_and_that_before_or() -> None:
    assert parse("NOT a AND b OR c").condition == Some((All((Not(A), B)), C))
    assert parse("not (a and (b or c))").condition == Not(All((A, Some((B, C)))))


def test_reserved_fields_are_known_in_any_case_and_hide_no_attribute() -> None:
    assert parse("exists Country_Code").condition == parse("exists country").condition
    for text in ("exists attributes.country", 'exists "country"', 'exists ATTRIBUTES."country"'):
        assert parse(text).condition.field == Field(path=("country",))


def test_words_of_the_language_may_name_attributes_where_nothing_else_fits() -> None:
    assert parse("now = 1 and days < 2 and attributes.not = 3 and a.in is null")
    assert parse('"not" = 1').condition.field == Field(path=("not",))


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", Position(1, 1, 0), "a field"),
        ("plan = ", Position(1, 8, 7), "a text in single quotes"),
        ("plan = gold", Position(1, 8, 7), "a text in single quotes"),
        ("plan = 'gold", Position(1, 8, 7), "no closing quote"),
        ("a = 1\nAND\n  b ? 2", Position(3, 5, 14), "BETWEEN"),
        ("(a = 1", Position(1, 7, 6), "a closing bracket"),
        ("a = 1)", Position(1, 6, 5), "the end"),
        ("a in ()", Position(1, 7, 6), "a number"),
        ("a = \u2018x\u2019", Position(1, 5, 4), "straight quotes"),
        ("a > NOW - 30", Position(1, 13, 12), "DAYS"),
        ("a > NOW - 101 years", Position(1, 11, 10), "a hundred years"),
        ("country = 'UK'", Position(1, 11, 10), "for example GB"),
        ("country in ('US', 'XX')", Position(1, 19, 18), "ISO 3166-1"),
        ("timezone = 'Mars'", Position(1, 12, 11), "IANA"),
        ("language = 'en-GB'", Position(1, 12, 11), "no language"),
        ("country = 1", Position(1, 11, 10), "country is a text"),
        ("country.code = 'x'", Position(1, 9, 8), "attributes.country"),
        ("created_at > 5", Position(1, 14, 13), "created_at is an instant"),
        ("created_at = '2026-02-30'", Position(1, 14, 13), "created_at is an instant"),
        ("created_at starts with '2026'", Position(1, 1, 0), "neither a text nor a list"),
        ("user_id AND a", Position(1, 1, 0), "neither true nor false"),
        ("has_push = 'yes'", Position(1, 12, 11), "TRUE or FALSE"),
        ("a < TRUE", Position(1, 5, 4), "no order"),
        ("tags contains NOW", Position(1, 15, 14), "relative date"),
        ("attributes = 1", Position(1, 1, 0), "Name an attribute"),
        ("a.b.c.d.e.f.g.h.i = 1", Position(1, 1, 0), "8 levels"),
        ("a = '\0'", Position(1, 6, 5), "NUL"),
    ],
)
def test_a_fault_is_told_with_its_place_and_the_cure(text: str, position: Position, words: str) -> None:
    (error,) = refusal(text).errors
    assert (error.pointer, error.code, error.position) == ("/segment", "invalid_segment", position)
    assert words in error.message


def test_a_fault_says_nothing_of_what_was_written() -> None:
    for text in ("email = 'alice@example.com' nonsense", "a = alice", "'alice' = a", "alice alice"):
        assert "alice" not in str(refusal(text).detail)


def test_the_pointer_is_where_the_segment_stands() -> None:
    with pytest.raises(InvalidSegment) as raised:
        parse("a =", "/audience/segment")
    assert raised.value.errors[0].pointer == "/audience/segment"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x" * (policy.MAX_SEGMENT_CHARS + 1), "characters"),
        ("(" * 20_000 + "a" + ")" * 20_000, "nest 20 deep"),
        ("NOT " * 12_000 + "a", "nest 20 deep"),
        ("a or " * 100 + "a", "100 conditions"),
        (f"a in ({','.join(['1'] * 1_001)})", "1000 values"),
        (f"a = {'1' * 41}", "40 digits"),
    ],
)
def test_what_is_too_much_is_refused_whatever_its_shape(text: str, words: str) -> None:
    assert words in refusal(text).detail


def test_a_segment_at_the_limits_is_understood() -> None:
    assert parse("(" * 19 + "a" + ")" * 19)
    assert parse("a or " * 99 + "a")
    assert parse(f"user_id in ({','.join(['1'] * 1_000)})".replace("1", "'u'"))


@given(text=st.text(max_size=80) | st.text("aN'\"().,=<>- 1\n", max_size=60))
def test_any_text_is_a_segment_or_refused_with_a_place(text: str) -> None:
    try:
        assert isinstance(parse(text), Segment)
    except InvalidSegment as refused:
        position = refused.errors[0].position
        assert position is not None
        assert 0 <= position.offset <= len(text)
        assert text[: position.offset].count("\n") == position.line - 1


@pytest.mark.parametrize(
    ("relative", "instant"),
    [
        (Relative(is_today=False), datetime(2024, 3, 31, 12, 30, tzinfo=UTC)),
        (Relative(is_today=True), datetime(2024, 3, 31, tzinfo=UTC)),
        (Relative(is_today=True, amount=-1, unit="months"), datetime(2024, 2, 29, tzinfo=UTC)),
        (Relative(is_today=True, amount=11, unit="months"), datetime(2025, 2, 28, tzinfo=UTC)),
        (Relative(is_today=False, amount=-36, unit="hours"), datetime(2024, 3, 30, 0, 30, tzinfo=UTC)),
        (Relative(is_today=True, amount=-100, unit="years"), datetime(1924, 3, 31, tzinfo=UTC)),
    ],
)
def test_a_relative_date_is_counted_on_the_calendar(relative: Relative, instant: datetime) -> None:
    assert moment_of(relative, datetime(2024, 3, 31, 12, 30, tzinfo=UTC)) == instant


@given(day=st.dates())
def test_every_date_there_is_is_an_instant(day: datetime) -> None:
    assert is_instant(day.isoformat())
    assert is_instant(f"{day.isoformat()}T23:59:59.123456+15:59")


@pytest.mark.parametrize(
    "text", ["2025-02-29", "1900-02-29", "2026-04-31", "2026-13-01", "2026-1-1", "2026-01-01T24:00"]
)
def test_a_date_that_is_not_on_the_calendar_is_a_text(text: str) -> None:
    assert not is_instant(text)
