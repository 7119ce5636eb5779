"""What an author may write in a template, refused when it is saved and again when it is compiled.

What a tag may hold stands in `template_expressions`. Nothing that remains can multiply its input by more than a
constant per tag, and what depends on the data (loops, lists) is metered while it renders (`template_weave`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from notify.policy import MAX_BLOCK_DEPTH, MAX_LOOP_DEPTH
from notify.rules.template_expressions import Expression
from notify.rules.template_syntax import STATEMENTS, Kind, Piece, TemplateFlaw, pieces_of


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A template that may be compiled, with what its compilation depends on."""

    pieces: tuple[Piece, ...]
    #: A loop, or a filter that walks or grows: its cost depends on the data.
    metered: bool
    #: Looks into objects or lists, where nulls and missing keys are.
    nested: bool
    #: Names a key that Python's own containers answer to, or a key that is only known when it renders.
    collides: bool
    #: For every piece, the variables it names, where its operators may take as long as those are large.
    heavy: tuple[tuple[str, ...], ...]
    #: How many variables it names, over all tags.
    mentions: int


def examine(source: str) -> Draft:
    """The template in pieces; raises `TemplateFlaw` with the place and the cure."""
    pieces = pieces_of(source)
    _check_blocks(pieces)
    findings = [Expression(piece).examined() if piece.tokens else None for piece in pieces]
    tags = [one for one in findings if one is not None]
    spelled = (
        piece if one is None else msgspec.structs.replace(piece, tokens=tuple(one.tokens))
        for piece, one in zip(pieces, findings, strict=True)
    )
    return Draft(
        pieces=tuple(spelled),
        metered=any(piece.kind is Kind.FOR for piece in pieces) or any(one.metered for one in tags),
        nested=any(one.nested for one in tags),
        collides=any(one.collides for one in tags),
        heavy=tuple(tuple(one.references) if one is not None and one.is_heavy else () for one in findings),
        mentions=sum(len(one.references) for one in tags),
    )


def _check_blocks(pieces: Sequence[Piece]) -> None:
    """Every block is closed by its own end, and none is too deep."""
    open_blocks: list[Piece] = []
    closed_by_else: set[int] = set()
    for piece in pieces:
        if piece.kind in (Kind.IF, Kind.FOR):
            open_blocks.append(piece)
            closed_by_else.discard(len(open_blocks))
            _check_depth(open_blocks)
        elif piece.kind in STATEMENTS:
            _check_partner(piece, open_blocks, closed_by_else)
    if open_blocks:
        word = open_blocks[-1].kind
        raise TemplateFlaw(
            "template_syntax", f"this {{% {word} %}} is never closed by {{% end{word} %}}", open_blocks[-1].line
        )


def _check_depth(open_blocks: Sequence[Piece]) -> None:
    line = open_blocks[-1].line
    if len(open_blocks) > MAX_BLOCK_DEPTH:
        raise TemplateFlaw("template_too_large", f"blocks may stand {MAX_BLOCK_DEPTH} deep; flatten them", line)
    if sum(block.kind is Kind.FOR for block in open_blocks) > MAX_LOOP_DEPTH:
        raise TemplateFlaw("template_too_large", f"loops may stand {MAX_LOOP_DEPTH} deep; flatten the data", line)


def _check_partner(piece: Piece, open_blocks: list[Piece], closed_by_else: set[int]) -> None:
    """An end, else or elif belongs to the innermost open block."""
    opener = open_blocks[-1].kind if open_blocks else None
    wanted = {Kind.ENDIF: (Kind.IF,), Kind.ELIF: (Kind.IF,), Kind.ENDFOR: (Kind.FOR,), Kind.ELSE: (Kind.IF, Kind.FOR)}
    if opener not in wanted[piece.kind] or (
        piece.kind in (Kind.ELSE, Kind.ELIF) and len(open_blocks) in closed_by_else
    ):
        raise TemplateFlaw("template_syntax", f"this {{% {piece.kind} %}} belongs to no open block", piece.line)
    if piece.kind is Kind.ELSE:
        closed_by_else.add(len(open_blocks))
    elif piece.kind in (Kind.ENDIF, Kind.ENDFOR):
        open_blocks.pop()
