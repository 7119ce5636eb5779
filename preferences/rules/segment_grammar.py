"""The grammar of segments, and what is said where a text does not follow it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from types import MappingProxyType

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from channels.errors import Position

_GRAMMAR = r"""
start: some
some: all (_OR all)*
all: _one (_AND _one)*
_one: negated | "(" some ")" | constant | condition
negated: NOT _one
constant: TRUE | FALSE
?condition: field -> stands
    | field COMPARISON _value -> compared
    | field _IN list -> one_of
    | field NOT _IN list -> none_of
    | field _BETWEEN _value _AND _value -> between
    | field NOT _BETWEEN _value _AND _value -> outside
    | field _STARTS _WITH TEXT -> starts
    | field CONTAINS _value -> contains
    | _EXISTS field -> known
    | field _IS _NULL -> unknown
    | field _IS NOT _NULL -> known
list: "(" _value ("," _value)* ")"
field: (NAME | QUOTED) ("." (NAME | QUOTED))*
_value: TEXT | NUMBER | TRUE | FALSE | relative
relative: (NOW | TODAY) [SIGN WHOLE UNIT]

_OR.2: /or\b/i
_AND.2: /and\b/i
NOT.2: /not\b/i
TRUE.2: /true\b/i
FALSE.2: /false\b/i
_IN.2: /in\b/i
_BETWEEN.2: /between\b/i
_STARTS.2: /starts\b/i
_WITH.2: /with\b/i
CONTAINS.2: /contains\b/i
_EXISTS.2: /exists\b/i
_IS.2: /is\b/i
_NULL.2: /null\b/i
NOW.2: /now\b/i
TODAY.2: /today\b/i
UNIT.2: /(minute|hour|day|week|month|year)s?\b/i
COMPARISON: /<=|>=|<>|!=|=|<|>/
SIGN: /[+-]/
NUMBER: /[+-]?[0-9]+(\.[0-9]+)?(?![\w.])/
WHOLE: /[0-9]+/
TEXT: /'([^']|'')*'/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
QUOTED: /"([^"]|"")+"/
%ignore /[ \t\r\n]+/
"""
#: What people call the terminals; several are one thing to them.
_NAMES = MappingProxyType(
    {
        "NAME": "a field",
        "QUOTED": "a field",
        "TEXT": "a text in single quotes",
        "NUMBER": "a number",
        "WHOLE": "a whole number",
        "COMPARISON": "=, !=, <, <=, >, >=",
        "SIGN": "+ or - with a span, as in NOW - 30 DAYS",
        "UNIT": "MINUTES, HOURS, DAYS, WEEKS, MONTHS or YEARS",
        "LPAR": "an opening bracket",
        "RPAR": "a closing bracket",
        "COMMA": "a comma",
        "DOT": "a dot with the next key",
        "_STARTS": "STARTS WITH",
        "$END": "the end",
    }
)
#: What people write who know other languages, and what it is here.
_CURES = MappingProxyType(
    {
        "'": "This text has no closing quote; a quote inside a text is written twice.",
        '"': "This name has no closing quote, or is empty; texts stand in single quotes.",
        "\N{LEFT SINGLE QUOTATION MARK}": "Write straight quotes: 'text'.",
        "\N{RIGHT SINGLE QUOTATION MARK}": "Write straight quotes: 'text'.",
        "“": "Write straight single quotes: 'text'.",
        "”": "Write straight single quotes: 'text'.",
        "„": "Write straight single quotes: 'text'.",
        "&": "Write AND.",
        "|": "Write OR.",
        "!": "Write NOT, or != to compare.",
        "%": "There are no placeholders here; a value stands as it is.",
        ";": "A segment is one condition and has no semicolon.",
    }
)


class SegmentFault(ValueError):
    """A text that is no segment: what would be right, and where. Never what stands there."""

    def __init__(self, message: str, position: Position) -> None:
        """Keep both."""
        super().__init__(message)
        self.message = message
        self.position = position


def tree_of(text: str) -> Tree[Token]:
    """The text by the grammar; raises `SegmentFault` at the first place that does not follow it."""
    try:
        return _parser().parse(text)
    except UnexpectedInput as fault:
        raise _told(fault, text) from None


def position_in(text: str, offset: int) -> Position:
    """The place of a character."""
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, offset)


@cache
def _parser() -> Lark:
    """Made at the first segment, since it takes a tenth of a second."""
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)


def _told(fault: UnexpectedInput, text: str) -> SegmentFault:
    if isinstance(fault, UnexpectedToken):
        at = len(text) if fault.token.type == "$END" else fault.token.start_pos or 0
        return SegmentFault(f"Expected {_listed(fault.accepts or fault.expected)}.", position_in(text, at))
    at = fault.pos_in_stream or 0
    expected = fault.allowed if isinstance(fault, UnexpectedCharacters) and fault.allowed else set()
    cure = _CURES.get(text[at : at + 1], f"Expected {_listed(expected)}.")
    return SegmentFault(cure, position_in(text, at))


def _listed(terminals: Iterable[str]) -> str:
    """`a field, NOT or the end`: what may stand, things before words."""
    named = {_NAMES.get(one, one.strip("_")) for one in terminals}
    first, *others = sorted(named, key=lambda name: (name.isupper(), name == "the end", name))
    return " or ".join([", ".join([first, *others[:-1]]), *others[-1:]])
