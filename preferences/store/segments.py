"""A segment as a condition of SQL over `preferences_recipient r`; whatever a caller wrote travels as a parameter.

A condition may be null where the segment says false: both leave somebody out, and `Not` takes both for false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from preferences.rules.segment_dates import INSTANT, moment_of
from preferences.rules.segment_tree import (
    All,
    Compare,
    Condition,
    Constant,
    Contains,
    Field,
    Known,
    Moment,
    Not,
    OneOf,
    Operator,
    Relative,
    Reserved,
    Some,
    StartsWith,
    Value,
)

# Usable as in `store.facts`: what was said of mail leaves the address good.
_HAS_CONTACT = (
    "EXISTS (SELECT FROM preferences_contact_point c WHERE c.recipient_id = r.id AND c.kind = '{kind}'"
    " AND c.status IN ({statuses}))"
)
_COLUMNS = MappingProxyType(
    {
        Reserved.USER_ID: "r.user_id",
        Reserved.LOCALE: "r.locale",
        Reserved.LANGUAGE: "split_part(r.locale, '-', 1)",
        Reserved.TIMEZONE: "r.timezone",
        Reserved.COUNTRY: "r.country_code",
        Reserved.CREATED_AT: "r.created_at",
        Reserved.UPDATED_AT: "r.updated_at",
        Reserved.HAS_EMAIL: _HAS_CONTACT.format(kind="email", statuses="'active', 'complained', 'unsubscribed'"),
        Reserved.HAS_PHONE: _HAS_CONTACT.format(kind="phone", statuses="'active'"),
        Reserved.HAS_PUSH: "EXISTS (SELECT FROM preferences_device d WHERE d.recipient_id = r.id AND d.active)",
    }
)
_TEXTS = frozenset({Reserved.USER_ID, Reserved.LOCALE, Reserved.LANGUAGE, Reserved.TIMEZONE, Reserved.COUNTRY})
_ALWAYS_KNOWN = frozenset(Reserved) - _TEXTS
_json = msgspec.json.Encoder(decimal_format="number").encode


class Where(NamedTuple):
    """A condition of SQL, and what its parameters stand for."""

    sql: str
    values: dict[str, Any]


def where(condition: Condition, now: datetime) -> Where:
    """The condition in SQL; relative dates are as seen from `now`, which is in UTC."""
    writer = _Writer(now)
    return Where(writer.write(condition), writer.values)


class _Writer:
    """Writes one condition and collects its parameters."""

    def __init__(self, now: datetime) -> None:
        self.values: dict[str, Any] = {}
        self._now = now
        self._writers: dict[type, Callable[[Any], str]] = {
            Constant: lambda node: "true" if node.holds else "false",
            Not: lambda node: f"({self.write(node.condition)}) IS NOT TRUE",
            All: lambda node: self._joined(" AND ", node.conditions),
            Some: lambda node: self._joined(" OR ", node.conditions),
            Known: self._known,
            Compare: self._compare,
            OneOf: self._one_of,
            StartsWith: self._starts_with,
            Contains: self._contains,
        }

    def write(self, condition: Condition) -> str:
        return self._writers[type(condition)](condition)

    def _joined(self, word: str, conditions: Iterable[Condition]) -> str:
        return "(" + word.join(self.write(one) for one in conditions) + ")"

    def _known(self, node: Known) -> str:
        field = node.field
        if field.reserved in _ALWAYS_KNOWN:
            return "true"
        if field.reserved is not None:
            return f"{_COLUMNS[field.reserved]} <> ''"
        return f"jsonb_typeof({self._json_of(field)}) <> 'null'"

    def _compare(self, node: Compare) -> str:
        field, sign, value = node.field, node.operator.value, node.value
        if isinstance(value, (Moment, Relative)):
            return f"{self._instant_of(field)} {sign} {self._instant(value)}"
        if field.reserved is not None:
            return self._compare_column(field.reserved, node.operator, value)
        if node.operator is Operator.EQUAL:
            return f"{self._json_of(field)} = {self._literal(value)}"
        kind = self._is_kind(field, "string" if isinstance(value, str) else "number")
        if isinstance(value, str):
            return f'({kind} AND {self._text_of(field)} COLLATE "C" {sign} {self._text(value)})'
        return f"({kind} AND {self._json_of(field)} {sign} {self._literal(value)})"

    def _compare_column(self, reserved: Reserved, operator: Operator, value: Value) -> str:
        column = _COLUMNS[reserved]
        if isinstance(value, bool):
            return column if value else f"NOT {column}"
        if operator is Operator.EQUAL:
            return f"{column} = {self._text(str(value))}"
        return f"nullif({column}, '') COLLATE \"C\" {operator.value} {self._text(str(value))}"

    def _one_of(self, node: OneOf) -> str:
        if node.field.reserved in _TEXTS:
            return f"{_COLUMNS[node.field.reserved]} = ANY({self._bind(list(node.values))}::text[])"
        instants = [one for one in node.values if isinstance(one, (Moment, Relative))]
        others = [one for one in node.values if not isinstance(one, (Moment, Relative))]
        if node.field.reserved is not None and others:
            return self._joined(" OR ", (Compare(node.field, Operator.EQUAL, one) for one in others))
        parts = []
        if instants:
            listed = self._bind([self._plain(one) for one in instants])
            parts.append(f"{self._instant_of(node.field)} = ANY({listed}::timestamptz[])")
        if others:
            listed = self._bind([_json(one).decode() for one in others])
            parts.append(f"{self._json_of(node.field)} = ANY({listed}::jsonb[])")
        return f"({' OR '.join(parts)})"

    def _starts_with(self, node: StartsWith) -> str:
        prefix = self._text(node.prefix)
        if node.field.reserved is not None:
            return f"starts_with(nullif({_COLUMNS[node.field.reserved]}, ''), {prefix})"
        return f"({self._is_kind(node.field, 'string')} AND starts_with({self._text_of(node.field)}, {prefix}))"

    def _contains(self, node: Contains) -> str:
        field, value = node.field, node.value
        if field.reserved is not None:
            return f"strpos(nullif({_COLUMNS[field.reserved]}, ''), {self._text(str(value))}) > 0"
        member = f"({self._is_kind(field, 'array')} AND {self._json_of(field)} @> {self._literal(value)})"
        if not isinstance(value, str):
            return member
        inside = f"({self._is_kind(field, 'string')} AND strpos({self._text_of(field)}, {self._text(value)}) > 0)"
        return f"({member} OR {inside})"

    def _is_kind(self, field: Field, kind: str) -> str:
        return f"jsonb_typeof({self._json_of(field)}) = '{kind}'"

    def _json_of(self, field: Field) -> str:
        """The value of an attribute. Key by key: a path in one piece would take numbers for places in a list."""
        return " -> ".join(["(r.attributes", *(self._text(key) for key in field.path)]) + ")"

    def _text_of(self, field: Field) -> str:
        """The same as text."""
        *outer, last = field.path
        return " -> ".join(["(r.attributes", *(self._text(key) for key in outer)]) + f" ->> {self._text(last)})"

    def _instant_of(self, field: Field) -> str:
        """The field as an instant; null where it is none: only what is known to be one is cast."""
        if field.reserved is not None:
            return _COLUMNS[field.reserved]
        text = self._text_of(field)
        return f"CASE WHEN {text} ~ {self._bind(INSTANT, 'instant')} THEN {text}::timestamptz END"

    def _instant(self, value: Moment | Relative) -> str:
        return f"{self._bind(self._plain(value))}::timestamptz"

    def _plain(self, value: Moment | Relative) -> str:
        return value.text if isinstance(value, Moment) else moment_of(value, self._now).isoformat()

    def _literal(self, value: Value) -> str:
        return f"{self._bind(_json(value).decode())}::jsonb"

    def _text(self, text: str) -> str:
        return f"{self._bind(text)}::text"

    def _bind(self, value: Any, name: str = "") -> str:
        """A place for the value; the same value has one."""
        name = f"segment_{name or len(self.values)}"
        self.values[name] = value
        return f"%({name})s"
