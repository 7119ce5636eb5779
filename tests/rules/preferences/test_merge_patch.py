"""JSON merge patch: the examples of RFC 7396, and its laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preferences.rules.merging import merge

VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
DOCUMENTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


def with_nulls(value: Any) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.text(max_size=3), st.none() | VALUES, max_size=4)


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_standard(target: dict[str, Any], patch: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merge(target, patch) == merged


@given(document=DOCUMENTS)
def test_an_empty_patch_changes_nothing(document: dict[str, Any]) -> None:
    assert merge(document, {}) == document


@given(document=DOCUMENTS)
def test_a_document_without_nulls_patched_onto_nothing_is_itself(document: dict[str, Any]) -> None:
    assert merge({}, document) == document


@given(document=DOCUMENTS, patch=with_nulls(None))
def test_a_patch_applied_twice_is_as_good_as_once(document: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge(document, patch)
    assert merge(once, patch) == once


@given(document=DOCUMENTS, patch=with_nulls(None))
def test_neither_side_is_changed(document: dict[str, Any], patch: dict[str, Any]) -> None:
    before = (repr(document), repr(patch))
    merge(document, patch)
    assert (repr(document), repr(patch)) == before
