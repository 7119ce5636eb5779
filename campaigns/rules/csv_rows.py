"""A row of a file becomes a person by the API's own rules, or a refusal that repeats nothing of it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from campaigns.policy import MAX_CSV_CELL, MAX_CSV_ROW_BYTES
from campaigns.rules.csv_bytes import Lines, TooLong
from campaigns.rules.csv_header import FIELDS, Kind, Layout
from preferences.errors import InvalidField
from preferences.rules.intake import is_id, profile_of
from preferences.rules.requests import UserBody
from preferences.vocabulary import Profile

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?\Z")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}.*)?\Z", re.DOTALL)
_WORDS: Final = {"true": True, "false": False}
_YES_NO: Final = _WORDS | {"yes": True, "no": False, "1": True, "0": False}
#: A clock of another machine may be ahead by so much.
_AHEAD: Final = timedelta(days=1)
_LONGEST_VERSION: Final = 100


class Refused(NamedTuple):
    """A row that is not imported, and why; nothing of what it holds."""

    #: Physical line on which the row begins.
    line: int
    code: str
    reason: str


class Consent(NamedTuple):
    """What a row says of marketing, and its proof."""

    given: bool
    #: Which wording the person saw.
    text_version: str
    #: When they said it.
    at: datetime | None


class Row(NamedTuple):
    """A person to write."""

    line: int
    user_id: str
    profile: Profile
    consent: Consent | None


class _Wrong(Exception):
    """Why a row is refused: code and sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def read_rows(lines: Lines, layout: Layout, *, now: datetime) -> Iterator[Row | Refused]:
    """The rows behind the header, each read or refused; empty ones are passed over.

    Between two of them `lines` stands at the end of a record, so that somebody else may go on from there.
    """
    reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
    while True:
        line = lines.line + 1
        lines.begin_record()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, TooLong):
            # A quote that nobody closes would swallow what follows; so only the line with the quote is lost.
            lines.keep_first()
            yield Refused(line, "broken_quotes", _BROKEN)
            reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
            continue
        if any(cells):
            yield _row(line, cells, layout, now)


_BROKEN: Final = (
    "A quote is opened and not closed, or something stands behind the closing one; write quotes inside a cell twice."
    f" A row has at most {MAX_CSV_ROW_BYTES:,} bytes."
)


def _row(line: int, cells: list[str], layout: Layout, now: datetime) -> Row | Refused:
    try:
        return Row(line, _user_id(cells, layout), profile_of(_body(cells, layout)), _consent(cells, layout, now))
    except _Wrong as wrong:
        return Refused(line, wrong.code, wrong.reason)
    except InvalidField as refusal:
        return Refused(line, refusal.code, f"{refusal.errors[0].pointer[1:]}: {refusal.detail}")


def _user_id(cells: list[str], layout: Layout) -> str:
    if len(cells) != layout.width:
        raise _Wrong("wrong_width", f"{len(cells)} cells, but the header names {layout.width} columns.")
    user_id = cells[layout.own["user_id"]].strip()
    if not is_id(user_id):
        raise _Wrong("invalid_user_id", "user_id: An id has 1 to 128 visible ASCII characters, none of them a slash.")
    return user_id


def _body(cells: list[str], layout: Layout) -> UserBody:
    own = layout.own
    given: dict[str, Any] = {}
    for name in FIELDS:
        cell = cells[own[name]].strip() if name in own else ""
        if cell:
            if len(cell) > MAX_CSV_CELL:
                raise _Wrong(f"invalid_{name}", f"{name}: At most {MAX_CSV_CELL} characters.")
            given[name] = cell
    if layout.attributes:
        given["attributes"] = {
            one.name: _value(one.name, cells[one.at], one.kind) for one in layout.attributes if cells[one.at]
        }
    return UserBody(**given)


def _value(name: str, cell: str, kind: Kind) -> str | bool | float:
    """A cell as its column's kind has it: text as it is, blanks and formulas included."""
    if kind is Kind.TEXT:
        return cell
    bare = cell.strip()
    number = _number(bare) if kind is not Kind.BOOLEAN and kind is not Kind.DATE else None
    if number is not None:
        return number
    match kind:
        case Kind.NUMBER:
            raise _Wrong("invalid_attributes", f"attributes.{name}: Not a number; write for example 12 or -0.5.")
        case Kind.BOOLEAN if bare.lower() in _YES_NO:
            return _YES_NO[bare.lower()]
        case Kind.BOOLEAN:
            raise _Wrong("invalid_attributes", f"attributes.{name}: Write true or false.")
        case Kind.DATE if _instant(bare) is not None:
            return bare
        case Kind.DATE:
            raise _Wrong("invalid_attributes", f"attributes.{name}: Not a date; write for example 2026-11-02.")
    return _WORDS.get(bare.lower(), cell)


def _number(text: str) -> int | float | None:
    """What is a number and comes out again as it went in: no leading noughts, no more digits than JSON keeps."""
    parts = _NUMBER.match(text)
    if parts is None:
        return None
    return float(text) if parts[2] else int(text)


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if _DAY.match(text) else None
    except ValueError:
        return None


def _consent(cells: list[str], layout: Layout, now: datetime) -> Consent | None:
    """What the row says of marketing; None: nothing. A yes without its proof is refused."""
    if not layout.asks_consent:
        return None
    said, version, at = (cells[layout.own[name]].strip() for name in ("marketing_consent", *_PROOF))
    if not said:
        return None
    given = _YES_NO.get(said.lower())
    if given is None:
        raise _Wrong("invalid_marketing_consent", "marketing_consent: Write true, false, or nothing.")
    if len(version) > _LONGEST_VERSION:
        raise _Wrong("invalid_consent_text_version", f"consent_text_version: At most {_LONGEST_VERSION} characters.")
    instant = _instant(at)
    if given and (not version or instant is None or instant.tzinfo is None):
        raise _Wrong(
            "missing_proof",
            "A yes to marketing needs consent_text_version and consent_at, an instant with its zone such as"
            " 2026-03-01T10:00:00Z.",
        )
    if instant is not None and instant.tzinfo is not None and instant > now + _AHEAD:
        raise _Wrong("invalid_consent_at", "consent_at: This instant has not come yet.")
    return Consent(given, version, instant if instant is not None and instant.tzinfo else None)


_PROOF: Final = ("consent_text_version", "consent_at")
