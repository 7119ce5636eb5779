"""A template cut into text and tags.

The language is a small part of Jinja: `{{ expression }}`, `{% if %}`, `{% for %}` and `{# comments #}`. What cannot
be written in it cannot harm: there are no assignments, macros, calls or inclusions. The engine is never handed what
an author wrote, only what was understood here and spelled anew (`template_weave`), so the two cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from notify.policy import MAX_HTML, MAX_LITERAL, MAX_TAGS, MAX_TOKENS

#: What marks the place of a tag while other programs (MJML, CSS, text) work on what is around it: printable signs
#: beyond ASCII, which are words in HTML, text in MJML and identifiers in CSS.
MARK_OPEN, MARK_CLOSE = "\u27e6", "\u27e7"


class Kind(StrEnum):
    """What a piece of a template is."""

    TEXT = "text"
    COMMENT = "comment"
    PRINT = "print"
    IF = "if"
    ELIF = "elif"
    ELSE = "else"
    ENDIF = "endif"
    FOR = "for"
    ENDFOR = "endfor"


STATEMENTS = frozenset(Kind) - {Kind.TEXT, Kind.COMMENT, Kind.PRINT}


class Token(NamedTuple):
    """One word of an expression: `kind` is name, string, number or op."""

    kind: str
    text: str


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A run of text, or one tag."""

    kind: Kind
    #: Line of the field at which it starts, from 1.
    line: int
    #: As the author wrote it.
    source: str
    #: The expression; without the word of the statement.
    tokens: tuple[Token, ...] = ()
    #: `{%-` and `-%}`: white space beside the tag is left out.
    trims_before: bool = False
    trims_after: bool = False


class TemplateFlaw(ValueError):
    """A template that is refused when it is saved; says where and what would be right."""

    def __init__(self, code: str, message: str, line: int = 0) -> None:
        """Keep the stable word, the cure, and the line of the field (0: the field as a whole)."""
        super().__init__(message)
        self.code = code
        self.message = f"line {line}: {message}" if line else message
        self.line = line


_MARKED = re.compile(rf"{MARK_OPEN}\d+{MARK_CLOSE}")
_START = re.compile(r"\{\{|\{%|\{#")
_END = {"{{": re.compile(r"\s*(-?)\}\}"), "{%": re.compile(r"\s*(-?)%\}")}
_COMMENT_END = re.compile(r"(-?)#\}")
_TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)
          |(?P<number>(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?(?![0-9A-Za-z_]))
          |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
          |(?P<op>==|!=|<=|>=|//|[-+/%~|.,:()\[\]=<>]))""",
    re.DOTALL | re.VERBOSE,
)
_CURES = {
    "*": "there is no multiplication; compute the product before you send",
    "{": "there are no object literals; pass an object as a variable",
    "}": "there are no object literals; pass an object as a variable",
}
_UNSUPPORTED = (
    "there is no {%% %s %%}; a template has {%% if %%}, {%% elif %%}, {%% else %%}, {%% endif %%}, "
    "{%% for %%}, {%% endfor %%}; give what it needs as variables"
)


def pieces_of(source: str) -> tuple[Piece, ...]:
    """The template in order; raises `TemplateFlaw` for what is no template of this language."""
    if len(source) > MAX_HTML:
        raise TemplateFlaw("template_too_large", f"built, one field may hold {MAX_HTML:,} characters; shorten it")
    if _MARKED.search(source):
        text = f"a number between the brackets {MARK_OPEN} and {MARK_CLOSE} is for internal use; put a space between"
        raise TemplateFlaw("template_syntax", text)
    pieces = tuple(_cut(source))
    if sum(piece.kind is not Kind.TEXT for piece in pieces) > MAX_TAGS:
        raise TemplateFlaw("template_too_large", f"one field may hold {MAX_TAGS} tags; send what is long as one text")
    return pieces


def _cut(source: str) -> Iterator[Piece]:
    at, line = 0, 1
    while match := _START.search(source, at):
        if match.start() > at:
            yield Piece(kind=Kind.TEXT, line=line, source=source[at : match.start()])
        line += source.count("\n", at, match.start())
        piece = _comment(source, match.start(), line) if match[0] == "{#" else _tag(source, match.start(), line)
        yield piece
        at = match.start() + len(piece.source)
        line += piece.source.count("\n")
    if at < len(source):
        yield Piece(kind=Kind.TEXT, line=line, source=source[at:])


def _comment(source: str, start: int, line: int) -> Piece:
    end = _COMMENT_END.search(source, start + 2)
    if end is None:
        raise TemplateFlaw("template_syntax", "this comment has no end; close it with #}", line)
    return Piece(
        kind=Kind.COMMENT,
        line=line,
        source=source[start : end.end()],
        trims_before=source[start + 2 : start + 3] == "-",
        trims_after=bool(end[1]),
    )


def _tag(source: str, start: int, line: int) -> Piece:
    opening = source[start : start + 2]
    sign = source[start + 2 : start + 3]
    at = start + 3 if sign and sign in "-+" else start + 2
    tokens: list[Token] = []
    while not (end := _END[opening].match(source, at)):
        token, at = _token(source, at, line)
        tokens.append(token)
        if len(tokens) > MAX_TOKENS:
            raise TemplateFlaw("template_too_large", f"a tag may hold {MAX_TOKENS} words and signs; split it", line)
    kind = Kind.PRINT
    if opening == "{%":
        kind = _statement(tokens, line)
        tokens = tokens[1:]
    return Piece(
        kind=kind,
        line=line,
        source=source[start : end.end()],
        tokens=tuple(tokens),
        trims_before=sign == "-",
        trims_after=bool(end[1]),
    )


def _token(source: str, at: int, line: int) -> tuple[Token, int]:
    match = _TOKEN.match(source, at)
    if match is None or match.lastgroup is None:
        rest = source[at:].lstrip()
        if not rest:
            raise TemplateFlaw("template_syntax", "this tag has no end; close it with }} or %}", line)
        cure = _CURES.get(rest[0], f"{rest[0]!r} cannot stand in a tag")
        raise TemplateFlaw("template_syntax", cure, line)
    text = match[match.lastgroup]
    if match.lastgroup == "string" and len(text) > MAX_LITERAL:
        raise TemplateFlaw("template_too_large", f"a quoted text may hold {MAX_LITERAL} characters", line)
    return Token(match.lastgroup, text), match.end()


def _statement(tokens: list[Token], line: int) -> Kind:
    word = tokens[0].text if tokens and tokens[0].kind == "name" else ""
    if word not in STATEMENTS:
        raise TemplateFlaw("template_unsafe", _UNSUPPORTED % word[:30], line)
    return Kind(word)
