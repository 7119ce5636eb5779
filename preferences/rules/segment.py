"""The language of segments: from what people write to a checked tree. docs/segments.md tells it from their side."""

from __future__ import annotations

from typing import NamedTuple

from preferences.errors import InvalidSegment
from preferences.policy import MAX_SEGMENT_CHARS
from preferences.rules.segment_build import Builder
from preferences.rules.segment_grammar import SegmentFault, position_in, tree_of
from preferences.rules.segment_tree import Condition


class Segment(NamedTuple):
    """People by what is true of them."""

    text: str
    condition: Condition


def parse(text: str, pointer: str = "/segment") -> Segment:
    """The segment a text says; raises `InvalidSegment` with the place of the first fault.

    `pointer` is where the text stands in the caller's body.
    """
    try:
        _check_text(text)
        return Segment(text, Builder(text).condition(tree_of(text)))
    except SegmentFault as fault:
        raise InvalidSegment(fault.message, fault.position, pointer) from None


def _check_text(text: str) -> None:
    if len(text) > MAX_SEGMENT_CHARS:
        message = f"A segment has at most {MAX_SEGMENT_CHARS} characters; use a list of people or a topic instead."
        raise SegmentFault(message, position_in(text, MAX_SEGMENT_CHARS))
    for at, character in enumerate(text):
        if character == "\0" or "\ud800" <= character <= "\udfff":
            raise SegmentFault("NUL or half a surrogate pair is no text.", position_in(text, at))
