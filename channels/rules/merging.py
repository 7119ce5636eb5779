"""Many texts as one: what they share is said once, and a tag stands wherever they differ.

For providers that send one body to many people, with a value for each tag and person. Texts of one template differ in a
few lines only, so that a thousand mails of 30 KB become one of them and a thousand names.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

#: Tags in one text: beyond, neighbours are joined into one. SendGrid takes a hundred for text and HTML together.
MOST_TAGS = 40


class Merged(NamedTuple):
    """The common text, and what makes each of the texts of it."""

    body: str
    #: For each text, the value of every tag; the tags are the same for all.
    values: list[dict[str, str]]


def merge(texts: Sequence[str], mark: str) -> Merged:
    """The texts as one, compared line by line; `mark` must occur in none of them.

    Replacing each tag by its value gives every text back, to the character. Texts of different numbers of lines share
    nothing: a tag stands for the whole of them.
    """
    frame, values = _compared(texts) or (_Frame([("", 1)], ""), [[text] for text in texts])
    # Ends as it begins, so that no tag is the beginning of another.
    tags = [f"-{mark}{number}-" for number in range(len(frame.parts))]
    body = "".join(f"{literal}{tag}" for (literal, _), tag in zip(frame.parts, tags, strict=True)) + frame.tail
    return Merged(body, [dict(zip(tags, own, strict=True)) for own in values])


class _Frame(NamedTuple):
    """What texts have in common."""

    #: A literal, and how many lines follow it in which they differ.
    parts: list[tuple[str, int]]
    tail: str

    def values_in(self, text: str) -> list[str] | None:
        """What stands between the literals; None: the text does not fit the frame."""
        values, at = [], 0
        for literal, lines in self.parts:
            if not text.startswith(literal, at):
                return None
            start = at + len(literal)
            at = _end_of(text, start, lines)
            values.append(text[start:at])
        return values if len(text) - at == len(self.tail) and text.endswith(self.tail) else None


def _compared(texts: Sequence[str]) -> tuple[_Frame, list[list[str]]] | None:
    """The frame and each text's values; None when the numbers of lines differ.

    The frame begins as the first text, and gives way where another one does not fit it. Most fit at once, so that the
    long literals are compared in one go, and few texts are ever split.
    """
    lines = texts[0].split("\n")
    differs = [False] * len(lines)
    frame = _Frame([], texts[0])
    values: list[list[str]] = []
    stale = 0
    for number, text in enumerate(texts):
        own = frame.values_in(text)
        if own is None:
            others = text.split("\n")
            if len(others) != len(lines):
                return None
            differs = [known or one != other for known, one, other in zip(differs, lines, others, strict=True)]
            frame, stale = _frame(lines, differs), number
            own = frame.values_in(text)
        values.append(own or [])
    values[:stale] = [frame.values_in(text) or [] for text in texts[:stale]]
    return frame, values


def _frame(lines: Sequence[str], differs: Sequence[bool]) -> _Frame:
    """The first text's lines, with gaps where others differ."""
    parts, at = [], 0
    for start, end in _spans(differs):
        literal = "".join(f"{line}\n" for line in lines[at:start])
        parts.append((f"\n{literal}" if at else literal, end - start))
        at = end
    rest = "\n".join(lines[at:])
    return _Frame(parts, f"\n{rest}" if 0 < at < len(lines) else rest)


def _end_of(text: str, start: int, lines: int) -> int:
    """Where so many lines from `start` on end, before the line feed."""
    at = start - 1
    for _ in range(lines):
        at = text.find("\n", at + 1)
        if at < 0:
            return len(text)
    return at


def _spans(differs: Sequence[bool]) -> list[tuple[int, int]]:
    """Where runs of differing lines begin and end; those with the least between them joined, until they are few."""
    spans: list[tuple[int, int]] = []
    for at, differing in enumerate(differs):
        if differing and spans and spans[-1][1] == at:
            spans[-1] = (spans[-1][0], at + 1)
        elif differing:
            spans.append((at, at + 1))
    if len(spans) <= MOST_TAGS:
        return spans
    gaps = sorted(range(1, len(spans)), key=lambda at: spans[at - 1][1] - spans[at][0])
    cuts = [0, *sorted(gaps[: MOST_TAGS - 1]), len(spans)]
    return [(spans[start][0], spans[end - 1][1]) for start, end in pairwise(cuts)]
