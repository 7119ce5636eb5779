"""Two texts side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from notify.admin.differences import Row, side_by_side

LINES = st.text(alphabet="ab \n<", max_size=60)


def text_of(rows: list[Row], side: str) -> list[str]:
    columns = [getattr(row, side) for row in rows]
    return ["".join(piece.text for piece in column) for column in columns if column is not None]


def test_a_changed_word_is_marked_and_its_neighbours_are_not() -> None:
    (row,) = side_by_side("the order left today", "the parcel left today")
    assert [(piece.text, piece.is_changed) for piece in row.left or []] == [
        ("the ", False),
        ("order", True),
        (" left today", False),
    ]


def test_a_line_that_is_gone_has_nothing_beside_it() -> None:
    rows = list(side_by_side("one\ntwo\nthree", "one\nthree"))
    assert [(row.kind, row.right is None) for row in rows] == [("same", False), ("removed", True), ("same", False)]


def test_a_field_that_was_not_there_is_added_line_by_line() -> None:
    assert [row.kind for row in side_by_side(None, "one\ntwo")] == ["added", "added"]


def test_a_line_of_hundreds_of_words_is_marked_whole() -> None:
    (row,) = side_by_side("a " * 300, "a " * 299 + "b ")
    assert [len(row.left or []), len(row.right or [])] == [1, 1]


@given(LINES, LINES)
def test_each_side_holds_its_own_text(before: str, after: str) -> None:
    rows = list(side_by_side(before, after))
    assert text_of(rows, "left") == before.splitlines()
    assert text_of(rows, "right") == after.splitlines()
