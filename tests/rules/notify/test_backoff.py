"""How long to wait before the next attempt."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from notify.policy import RETRIES
from notify.rules.backoff import ceiling, delay_after
from notify.vocabulary import Priority

POLICY = RETRIES[Priority.MEDIUM]


def test_the_ceiling_grows_by_five_and_stops_at_five_minutes() -> None:
    seconds = [ceiling(attempt, POLICY).total_seconds() for attempt in (1, 2, 3, 4, 5, 6)]
    assert seconds == [1, 5, 25, 125, 300, 300]


def test_the_ten_thousandth_attempt_does_not_overflow() -> None:
    assert ceiling(10_000, POLICY) == timedelta(seconds=300)


def test_urgent_priorities_retry_three_times_and_others_five() -> None:
    assert [RETRIES[priority].retries for priority in Priority] == [3, 3, 5, 5]


@given(st.integers(-5, 10_000), st.floats(0, 1))
def test_full_jitter_stays_between_nothing_and_the_ceiling(attempt: int, chance: float) -> None:
    assert timedelta(0) <= delay_after(attempt, POLICY, chance=chance) <= ceiling(attempt, POLICY)
