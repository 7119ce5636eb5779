"""From the tree of the grammar to the tree of a segment: names, kinds and limits are checked on the way."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from lark import Token, Tree

from channels.errors import Position
from preferences.policy import (
    MAX_ATTRIBUTES_DEPTH,
    MAX_SEGMENT_CONDITIONS,
    MAX_SEGMENT_DAYS,
    MAX_SEGMENT_DEPTH,
    MAX_SEGMENT_DIGITS,
    MAX_SEGMENT_VALUES,
)
from preferences.rules.segment_dates import DAYS
from preferences.rules.segment_grammar import SegmentFault, position_in
from preferences.rules.segment_kinds import FLAGS, INSTANTS, Misfit, comparable, searchable
from preferences.rules.segment_tree import (
    All,
    Compare,
    Condition,
    Constant,
    Contains,
    Field,
    Known,
    Not,
    OneOf,
    Operator,
    Relative,
    Reserved,
    Some,
    StartsWith,
    Value,
)

_Node = Tree[Token] | Token
_Fitted = TypeVar("_Fitted")
_ATTRIBUTES = "attributes"
#: What api.md calls a field of users.
_ALIASES = {"country_code": Reserved.COUNTRY}
_RESERVED = {str(one): one for one in Reserved} | _ALIASES
_NESTING = frozenset({"some", "negated"})


class Builder:
    """Builds one segment; `text` is what was written, for the places of faults."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._fields = 0
        self._rules: dict[str, Callable[[list[_Node], int], Condition]] = {
            "start": lambda parts, level: self.condition(_tree(parts[0]), level),
            "some": lambda parts, level: self._joined(Some, parts, level),
            "all": lambda parts, level: self._joined(All, parts, level),
            "negated": lambda parts, level: Not(self.condition(_tree(parts[1]), level)),
            "constant": lambda parts, _: Constant(_token(parts[0]).type == "TRUE"),
            "stands": lambda parts, _: Compare(self._truth(parts[0]), Operator.EQUAL, value=True),
            "compared": lambda parts, _: self._compared(parts),
            "one_of": lambda parts, _: self._one_of(parts[0], parts[1]),
            "none_of": lambda parts, _: _otherwise(self._one_of(parts[0], parts[2])),
            "between": lambda parts, _: self._between(parts[0], parts[1], parts[2]),
            "outside": lambda parts, _: self._outside(parts),
            "starts": lambda parts, _: self._starts(parts[0], parts[1]),
            "contains": lambda parts, _: self._contains(parts[0], parts[2]),
            "known": lambda parts, _: Known(self._field(parts[-1] if len(parts) == 1 else parts[0])),
            "unknown": lambda parts, _: Not(Known(self._field(parts[0]))),
        }

    def condition(self, tree: Tree[Token], level: int = 0) -> Condition:
        """The condition a rule of the grammar stands for; raises `SegmentFault`."""
        level += tree.data in _NESTING
        if level > MAX_SEGMENT_DEPTH:
            raise self._fault(f"Brackets and NOT may nest {MAX_SEGMENT_DEPTH} deep.", tree)
        return self._rules[tree.data](tree.children, level)

    def _joined(self, kind: type[All | Some], parts: list[_Node], level: int) -> Condition:
        """Conditions with AND or OR between them; one alone is itself."""
        conditions = tuple(self.condition(_tree(part), level) for part in parts)
        return conditions[0] if len(conditions) == 1 else kind(conditions)

    def _compared(self, parts: list[_Node]) -> Condition:
        field, sign = self._field(parts[0]), _token(parts[1])
        if sign in ("!=", "<>"):
            return _otherwise(self._compare(field, Operator.EQUAL, parts[2]))
        return self._compare(field, Operator(str(sign)), parts[2])

    def _compare(self, field: Field, operator: Operator, value: _Node) -> Compare:
        given = self._value(value)
        return Compare(field, operator, self._fitting(value, lambda: comparable(field, operator, given)))

    def _one_of(self, field: _Node, values: _Node) -> OneOf:
        known, listed = self._field(field), _tree(values).children
        if len(listed) > MAX_SEGMENT_VALUES:
            text = f"A list has at most {MAX_SEGMENT_VALUES} values; give the people's ids as the audience, or a topic."
            raise self._fault(text, listed[MAX_SEGMENT_VALUES])
        return OneOf(known, tuple(self._compare(known, Operator.EQUAL, value).value for value in listed))

    def _between(self, field: _Node, low: _Node, high: _Node) -> All:
        known = self._field(field)
        return All((self._compare(known, Operator.AT_LEAST, low), self._compare(known, Operator.AT_MOST, high)))

    def _outside(self, parts: list[_Node]) -> All:
        between = self._between(parts[0], parts[2], parts[3])
        return All((Known(self._field(parts[0])), Not(between)))

    def _starts(self, field: _Node, text: _Node) -> StartsWith:
        known, prefix = self._field(field), _unquoted(_token(text), "'")
        self._fitting(field, lambda: searchable(known, prefix))
        return StartsWith(known, prefix)

    def _contains(self, field: _Node, value: _Node) -> Contains:
        known, given = self._field(field), self._value(value)
        at = field if known.reserved in FLAGS | INSTANTS else value
        return Contains(known, self._fitting(at, lambda: searchable(known, given)))

    def _truth(self, tree: _Node) -> Field:
        """A field that stands alone must be one that can be true."""
        field = self._field(tree)
        if field.reserved is not None and field.reserved not in FLAGS:
            raise self._fault(f"{field.reserved} is neither true nor false: compare it, or write EXISTS.", tree)
        return field

    def _field(self, tree: _Node) -> Field:
        self._fields += 1
        if self._fields > MAX_SEGMENT_CONDITIONS:
            raise self._fault(f"A segment has at most {MAX_SEGMENT_CONDITIONS} conditions; use IN for values.", tree)
        tokens = [_token(part) for part in _tree(tree).children]
        keys = tuple(_unquoted(one, '"') if one.type == "QUOTED" else str(one) for one in tokens)
        is_quoted = tokens[0].type == "QUOTED"
        if keys[0].lower() == _ATTRIBUTES and not is_quoted:
            return self._attribute(keys[1:], tree)
        reserved = None if is_quoted else _RESERVED.get(keys[0].lower())
        if reserved is None:
            return self._attribute(keys, tree)
        if len(keys) > 1:
            text = f"{reserved} has no parts; an attribute of this name is written {_ATTRIBUTES}.{reserved}."
            raise self._fault(text, tokens[1])
        return Field(reserved)

    def _attribute(self, keys: tuple[str, ...], tree: _Node) -> Field:
        if not keys:
            raise self._fault("Name an attribute: attributes.plan, or plan alone.", tree)
        if len(keys) > MAX_ATTRIBUTES_DEPTH:
            raise self._fault(f"Attributes nest at most {MAX_ATTRIBUTES_DEPTH} levels deep.", tree)
        return Field(path=keys)

    def _value(self, node: _Node) -> Value:
        if isinstance(node, Tree):
            return self._relative(node)
        if node.type == "TEXT":
            return _unquoted(node, "'")
        if node.type != "NUMBER":
            return node.type == "TRUE"
        if len(node) > MAX_SEGMENT_DIGITS:
            raise self._fault(f"A number has at most {MAX_SEGMENT_DIGITS} digits.", node)
        return Decimal(str(node))

    def _relative(self, tree: Tree[Token]) -> Relative:
        anchor, *span = (_token(part) for part in tree.children)
        is_today = anchor.type == "TODAY"
        if not span:
            return Relative(is_today)
        sign, amount, unit = span
        name = f"{unit.lower().rstrip('s')}s"
        digits = amount.lstrip("0") or "0"
        if len(digits) > len(str(MAX_SEGMENT_DAYS * 1_440)) or int(digits) * DAYS[name] > MAX_SEGMENT_DAYS:
            raise self._fault("A relative date reaches a hundred years at most.", amount)
        return Relative(is_today, int(digits) if sign == "+" else -int(digits), name)

    def _fitting(self, node: _Node, fit: Callable[[], _Fitted]) -> _Fitted:
        try:
            return fit()
        except Misfit as misfit:
            raise self._fault(str(misfit), node) from None

    def _fault(self, message: str, node: _Node) -> SegmentFault:
        return SegmentFault(message, self._position(node))

    def _position(self, node: _Node) -> Position:
        """Where what a node stands for begins."""
        while isinstance(node, Tree):
            node = node.children[0]
        return position_in(self._text, node.start_pos or 0)


def _otherwise(condition: Compare | OneOf) -> All:
    """Whoever has the field, and otherwise."""
    return All((Known(condition.field), Not(condition)))


def _unquoted(token: Token, quote: str) -> str:
    return token[1:-1].replace(quote * 2, quote)


def _tree(node: _Node) -> Tree[Token]:
    assert isinstance(node, Tree), "the grammar has a rule here"
    return node


def _token(node: _Node) -> Token:
    assert isinstance(node, Token), "the grammar has a terminal here"
    return node
