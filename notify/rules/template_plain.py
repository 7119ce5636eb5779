"""Words in which tags only print what they name: put together here, at a third of what an engine takes for them.

Most pushes, subjects and text messages are such. Only texts and whole numbers are printed here, which every engine
spells alike; whatever else a value turns out to be, or where one is missing, the engine is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from notify.rules.template_expressions import COLLISIONS
from notify.rules.template_lint import Draft
from notify.rules.template_syntax import Kind, Piece

#: What the engine, too, takes for a whole number: 64 bits and the sign.
_MOST = 2**63 - 1


class Plain(msgspec.Struct, frozen=True, gc=False):
    """Texts and the values between them; there is one text more."""

    texts: tuple[str, ...]
    #: Keys from the outside in.
    paths: tuple[tuple[str, ...], ...]

    def filled(self, variables: Mapping[str, Any], user: Mapping[str, Any], room: int) -> str | None:
        """The words, or None: this is the engine's. `room` is how many characters the values may have in all."""
        out = [self.texts[0]]
        for path, text in zip(self.paths, self.texts[1:], strict=True):
            value: Any = user if path[0] == "user" else variables.get(path[0])
            for key in path[1:]:
                value = value.get(key) if type(value) is dict else None
            if type(value) is int and -_MOST <= value <= _MOST:
                value = str(value)
            elif type(value) is not str:
                return None
            room -= len(value)
            out += (value, text)
        return "".join(out) if room >= 0 else None


def plain_of(draft: Draft, names: Collection[str]) -> Plain | None:
    """The draft of a text field as plain words, or None where a tag does more; `names` are the variables it names."""
    if draft.collides or any(not _is_simple(piece, names) for piece in draft.pieces):
        return None
    texts, paths = [""], []
    for piece in draft.pieces:
        if piece.kind is Kind.TEXT:
            texts[-1] += piece.source
        elif piece.kind is Kind.PRINT:
            paths.append(tuple(token.text for token in piece.tokens[::2]))
            texts.append("")
    return Plain(tuple(texts), tuple(paths))


def _is_simple(piece: Piece, names: Collection[str]) -> bool:
    """Whether it is text, a comment, or the name of a variable with the keys into it."""
    if piece.trims_before or piece.trims_after:
        return False
    if piece.kind is not Kind.PRINT:
        return piece.kind in (Kind.TEXT, Kind.COMMENT)
    keys, dots = piece.tokens[::2], piece.tokens[1::2]
    return (
        all(key.kind == "name" for key in keys)
        and all(dot.text == "." for dot in dots)
        and len(keys) == len(dots) + 1
        and keys[0].text in names
        and COLLISIONS.isdisjoint(key.text for key in keys)
    )
