"""When the system spares itself and when it goes on: every step of the thresholds, and no flapping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.policy import EASED_AFTER, OPERATOR_STANDS, SPARED_LEAST_ANSWERS
from notify.rules.overload import Standing, Strain, judged
from notify.vocabulary import SystemMode

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DEPTH = 1_000
NEVER = Standing(mode=SystemMode.NORMAL, is_automatic=False, since=None)


def chosen(mode: str, age: timedelta = EASED_AFTER, *, automatic: bool = True) -> Standing:
    return Standing(mode=SystemMode(mode), is_automatic=automatic, since=NOW - age)


def strain(waiting: int, errors: int = 0, answers: int = 1_000) -> Strain:
    return Strain(waiting=waiting, answers=answers, errors=errors)


def wanted(standing: Standing, weight: Strain) -> str | None:
    found = judged(standing, weight, DEPTH, now=NOW)
    return found.mode.value if found is not None else None


@pytest.mark.parametrize(
    ("waiting", "errors", "mode"),
    [
        (999, 200, None),
        (1_000, 0, "degraded"),
        (1_999, 1_000, "degraded"),
        (2_000, 0, "critical"),
        (0, 201, "degraded"),
    ],
)
def test_the_mode_follows_what_waits_and_what_fails(waiting: int, errors: int, mode: str | None) -> None:
    assert wanted(NEVER, strain(waiting, errors)) == mode


def test_a_few_answers_say_nothing_about_errors() -> None:
    few = SPARED_LEAST_ANSWERS - 1
    assert wanted(NEVER, strain(0, errors=few, answers=few)) is None


@pytest.mark.parametrize(
    ("mode", "waiting", "errors", "next_mode"),
    [
        ("critical", 1_000, 0, None),
        ("critical", 999, 0, "degraded"),
        ("critical", 0, 500, "degraded"),
        ("degraded", 500, 0, None),
        ("degraded", 499, 0, "normal"),
        ("degraded", 499, 50, None),
        ("degraded", 499, 49, "normal"),
        ("degraded", 2_000, 0, "critical"),
    ],
)
def test_a_mode_is_left_a_step_at_a_time_below_half_of_its_depth(
    mode: str, waiting: int, errors: int, next_mode: str | None
) -> None:
    assert wanted(chosen(mode), strain(waiting, errors)) == next_mode


def test_a_mode_just_chosen_is_not_eased_but_may_be_tightened() -> None:
    young = chosen("degraded", EASED_AFTER - timedelta(seconds=1))
    assert wanted(young, strain(0)) is None
    assert wanted(young, strain(2_000)) == "critical"


@pytest.mark.parametrize("mode", ["degraded", "critical"])
@given(waiting=st.integers(0, 10_000), errors=st.integers(0, 1_000), days=st.integers(0, 400))
def test_what_an_operator_put_in_force_is_never_touched(mode: str, waiting: int, errors: int, days: int) -> None:
    theirs = chosen(mode, timedelta(days=days), automatic=False)
    assert wanted(theirs, strain(waiting, errors)) is None


def test_an_operator_s_normal_stands_for_an_hour() -> None:
    assert wanted(chosen("normal", OPERATOR_STANDS - timedelta(seconds=1), automatic=False), strain(5_000)) is None
    assert wanted(chosen("normal", OPERATOR_STANDS, automatic=False), strain(5_000)) == "critical"


@given(st.sampled_from(SystemMode), st.integers(0, 5_000), st.integers(0, 1_000))
def test_the_same_strain_comes_to_rest_and_does_not_swing(mode: SystemMode, waiting: int, errors: int) -> None:
    weight = strain(waiting, errors)
    seen = [mode.value]
    while (following := wanted(chosen(seen[-1]), weight)) is not None:
        assert following not in seen
        seen.append(following)


def test_a_reason_is_told_in_numbers() -> None:
    assert judged(NEVER, strain(1_234), DEPTH, now=NOW) is not None
    found = judged(NEVER, strain(0, 300), DEPTH, now=NOW)
    assert found is not None
    assert found.reason == "30% of providers' answers are errors"
