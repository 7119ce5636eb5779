from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channels.rules.bucket import Level, Taken, take


def test_a_new_bucket_is_full() -> None:
    level, taken = take(None, rate=10, burst=20, wanted=5, now=100.0)
    assert (level, taken) == (Level(15.0, 100.0), Taken(5, 15, 0.5, 0.0))


def test_what_is_not_there_is_not_granted_and_the_wait_is_named() -> None:
    _, taken = take(Level(2.0, 100.0), rate=10, burst=20, wanted=5, now=100.0)
    assert taken == Taken(2, 0, 2.0, 0.3)


def test_the_bucket_refills_with_time_up_to_its_burst() -> None:
    assert take(Level(0.0, 100.0), rate=10, burst=20, wanted=50, now=101.0)[1].granted == 10
    assert take(Level(0.0, 100.0), rate=10, burst=20, wanted=50, now=900.0)[1].granted == 20


def test_a_clock_that_goes_backwards_refills_nothing_and_does_not_stall() -> None:
    level, taken = take(Level(0.0, 5000.0), rate=10, burst=20, wanted=5, now=1000.0)
    assert taken.granted == 0
    assert take(level, rate=10, burst=20, wanted=5, now=1001.0)[1].granted == 5


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 50)), max_size=30),
    st.floats(0.5, 1000),
    st.floats(1, 1000),
)
def test_no_history_grants_more_than_the_burst_and_what_time_refilled(
    steps: list[tuple[float, int]], rate: float, burst: float
) -> None:
    level, now, elapsed, granted = None, 0.0, 0.0, 0
    for step, wanted in steps:
        now += step
        elapsed += max(0.0, step)
        level, taken = take(level, rate=rate, burst=burst, wanted=wanted, now=now)
        granted += taken.granted
        assert 0 <= taken.granted <= wanted
        assert taken.remaining >= 0
        assert taken.wait_seconds >= 0
    assert granted <= burst + elapsed * rate + 1e-6
