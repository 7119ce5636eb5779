from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import policy
from channels.rules.scorecard import EDGES, Minute, Vitals, health_of, score_of, vitals_of


def minute(sound: int = 0, faults: int = 0, ms: float = 20.0) -> Minute:
    line = Minute(faults=faults)
    line.add_sound([ms] * sound)
    return line


VITALS = st.builds(Vitals, st.floats(0, 1), st.none() | st.floats(0, 60_000))


def test_a_score_is_of_the_last_fifteen_minutes() -> None:
    lines = {85: minute(50), 86: minute(6), 100: minute(3, faults=1), 101: minute(9)}
    score = score_of(lines, now_minute=100)
    assert (score.sound, score.faults, score.success_rate) == (9, 1, 0.9)
    assert (score.mean_ms, score.p95_ms) == (20.0, 20.0)


def test_without_traffic_nothing_is_claimed() -> None:
    score = score_of({}, now_minute=100)
    assert (score.success_rate, score.mean_ms, score.p95_ms) == (None, None, None)


def test_the_percentile_is_the_edge_of_its_column() -> None:
    line = minute(94, ms=30.0)
    line.add_sound([3000.0] * 6)
    assert score_of({1: line}, now_minute=1).p95_ms == 5000.0
    line.add_sound([EDGES[-1] + 1])
    assert sum(line.columns) == 101


def test_half_of_the_requests_in_error_leave_a_quarter_of_the_weight() -> None:
    vitals = vitals_of({100: minute(5000, faults=5000)}, now_minute=100)
    assert health_of({"a": vitals})["a"] == pytest.approx(0.25, abs=0.01)


def test_one_error_among_few_requests_moves_little() -> None:
    assert health_of({"a": vitals_of({100: minute(0, faults=1)}, now_minute=100)})["a"] > 0.9


def test_quiet_minutes_give_the_weight_back() -> None:
    lines = {100: minute(0, faults=1000)}
    shares = [health_of({"a": vitals_of(lines, now_minute=at)})["a"] for at in range(100, 116)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (policy.LEAST_HEALTH, 1.0)


def test_who_is_slow_loses_weight_unless_all_are() -> None:
    assert health_of({"a": Vitals(0.0, 100.0), "b": Vitals(0.0, 2000.0)}) == {"a": 1.0, "b": 0.25}
    assert health_of({"a": Vitals(0.0, 2000.0), "b": Vitals(0.0, 3000.0)}) == {"a": 1.0, "b": 1.0}
    assert health_of({"a": Vitals(0.0, 1.0), "b": Vitals(0.0, 400.0)}) == {"a": 1.0, "b": 1.0}


@given(st.dictionaries(st.text(max_size=3), VITALS, max_size=5))
def test_every_share_is_bounded_and_the_fastest_pays_for_its_errors_alone(vitals: dict[str, Vitals]) -> None:
    shares = health_of(vitals)
    assert all(policy.LEAST_HEALTH <= share <= 1.0 for share in shares.values())
    answering = [name for name, one in vitals.items() if one.mean_ms is not None]
    if answering:
        fastest = min(answering, key=lambda name: vitals[name].mean_ms or 0.0)
        assert shares[fastest] == max(policy.LEAST_HEALTH, (1 - vitals[fastest].error_share) ** 2)
