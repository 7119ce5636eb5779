from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from channels.rules.merging import MOST_TAGS, Merged, merge

MARK = "0f3a9c"


def unmerged(merged: Merged) -> list[str]:
    """Each text again, by literal replacement as a provider does it."""
    made = []
    for values in merged.values:
        text = merged.body
        for tag, value in values.items():
            text = text.replace(tag, value)
        made.append(text)
    return made


#: Few different lines, so that texts share some and not others; and any text at all.
LINES = st.lists(st.sampled_from(["", "a", "b", "ü", "a b"]), max_size=8).map("\n".join)


@given(st.lists(st.one_of(LINES, st.text()), min_size=1, max_size=6))
def test_every_text_comes_back_to_the_character(texts: list[str]) -> None:
    merged = merge(texts, MARK)
    assert unmerged(merged) == texts
    assert len({tuple(values) for values in merged.values}) == 1


@given(st.lists(st.lists(st.booleans(), min_size=200, max_size=200), min_size=2, max_size=4))
def test_many_differences_are_joined_into_few_tags(choices: list[list[bool]]) -> None:
    texts = ["\n".join(f"{at}{'x' if one else ''}" for at, one in enumerate(choice)) for choice in choices]
    merged = merge(texts, MARK)
    assert unmerged(merged) == texts
    assert len(merged.values[0]) <= MOST_TAGS


def test_lines_that_all_share_are_said_once() -> None:
    merged = merge(["Hello Alice\nWelcome\nBye", "Hello Bob\nWelcome\nBye"], MARK)
    assert merged.body == f"-{MARK}0-\nWelcome\nBye"
    assert [list(values.values()) for values in merged.values] == [["Hello Alice"], ["Hello Bob"]]


def test_a_frame_gives_way_to_a_later_text() -> None:
    merged = merge(["1\nx\ny", "2\nx\ny", "1\nx\nz"], MARK)
    assert [list(values.values()) for values in merged.values] == [["1", "y"], ["2", "y"], ["1", "z"]]


def test_texts_that_are_equal_need_no_tag() -> None:
    assert merge(["a\nb", "a\nb"], MARK) == Merged("a\nb", [{}, {}])


def test_one_text_is_itself() -> None:
    assert merge([""], MARK) == Merged("", [{}])


def test_texts_of_different_shape_share_a_tag_alone() -> None:
    merged = merge(["a\nb", "a"], MARK)
    assert merged.body == f"-{MARK}0-"
    assert unmerged(merged) == ["a\nb", "a"]
