"""What an author may write in a template, refused when it is saved and again when it is compiled.

Everything is allowed by name: filters, tests, operators. Nothing that remains can multiply its input by more than a
constant per tag, and what depends on the data (loops, lists) is metered while it renders (`template_weave`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from notify.policy import MAX_ARGUMENT, MAX_BLOCK_DEPTH, MAX_LOOP_DEPTH
from notify.rules.template_syntax import STATEMENTS, Kind, Piece, TemplateFlaw, Token, pieces_of

#: Filters whose work does not depend on how long a list is, and whose result is as long as what they get.
PLAIN_FILTERS = frozenset(
    [
        "abs",
        "bool",
        "capitalize",
        "d",
        "default",
        "first",
        "float",
        "int",
        "last",
        "lower",
        "pluralize",
        "round",
        "string",
        "title",
        "trim",
        "truncate",
        "upper",
    ]
)
#: Filters that walk a list; each is weighed before it runs.
LIST_FILTERS = frozenset(
    [
        "count",
        "length",
        "list",
        "max",
        "min",
        "reverse",
        "rejectattr",
        "selectattr",
        "sort",
        "sum",
        "unique",
        "groupby",
        "map",
    ]
)
MAPPING_FILTERS = frozenset({"dictsort", "items"})
TEXT_FILTERS = frozenset({"lines", "split"})
#: Filters whose result may be longer than what they get; one in a tag.
GROWING_FILTERS = frozenset({"join", "replace", "tojson", "urlencode"})
FILTERS = PLAIN_FILTERS | LIST_FILTERS | MAPPING_FILTERS | TEXT_FILTERS | GROWING_FILTERS
TESTS = frozenset(
    [
        "boolean",
        "defined",
        "divisibleby",
        "endingwith",
        "eq",
        "equalto",
        "even",
        "false",
        "ge",
        "gt",
        "iterable",
        "le",
        "lt",
        "mapping",
        "ne",
        "none",
        "number",
        "odd",
        "sequence",
        "startingwith",
        "string",
        "true",
        "undefined",
        "integer",
        "float",
    ]
)
#: Attribute names that Python's lists and dictionaries have too: a missing key must not find those instead.
COLLISIONS = frozenset(
    [
        "append",
        "clear",
        "copy",
        "count",
        "extend",
        "fromkeys",
        "get",
        "index",
        "insert",
        "items",
        "keys",
        "pop",
        "popitem",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
        "values",
    ]
)
_WORDS = frozenset(["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"])
_VALUES_END = frozenset({")", "]"})
_ATTRIBUTE_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
_CURES = {
    "safe": "values are always escaped in HTML; write the markup into the template itself",
    "e": "values are escaped by themselves; leave this filter out",
    "escape": "values are escaped by themselves; leave this filter out",
}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A template that may be compiled, with what its compilation depends on."""

    pieces: tuple[Piece, ...]
    #: A loop, or a filter that walks or grows: its cost depends on the data.
    metered: bool
    #: Looks into objects or lists, where nulls and missing keys are.
    nested: bool
    #: Names a key that Python's own containers answer to, or a key that is only known when it renders.
    collides: bool
    #: How many variables it names, over all tags.
    mentions: int


def examine(source: str) -> Draft:
    """The template in pieces; raises `TemplateFlaw` with the place and the cure."""
    pieces = pieces_of(source)
    _check_blocks(pieces)
    findings = [_Expression(piece).examined() for piece in pieces if piece.tokens]
    return Draft(
        pieces=pieces,
        metered=any(piece.kind is Kind.FOR for piece in pieces) or any(one.metered for one in findings),
        nested=any(one.nested for one in findings),
        collides=any(one.collides for one in findings),
        mentions=sum(one.mentions for one in findings),
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


class _Expression:
    """One tag's expression under examination, token by token.

    Whether brackets match and operators have operands is the engine's business: it compiles what passed here.
    """

    def __init__(self, piece: Piece) -> None:
        self.line = piece.line
        self.tokens = piece.tokens
        self.kind = piece.kind
        self.metered = self.nested = self.collides = False
        self.mentions = self.growing = 0
        #: End of the iterated expression of a `for`; 0 in any other tag.
        self.iterated_until = 0

    def examined(self) -> _Expression:
        """Itself, once everything in it is known to be allowed."""
        if self.kind in (Kind.ELSE, Kind.ENDIF, Kind.ENDFOR):
            raise self._flaw("template_syntax", f"nothing may follow {self.kind} in its tag")
        at = self._loop_head() if self.kind is Kind.FOR else 0
        while at < len(self.tokens):
            at = self._step(at)
        return self

    def _step(self, at: int) -> int:
        """Check one token (a filter with its arguments); where the next one is."""
        kind, text = self.tokens[at]
        if kind == "op":
            return self._operator(at, text)
        if kind == "name":
            return self._name(at, text)
        if at and self._is_value(at - 1):
            raise self._flaw("template_syntax", f"an operator is missing before {text[:30]}")
        if at < self.iterated_until and not self._text(at - 1) == "[":
            raise self._flaw("template_unsafe", "a loop goes over a variable; pass the list as one")
        return at + 1

    def _operator(self, at: int, text: str) -> int:
        if text == "|":
            return self._filter(at + 1)
        if text == ".":
            return self._attribute(at + 1)
        if text == "[":
            self._subscript(at)
        elif text == "(" and at and self._is_value(at - 1):
            raise self._flaw("template_unsafe", "nothing can be called; use a filter, or send the value as a variable")
        elif text == "=":
            raise self._flaw("template_syntax", "to compare, write ==")
        elif at < self.iterated_until and text != "]":
            raise self._flaw("template_unsafe", "a loop goes over a variable, with filters; nothing else")
        return at + 1

    def _name(self, at: int, text: str) -> int:
        if text == "is":
            return self._test(at + 1)
        if text in _WORDS:
            if at < self.iterated_until:
                raise self._flaw("template_unsafe", "a loop goes over a variable, with filters; nothing else")
            return at + 1
        self._check_name(text)
        if at and self._is_value(at - 1):
            raise self._flaw("template_syntax", f"an operator is missing before {text[:30]}")
        self.mentions += 1
        return at + 1

    def _filter(self, at: int) -> int:
        name = self._text(at)
        if name not in FILTERS:
            cure = _CURES.get(name, f"there are {', '.join(sorted(FILTERS))}")
            raise self._flaw("template_unsafe", f"there is no filter {name[:30]}: {cure}")
        if name not in PLAIN_FILTERS:
            self.metered = True
        if name in GROWING_FILTERS:
            self.growing += 1
            if self.growing > 1:
                text = f"only one of {', '.join(sorted(GROWING_FILTERS))} may stand in a tag"
                raise self._flaw("template_unsafe", text)
        if self._text(at + 1) != "(":
            if name in ("map", "replace", "groupby", "selectattr", "rejectattr"):
                raise self._flaw("template_syntax", f"the filter {name} needs arguments")
            return at + 1
        return at + 2 if name in ("d", "default") else self._arguments(name, at + 2)

    def _arguments(self, name: str, at: int) -> int:
        """The arguments of a filter are literals: what depends on the data could be of any size."""
        if name == "map" and (self._text(at), self._text(at + 1)) != ("attribute", "="):
            raise self._flaw("template_unsafe", 'map takes one thing: map(attribute="name")')
        while (text := self._text(at)) != ")":
            kind = self.tokens[at].kind if text else ""
            keyword = kind == "name" and self._text(at + 1) == "="
            if (
                not text
                or (kind == "op" and text not in ",-=")
                or (kind == "name" and not keyword and text not in _WORDS)
            ):
                raise self._flaw("template_unsafe", f"the arguments of {name} are texts and numbers in parentheses")
            if kind == "string":
                self._check_argument(name, text[1:-1])
            at += 1
        return at + 1

    def _check_argument(self, name: str, text: str) -> None:
        if len(text) > MAX_ARGUMENT:
            raise self._flaw("template_too_large", f"an argument of {name} may hold {MAX_ARGUMENT} characters")
        if name in ("map", "groupby", "sum", "sort", "selectattr", "rejectattr", "unique", "min", "max"):
            if not _ATTRIBUTE_PATH.fullmatch(text):
                # A value to compare with; names of keys begin with a letter.
                if "_" in text[:1] or "._" in text:
                    raise self._flaw("template_unsafe", "names that begin with _ are private")
                return
            self.nested = True
            self.collides = self.collides or not COLLISIONS.isdisjoint(text.split("."))

    def _test(self, at: int) -> int:
        if self._text(at) == "not":
            at += 1
        name = self._text(at)
        if name not in TESTS:
            raise self._flaw("template_unsafe", f"there is no test {name[:30]}: there are {', '.join(sorted(TESTS))}")
        return self._arguments(name, at + 2) if self._text(at + 1) == "(" else at + 1

    def _attribute(self, at: int) -> int:
        name = self._text(at)
        if at >= len(self.tokens) or self.tokens[at].kind != "name" or not self._is_value(at - 2):
            raise self._flaw("template_syntax", "after a dot comes the name of a key; write [0] for a place in a list")
        self._check_name(name)
        self.nested = True
        self.collides = self.collides or name in COLLISIONS
        if self._text(at + 1) == "(":
            raise self._flaw("template_unsafe", "nothing can be called; use a filter, or send the value as a variable")
        return at + 1

    def _subscript(self, at: int) -> None:
        if not at or not self._is_value(at - 1):
            if at < self.iterated_until:
                raise self._flaw("template_unsafe", "a loop goes over a variable; pass the list as one")
            return
        self.nested = True
        inside = self.tokens[at + 1] if at + 1 < len(self.tokens) else Token("op", "]")
        if inside.kind == "string":
            self._check_name(inside.text[1:-1] or "_")
        self.collides = self.collides or inside.kind != "number" or self._text(at + 2) != "]"

    def _loop_head(self) -> int:
        """`name in …` or `key, value in …`; where the iterated expression begins."""
        words = [token.text for token in self.tokens]
        at = 4 if words[1:2] == [","] else 2
        names = words[: at - 1 : 2]
        if len(words) <= at or words[at - 1] != "in":
            raise self._flaw("template_syntax", "a loop is {% for name in list %}")
        for name, token in zip(names, self.tokens[: at - 1 : 2], strict=True):
            self._check_name(name)
            if token.kind != "name" or name in _WORDS or name in ("loop", "user"):
                raise self._flaw("template_syntax", f"{name[:30]} cannot be the name of a loop's element")
        if words[-1] == "recursive" or "else" in words[at:]:
            raise self._flaw("template_unsafe", "a loop goes over a variable, with filters; nothing else")
        self.iterated_until = words.index("if", at) if "if" in words[at:] else len(words)
        if self.iterated_until == at:
            raise self._flaw("template_syntax", "a loop is {% for name in list %}")
        return at

    def _check_name(self, name: str) -> None:
        if name.startswith("_"):
            raise self._flaw("template_unsafe", "names that begin with _ are private")

    def _is_value(self, at: int) -> bool:
        """Whether a value ends with this token: what stands next to it acts on it."""
        kind, text = self.tokens[at]
        if kind == "op":
            return text in _VALUES_END
        return kind != "name" or text not in _WORDS or text.lower() in ("true", "false", "none")

    def _text(self, at: int) -> str:
        return self.tokens[at].text if 0 <= at < len(self.tokens) else ""

    def _flaw(self, code: str, message: str) -> TemplateFlaw:
        return TemplateFlaw(code, message, self.line)
