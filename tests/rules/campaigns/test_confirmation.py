"""What is typed before very many are told."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.confirmation import TYPED, is_confirmed, words_for
from campaigns.vocabulary import Act


class Some(NamedTuple):
    """A campaign of this size."""

    name: str
    estimated: int | None


@given(st.sampled_from(Act), st.integers(0, 10**9), st.integers(0, 10**6))
def test_the_number_is_asked_for_above_the_limit_and_only_by_acts_that_tell(act: Act, size: int, limit: int) -> None:
    asked = words_for(act, Some("News", size), limit)
    assert asked == (str(size) if act in TYPED and size > limit else "")


def test_the_name_is_asked_for_where_nobody_knows_the_number() -> None:
    assert words_for(Act.START, Some("News", None), 1_000) == "News"
    assert words_for(Act.PAUSE, Some("News", None), 1_000) == ""


@given(st.integers(0, 10**9))
def test_a_number_is_confirmed_as_it_is_shown_and_by_no_other(number: int) -> None:
    assert is_confirmed(f"{number:,}", str(number))
    assert is_confirmed(f" {number:_}".replace("_", " "), str(number))
    assert not is_confirmed(str(number + 1), str(number))


@pytest.mark.parametrize("typed", ["", "news", "News!"])
def test_another_name_confirms_nothing(typed: str) -> None:
    assert not is_confirmed(typed, "News")
