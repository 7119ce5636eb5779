"""What may stand inside a tag: everything is allowed by name, and nothing multiplies its input without bounds."""

from __future__ import annotations

import re

from notify.policy import MAX_ARGUMENT
from notify.rules.template_syntax import Kind, Piece, TemplateFlaw, Token

#: Filters that cost the same whatever they get. Before all others, what they get is weighed.
PLAIN_FILTERS = frozenset(["abs", "bool", "d", "default", "pluralize", "round"])
LIST_FILTERS = frozenset(
    [
        *("count", "first", "groupby", "last", "length", "list", "map", "max", "min", "rejectattr", "reverse"),
        *("selectattr", "sort", "sum", "unique"),
    ]
)
MAPPING_FILTERS = frozenset(["dictsort", "items"])
TEXT_FILTERS = frozenset(["capitalize", "lines", "lower", "split", "string", "title", "trim", "truncate", "upper"])
NUMBER_FILTERS = frozenset(["float", "int"])
#: Filters whose result may be longer than what they get; one in a tag.
GROWING_FILTERS = frozenset(["join", "replace", "tojson", "urlencode"])
FILTERS = PLAIN_FILTERS | LIST_FILTERS | MAPPING_FILTERS | TEXT_FILTERS | NUMBER_FILTERS | GROWING_FILTERS
#: Filters that are nothing without arguments.
_NEEDY_FILTERS = frozenset(["groupby", "map", "rejectattr", "replace", "selectattr"])
#: Filters whose text arguments name keys.
_KEYED_FILTERS = frozenset(["groupby", "map", "max", "min", "rejectattr", "selectattr", "sort", "sum", "unique"])
TESTS = frozenset(
    [
        *("boolean", "defined", "divisibleby", "endingwith", "eq", "equalto", "even", "false", "float", "ge", "gt"),
        *("integer", "iterable", "le", "lt", "mapping", "ne", "none", "number", "odd", "sequence", "startingwith"),
        *("string", "true", "undefined"),
    ]
)
#: Attribute names that Python's lists and dictionaries have too: a missing key must not find those instead.
COLLISIONS = frozenset(
    [
        *("append", "clear", "copy", "count", "extend", "fromkeys", "get", "index", "insert", "items", "keys", "pop"),
        *("popitem", "remove", "reverse", "setdefault", "sort", "update", "values"),
    ]
)
_WORDS = frozenset(["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"])
_VALUES_END = frozenset([")", "]"])
_ATTRIBUTE_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")
_CURES = {
    "safe": "values are always escaped in HTML; write the markup into the template itself",
    "e": "values are escaped by themselves; leave this filter out",
    "escape": "values are escaped by themselves; leave this filter out",
}
#: What a variable of such a name is called inside the engine, so that a missing one is missing.
RENAMED = "_v_"
#: Signs that do no work of their own; comparing, adding, cutting and searching take as long as the values are.
_LIGHT_SIGNS = frozenset([".", "|", "(", ")", ",", "="])
_ITERATED = "a loop goes over a variable, with filters that take no variables; a missing list is empty by itself"


class Expression:
    """One tag's expression under examination, token by token.

    Whether brackets match and operators have operands is the engine's business: it compiles what passed here.
    """

    def __init__(self, piece: Piece) -> None:
        self.line = piece.line
        self.tokens = list(piece.tokens)
        self.kind = piece.kind
        self.metered = self.nested = self.collides = False
        self.growing = 0
        #: The variables it names, each with the keys that lead into it, spelled for the engine.
        self.references: list[str] = []
        #: End of the iterated expression of a `for`; 0 in any other tag.
        self.iterated_until = 0

    def examined(self) -> Expression:
        """Itself, once everything in it is known to be allowed."""
        if self.kind in (Kind.ELSE, Kind.ENDIF, Kind.ENDFOR):
            raise self._flaw("template_syntax", f"nothing may follow {self.kind} in its tag")
        at = self._loop_head() if self.kind is Kind.FOR else 0
        while at < len(self.tokens):
            at = self._step(at)
        return self

    @property
    def is_heavy(self) -> bool:
        """Whether its operators may take as long as the values are large."""
        return any(
            token.text not in _LIGHT_SIGNS
            if token.kind == "op"
            else token.text in ("in", "is") and token.kind == "name"
            for token in self.tokens
        )

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
            raise self._flaw("template_unsafe", _ITERATED)
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
            raise self._flaw("template_unsafe", _ITERATED)
        return at + 1

    def _name(self, at: int, text: str) -> int:
        if text == "is":
            return self._test(at + 1)
        if text in _WORDS:
            if at < self.iterated_until:
                raise self._flaw("template_unsafe", _ITERATED)
            return at + 1
        self._check_name(text)
        if at and self._is_value(at - 1):
            raise self._flaw("template_syntax", f"an operator is missing before {text[:30]}")
        self._rename(at)
        self.references.append(" ".join(token.text for token in self.tokens[at : self._path_end(at + 1)]))
        return at + 1

    def _rename(self, at: int) -> None:
        if self.tokens[at].text in COLLISIONS:
            self.tokens[at] = Token("name", RENAMED + self.tokens[at].text)

    def _path_end(self, at: int) -> int:
        """Where the keys end that lead into a variable; each has few spellings, and a slice is none."""
        while True:
            if self._text(at) == ".":
                at += 2
            elif self._text(at) == "[" and self._text(at + 2) == "]" and self.tokens[at + 1].kind != "op":
                at += 3
            else:
                return min(at, len(self.tokens))

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
            if name in _NEEDY_FILTERS:
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
        if name in _KEYED_FILTERS:
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
                raise self._flaw("template_unsafe", _ITERATED)
            return
        self.nested = True
        inside = self.tokens[at + 1] if at + 1 < len(self.tokens) else Token("op", "]")
        if inside.kind == "string":
            self._check_name(inside.text[1:-1] or "_")
            if "\\" in inside.text:
                raise self._flaw("template_syntax", "write the key itself, without a backslash")
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
        for target in range(0, at - 1, 2):
            self._rename(target)
        if words[-1] == "recursive":
            raise self._flaw("template_unsafe", _ITERATED)
        if "if" in words[at:]:
            raise self._flaw("template_unsafe", "a loop has no condition of its own; put {% if %} into it")
        self.iterated_until = len(words)
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
