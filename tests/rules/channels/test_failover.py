from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from channels.rules.failover import Standing, in_order

STANDINGS = st.lists(
    st.builds(Standing, st.text(min_size=1, max_size=5), st.integers(0, 3), st.integers(0, 200)),
    unique_by=lambda standing: standing.name,
    max_size=6,
)


@given(STANDINGS, st.integers())
def test_everybody_is_in_the_order_once_and_priorities_never_mix(standings: list[Standing], seed: int) -> None:
    order = in_order(standings, chance=Random(seed))  # noqa: S311 - a repeatable draw
    priorities = {standing.name: standing.priority for standing in standings}
    assert sorted(order) == sorted(priorities)
    assert [priorities[name] for name in order] == sorted(priorities.values())


def test_equals_come_first_as_often_as_their_weight_says() -> None:
    chance = Random(7)  # noqa: S311 - a repeatable draw
    standings = [Standing("heavy", 1, 75), Standing("light", 1, 25)]
    first = Counter(in_order(standings, chance=chance)[0] for _ in range(4000))
    assert 0.72 < first["heavy"] / 4000 < 0.78


def test_an_account_of_no_weight_comes_after_its_equals() -> None:
    standings = [Standing("spare", 1, 0), Standing("main", 1, 1), Standing("second", 2, 100)]
    assert in_order(standings, chance=Random(1)) == ["main", "spare", "second"]  # noqa: S311 - a repeatable draw
