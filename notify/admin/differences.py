"""Two texts side by side, line by line, with the words that differ marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

import msgspec

from notify.rules.template_requests import Change

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
#: Lines more different than this are not the same line changed, but another line.
_ALIKE = 0.3
#: Words of a line that are compared one by one; a longer line is marked whole.
_MOST_WORDS = 400


class Piece(msgspec.Struct, frozen=True):
    """Some characters of a line, and whether the other side has others there."""

    text: str
    is_changed: bool = False


class Row(msgspec.Struct, frozen=True):
    """One line of both sides; None: the side has no such line."""

    left: list[Piece] | None
    right: list[Piece] | None
    #: same, changed, removed or added.
    kind: str


class Compared(msgspec.Struct, frozen=True):
    """One field of a template in two versions."""

    channel: str
    locale: str
    field: str
    rows: list[Row]


def compared(change: Change) -> Compared:
    """A field that differs, ready to be shown."""
    return Compared(change.channel, change.locale, change.field, list(side_by_side(change.before, change.after)))


def side_by_side(before: str | None, after: str | None) -> Iterator[Row]:
    """The lines of both texts, each beside the one it became."""
    left, right = (before or "").splitlines(), (after or "").splitlines()
    for tag, i, j, k, m in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (Row([Piece(line)], [Piece(line)], "same") for line in left[i:j])
            continue
        pairs = min(j - i, m - k)
        for old, new in zip(left[i : i + pairs], right[k : k + pairs], strict=True):
            yield _changed(old, new)
        yield from (Row([Piece(line, is_changed=True)], None, "removed") for line in left[i + pairs : j])
        yield from (Row(None, [Piece(line, is_changed=True)], "added") for line in right[k + pairs : m])


def _changed(old: str, new: str) -> Row:
    one, other = _WORDS.findall(old), _WORDS.findall(new)
    if max(len(one), len(other)) > _MOST_WORDS:
        return Row([Piece(old, is_changed=True)], [Piece(new, is_changed=True)], "changed")
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return Row([Piece(old, is_changed=True)], [Piece(new, is_changed=True)], "changed")
    left, right = [], []
    for tag, i, j, k, m in matcher.get_opcodes():
        left.append(Piece("".join(one[i:j]), tag != "equal"))
        right.append(Piece("".join(other[k:m]), tag != "equal"))
    return Row([piece for piece in left if piece.text], [piece for piece in right if piece.text], "changed")
