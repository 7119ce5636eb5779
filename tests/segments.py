"""Random people and random segments, and what a segment means of a person: written from docs/segments.md alone.

A segment is drawn as its text and a predicate of Python, so that nothing of the product says what is true.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import strategies as st

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
Person = dict[str, Any]

TEXTS = [
    *("gold", "Gold", "", "it's", "100%", "%(after)s", "_", "ñandú", "a\nb", '"', "\\", "{}", "5", "true", "null"),
    *("'; DROP TABLE preferences_recipient; --", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01t05:00:00+05:00"),
    *("2026-01-01 00:00", "2025-12-31T23:59:59.999999z", "2026-02-30", "2024-02-29", "2023-02-29", "0000-01-01"),
    *("2026-04-31T10:00:00Z", "2026-01-01T24:00:00Z", "2026-1-1", "9999-12-31T23:59:59-15:59", "2026-01-01\n"),
    *("0001-01-01T00:00:00+15:59", "2026-03-31T12:00:00Z", "2026-03-01", "2000-02-29T12:30", "1900-02-29"),
]
NUMBERS = ["0", "1", "-2.5", "3", "100", "1.0", "100000000000000000000", "0.1", "-0"]
KEYS = ["plan", "age", "tags", "address", "seen", "country", "not", "my key", "0", "größe"]
LOCALES, ZONES, COUNTRIES = ["", "en", "en-GB", "de", "pt-BR"], ["", "UTC", "Europe/London"], ["", "US", "CA", "GB"]


class Drawn(NamedTuple):
    """A segment: as it is written, and what it means."""

    text: str
    means: Callable[[Person], bool]


class Known(NamedTuple):
    """A field: as it is written, its kind (json, text, instant or flag), and its value; None for nothing."""

    text: str
    kind: str
    of: Callable[[Person], Any]


def people(count: int, seed: int = 1) -> list[Person]:
    """Different people of all sorts; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - the same people in every run
    return [_person(chance, number) for number in range(count)]


def _person(chance: random.Random, number: int) -> Person:
    some = [key for key in KEYS if chance.random() < 0.6]
    return {
        "user_id": f"u_{number}",
        "locale": chance.choice(LOCALES),
        "timezone": chance.choice(ZONES),
        "country_code": chance.choice(COUNTRIES),
        "created_at": NOW - timedelta(days=chance.randrange(400), minutes=chance.randrange(2)),
        "attributes": {key: _json(chance, 2) for key in some},
        **{flag: chance.random() < 0.5 for flag in ("has_email", "has_phone", "has_push")},
    }


def _json(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(9 if depth else 6)
    if kind < 3:
        return chance.choice(TEXTS)
    if kind == 3:
        number = Decimal(chance.choice(NUMBERS))
        return int(number) if number == int(number) else float(number)
    if kind < 6:
        return chance.choice([True, False, None])
    if kind == 6:
        return {chance.choice(["city", "plan", "0"]): _json(chance, depth - 1)}
    return [_json(chance, depth - 1) for _ in range(chance.randrange(3))]


def instant_of(text: Any) -> datetime | None:
    """The instant a text is, or None."""
    shape = r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?([Zz]|[+-]\d\d:\d\d)?)?"
    found = re.fullmatch(shape, text, re.ASCII) if isinstance(text, str) else None
    if found is None:
        return None
    *numbers, fraction, offset = found.groups()
    minutes = 0 if offset in (None, "Z", "z") else int(offset[1:3]) * 60 + int(offset[4:])
    sign = -1 if offset and offset[0] == "-" else 1
    try:
        whole = datetime(*(int(one or 0) for one in numbers), tzinfo=UTC)
        timezone(timedelta(minutes=minutes))
    except ValueError:
        return None
    # Counted from the year 3000: what lies before the year 1 is no instant of Python's.
    return _Far(whole.replace(microsecond=int((fraction or "0").ljust(6, "0"))), timedelta(minutes=minutes) * sign)


class _Far:
    """An instant with its offset, compared without leaving the years that Python has."""

    def __init__(self, local: datetime, offset: timedelta = timedelta()) -> None:
        self.since = local - datetime(3000, 1, 1, tzinfo=UTC) - offset


def _kind(value: Any) -> str:
    kinds = {bool: "flag", int: "number", float: "number", Decimal: "number", str: "text", _Far: "instant"}
    return kinds.get(type(value), "other")


def holds(field: Known, sign: str, value: Any, person: Person) -> bool:
    """Whether a comparison is true of a person; `value` is a text, a number, a boolean or an instant."""
    own = field.of(person)
    if field.kind == "json" and _kind(value) == "text" and instant_of(value) is not None:
        value = instant_of(value)
    if _kind(value) == "instant":
        own = _Far(own) if isinstance(own, datetime) else instant_of(own)
        own, value = (own and own.since), value.since
    elif _kind(own) != _kind(value):
        return False
    elif _kind(value) == "number":
        own, value = Decimal(str(own)), Decimal(str(value))
    if own is None:
        return False
    return {"=": own == value, "<": own < value, "<=": own <= value, ">": own > value, ">=": own >= value}[sign]


def _attribute(path: tuple[str, ...]) -> Known:
    def value(person: Person) -> Any:
        at: Any = person["attributes"]
        for key in path:
            at = at.get(key) if isinstance(at, dict) else None
        return at

    plain = all(re.fullmatch("[a-z]+", key) for key in path)
    prefix = "attributes." if path[0] in ("country", "not") else ""
    return Known(prefix + ".".join(path if plain else [f'"{key}"' for key in path]), "json", value)


_paths = st.tuples(st.sampled_from(KEYS)) | st.tuples(st.sampled_from(KEYS), st.sampled_from(["city", "plan", "0"]))
_json_fields = _paths.map(_attribute)
_text_fields = st.sampled_from(
    [
        *(Known(name, "text", lambda p: p["country_code"] or None) for name in ("country", "COUNTRY_CODE")),
        Known("locale", "text", lambda p: p["locale"] or None),
        Known("language", "text", lambda p: p["locale"].split("-")[0] or None),
        Known("timezone", "text", lambda p: p["timezone"] or None),
        Known("user_id", "text", lambda p: p["user_id"]),
    ]
)
_flags = st.sampled_from([Known(f, "flag", lambda p, f=f: p[f]) for f in ("has_email", "has_phone", "has_push")])
_created = st.just(Known("created_at", "instant", lambda p: p["created_at"]))
_SPELT = {"country": ["US", "ca"], "COUNTRY_CODE": ["GB"], "locale": ["en-gb", "de"], "language": ["en", "PT"]}
_CANONICAL = {"ca": "CA", "en-gb": "en-GB", "PT": "pt"}


def quoted(text: str) -> str:
    """A text as a segment writes it."""
    return "'" + text.replace("'", "''") + "'"


def _literal(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else str(value).upper()


_texts = st.sampled_from(TEXTS).map(lambda text: (quoted(text), text))
_numbers = st.sampled_from(NUMBERS).map(lambda text: (text, Decimal(text)))
_booleans = st.sampled_from([("TRUE", True), ("false", False)])


@st.composite
def _relative(draw: st.DrawFn) -> tuple[str, Any]:
    word, start = draw(st.sampled_from([("NOW", NOW), ("today", NOW.replace(hour=0, minute=0))]))
    spans = [
        ("", timedelta()),
        (" - 30 DAYS", -timedelta(days=30)),
        ("+1 week", timedelta(weeks=1)),
        (" - 90 minutes", -timedelta(minutes=90)),
        # From March 31st: February 28th, and a leap day of two years before becomes no other.
        (" - 1 month", -timedelta(days=31)),
        (" - 25 months", -timedelta(days=761)),
        (" - 1 year", -timedelta(days=365)),
    ]
    text, span = draw(st.sampled_from(spans))
    return word + text, _Far(start + span)


def _not_missing(field: Known, person: Person) -> bool:
    return field.of(person) is not None


@st.composite
def _compared(draw: st.DrawFn) -> Drawn:
    field, values = draw(st.sampled_from([(_json_fields, _texts | _numbers | _relative()), (_created, _instants)]))
    field, (text, value) = draw(field), draw(values)
    if field.kind == "instant" and isinstance(value, str):
        value = instant_of(value)
    sign = draw(st.sampled_from(["=", "!=", "<>", "<", "<=", ">", ">="]))
    if sign in ("!=", "<>"):
        return Drawn(
            f"{field.text} {sign} {text}", lambda p: _not_missing(field, p) and not holds(field, "=", value, p)
        )
    return Drawn(f"{field.text}{sign}{text}", lambda p: holds(field, sign, value, p))


_instants = _relative() | _texts.filter(lambda pair: instant_of(pair[1]) is not None)


@st.composite
def _chosen(draw: st.DrawFn) -> Drawn:
    """IN and NOT IN, of attributes and of codes."""
    if draw(st.booleans()):
        field = draw(_json_fields)
        values = draw(st.lists(_texts | _numbers | _booleans | _relative(), min_size=1, max_size=12))
    else:
        field = draw(_text_fields.filter(lambda one: one.text in _SPELT))
        values = [(quoted(one), _CANONICAL.get(one, one)) for one in _SPELT[field.text]]
    listed = ", ".join(text for text, _ in values)
    word = draw(st.sampled_from(["IN", "not in"]))

    def among(person: Person) -> bool:
        return any(holds(field, "=", value, person) for _, value in values)

    if word == "IN":
        return Drawn(f"{field.text} IN ({listed})", among)
    return Drawn(f"{field.text} not in({listed})", lambda p: _not_missing(field, p) and not among(p))


@st.composite
def _between(draw: st.DrawFn) -> Drawn:
    field, (low_text, low), (high_text, high) = draw(_json_fields), draw(_texts | _numbers), draw(_texts | _numbers)
    word = draw(st.sampled_from(["between", "not between"]))

    def inside(person: Person) -> bool:
        return holds(field, ">=", low, person) and holds(field, "<=", high, person)

    text = f"{field.text} {word} {low_text} and {high_text}"
    return Drawn(text, inside if word == "between" else lambda p: _not_missing(field, p) and not inside(p))


@st.composite
def _searched(draw: st.DrawFn) -> Drawn:
    field, (text, value) = draw(_json_fields | _text_fields), draw(_texts)
    if draw(st.booleans()):
        return Drawn(
            f"{field.text} starts with {text}",
            lambda p: isinstance(own := field.of(p), str) and own.startswith(value),
        )
    if field.kind == "json":
        text, value = draw(_texts | _numbers | _booleans)
    return Drawn(f"{field.text} CONTAINS {text}", lambda p: _has(field.of(p), value))


def _has(own: Any, value: Any) -> bool:
    if isinstance(own, list):
        return any(_kind(one) == _kind(value) and Decimal(str(one)) == value for one in own if _is_number(value)) or (
            not _is_number(value) and any(type(one) is type(value) and one == value for one in own)
        )
    return isinstance(own, str) and isinstance(value, str) and value in own


def _is_number(value: Any) -> bool:
    return _kind(value) == "number"


@st.composite
def _told(draw: st.DrawFn) -> Drawn:
    """Whether something is known; flags and booleans; everybody and nobody."""
    field = draw(_json_fields | _text_fields | _created)
    flag = draw(_json_fields | _flags)
    return draw(
        st.sampled_from(
            [
                Drawn(f"exists {field.text}", lambda p: _not_missing(field, p)),
                Drawn(f"{field.text} IS NULL", lambda p: not _not_missing(field, p)),
                Drawn(f"{field.text} is not null", lambda p: _not_missing(field, p)),
                Drawn(flag.text, lambda p: flag.of(p) is True),
                Drawn(f"{flag.text} = false", lambda p: flag.of(p) is False),
                Drawn(f"{flag.text} != true", lambda p: _not_missing(flag, p) and flag.of(p) is not True),
                Drawn("TRUE", lambda _: True),
                Drawn("false", lambda _: False),
            ]
        )
    )


def _combined(parts: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    def joined(drawn: list[Drawn], word: str, every: Callable[..., bool]) -> Drawn:
        return Drawn(f"({f' {word} '.join(one.text for one in drawn)})", lambda p: every(one.means(p) for one in drawn))

    lists = st.lists(parts, min_size=2, max_size=3)
    return (
        lists.map(lambda drawn: joined(drawn, "AND", all))
        | lists.map(lambda drawn: joined(drawn, "or", any))
        | parts.map(lambda one: Drawn(f"NOT {one.text}", lambda p: not one.means(p)))
    )


segments: st.SearchStrategy[Drawn] = st.recursive(
    _compared() | _chosen() | _between() | _searched() | _told(), _combined, max_leaves=6
)
