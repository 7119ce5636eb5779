from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channels import policy
from channels.rules.breaker import Answered, Breaker, BreakerTerms, Probe, State, room, settle

TERMS = BreakerTerms()


def answered(breaker: Breaker, sound: int = 0, faults: int = 0, *, is_run: bool = False) -> Answered:
    return Answered(turn=breaker.turn, token="page", sound=sound, faults=faults, is_run=is_run)


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker()
    settle(breaker, TERMS, answered(breaker, faults=5), now)
    assert breaker.state is State.OPEN
    return breaker


def half_open(now: float = 130.0) -> Breaker:
    breaker = opened()
    assert room(breaker, TERMS, now) == 3
    return breaker


def test_a_closed_circuit_has_room_for_all() -> None:
    assert room(Breaker(), TERMS, 0.0) is None


def test_the_fifth_fault_in_a_row_opens_it_for_thirty_seconds() -> None:
    breaker = Breaker()
    for _ in range(4):
        settle(breaker, TERMS, answered(breaker, faults=1), 100.0)
    assert (breaker.state, breaker.failures) == (State.CLOSED, 4)
    settle(breaker, TERMS, answered(breaker, faults=1), 101.0)
    assert (breaker.state, breaker.failures, breaker.until, breaker.turn) == (State.OPEN, 0, 131.0, 1)
    assert room(breaker, TERMS, 130.9) == 0


def test_a_page_with_a_sound_answer_ends_the_run() -> None:
    breaker = Breaker()
    settle(breaker, TERMS, answered(breaker, faults=4), 100.0)
    settle(breaker, TERMS, answered(breaker, sound=1, faults=4), 100.0)
    assert (breaker.state, breaker.failures) == (State.CLOSED, 0)


def test_a_run_the_transport_saw_opens_it_though_the_page_began_well() -> None:
    breaker = Breaker()
    settle(breaker, TERMS, answered(breaker, sound=100, faults=5, is_run=True), 100.0)
    assert breaker.state is State.OPEN


def test_half_of_twenty_requests_within_ten_seconds_open_it() -> None:
    breaker = Breaker()
    settle(breaker, TERMS, answered(breaker, sound=9, faults=9), 100.0)
    assert breaker.state is State.CLOSED
    settle(breaker, TERMS, answered(breaker, sound=1, faults=1), 109.0)
    assert breaker.state is State.OPEN


def test_the_share_is_of_its_window_alone_and_needs_a_fault() -> None:
    breaker = Breaker()
    settle(breaker, TERMS, answered(breaker, sound=9, faults=9), 100.0)
    settle(breaker, TERMS, answered(breaker, sound=1, faults=1), 110.0)
    assert breaker.state is State.CLOSED
    settle(breaker, TERMS, answered(breaker, sound=10, faults=9), 111.0)
    settle(breaker, TERMS, answered(breaker, sound=0, faults=0), 112.0)
    assert breaker.state is State.CLOSED


def test_after_its_time_it_lets_three_probes_through_at_once() -> None:
    breaker = half_open()
    assert (breaker.state, breaker.turn) == (State.HALF_OPEN, 2)
    breaker.probes.append(Probe("page", 2, 150.0))
    assert room(breaker, TERMS, 131.0) == 1


def test_probes_that_are_lost_free_their_places() -> None:
    breaker = half_open()
    breaker.probes.append(Probe("page", 3, 150.0))
    assert room(breaker, TERMS, 149.9) == 0
    assert room(breaker, TERMS, 150.0) == 3


def test_three_sound_probes_close_it_with_clean_counters() -> None:
    breaker = half_open()
    settle(breaker, TERMS, answered(breaker, sound=2), 131.0)
    settle(breaker, TERMS, answered(breaker, sound=1), 132.0)
    assert breaker == Breaker(turn=3, last_fault_at=100.0)


def test_any_fault_of_a_probe_opens_it_again() -> None:
    breaker = half_open()
    settle(breaker, TERMS, answered(breaker, sound=2), 131.0)
    settle(breaker, TERMS, answered(breaker, sound=2, faults=1), 132.0)
    assert (breaker.state, breaker.until, breaker.successes) == (State.OPEN, 162.0, 0)


def test_a_probe_that_proves_nothing_frees_its_place() -> None:
    breaker = half_open()
    breaker.probes.append(Probe("page", 3, 150.0))
    settle(breaker, TERMS, answered(breaker), 131.0)
    assert (breaker.state, room(breaker, TERMS, 131.0)) == (State.HALF_OPEN, 3)


def test_answers_of_an_earlier_turn_change_nothing() -> None:
    breaker = half_open()
    settle(breaker, TERMS, Answered(turn=0, token="late", sound=50), 131.0)
    settle(breaker, TERMS, Answered(turn=1, token="late", faults=50), 131.0)
    assert (breaker.state, breaker.turn, breaker.successes) == (State.HALF_OPEN, 2, 0)


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(0, 20), st.integers(0, 20)), max_size=60))
def test_no_history_lets_more_out_than_threshold_and_pages_in_hand(steps: list[tuple[float, int, int]]) -> None:
    """Pages one after the other: without a sound answer, no page is let through beyond the one that met the fifth."""
    breaker, now = Breaker(), 0.0
    for passed, sound, faults in steps:
        now += passed
        free = room(breaker, TERMS, now)
        if free is None:
            assert breaker.failures < TERMS.failures
            settle(breaker, TERMS, answered(breaker, sound, faults), now)
        elif free:
            count = min(free, sound + faults)
            bad = min(faults, count)
            settle(breaker, TERMS, answered(breaker, count - bad, bad), now)
        else:
            assert now < breaker.until <= now + policy.BREAKER_OPEN_SECONDS
        assert sum(probe.count for probe in breaker.probes) <= TERMS.probes
