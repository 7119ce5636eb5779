from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.snapshots import Snapshot, snapshot_of

IDS = st.integers(0, 10**18 - 1)


@given(low=IDS, high=IDS, under_way=st.frozensets(IDS, max_size=20))
def test_a_snapshot_is_read_as_it_was_written(low: int, high: int, under_way: frozenset[int]) -> None:
    snapshot = Snapshot(low, high, under_way)
    assert snapshot_of(str(snapshot)) == snapshot


@given(st.text(max_size=40))
def test_what_is_no_snapshot_is_none(text: str) -> None:
    found = snapshot_of(text)
    assert found is None or isinstance(found, Snapshot)


@pytest.mark.parametrize(
    "text", ["", "1", "1:2", "1:2:,", "1:2:3,", "a:2:", "1:2:3;", "-1:2:", "1:2:3\n", "1" * 19 + ":2:"]
)
def test_these_are_no_snapshots(text: str) -> None:
    assert snapshot_of(text) is None


def test_seen_is_what_ended_before_and_not_what_was_open() -> None:
    snapshot = Snapshot(10, 15, frozenset({10, 12}))
    assert [one for one in range(8, 17) if snapshot.has_seen(one)] == [8, 9, 11, 13, 14]
