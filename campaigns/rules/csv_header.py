"""The first line of a file of people: which column holds what."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from campaigns.errors import WrongFile
from campaigns.policy import MAX_CSV_COLUMNS

DELIMITERS: Final = (",", ";", "\t")
#: Columns of a person, named as the API names the fields.
FIELDS: Final = ("email", "phone", "locale", "timezone", "country_code")
#: Columns that prove a word about marketing.
CONSENT: Final = ("marketing_consent", "consent_text_version", "consent_at")
_OWN: Final = ("user_id", *FIELDS, *CONSENT)
_ATTRIBUTE: Final = re.compile(r"attributes\.(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<kind>[a-z]+))?\Z", re.IGNORECASE)
#: Only what looks like a column's name is repeated: a file without a header begins with somebody's data.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.: -]{0,63}\Z")
_BOM: Final = "\ufeff"


class Kind(StrEnum):
    """What the cells of an attribute's column are."""

    #: A JSON number, true or false where it is written as one, else text.
    AUTO = "auto"
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    #: A day or an instant in ISO 8601; kept as it is written.
    DATE = "date"


class Attribute(msgspec.Struct, frozen=True):
    """A column of attributes."""

    at: int
    name: str
    kind: Kind


class Layout(msgspec.Struct, frozen=True):
    """What the columns of a file are. It is stored with the import, so that whoever goes on need not ask again."""

    delimiter: str
    #: Cells of every row.
    width: int
    #: Where the columns of our own names are.
    own: dict[str, int]
    attributes: list[Attribute]

    @property
    def asks_consent(self) -> bool:
        """Whether the file says something about marketing."""
        return "marketing_consent" in self.own


def layout_of(line: str) -> Layout:
    """The layout a first line describes; raises `WrongFile` that names every wrong column."""
    delimiter, names = _cells(line.removeprefix(_BOM).rstrip("\r\n"))
    own: dict[str, int] = {}
    attributes: list[Attribute] = []
    unknown: list[str] = []
    for at, name in enumerate(names):
        spelt = re.sub(r"[ -]", "_", name.lower())
        attribute = _attribute(at, name)
        if attribute is not None:
            attributes.append(attribute)
        elif spelt in _OWN:
            own.setdefault(spelt, at)
        else:
            unknown.append(_named(at, name))
    if "user_id" not in own:
        raise WrongFile(
            "There is no column user_id. The first line must name the columns, for example user_id,email,phone, with"
            " commas, semicolons or tabs between them."
        )
    _refuse_unknown(unknown)
    _refuse_twins(names, own, attributes)
    _refuse_loose_proof(own)
    return Layout(delimiter, len(names), own, attributes)


def _cells(line: str) -> tuple[str, list[str]]:
    """The delimiter by which the line names a user_id, else the one that makes most of it; and its cells, trimmed."""
    found = [(delimiter, _split(line, delimiter)) for delimiter in DELIMITERS]
    delimiter, names = max(found, key=lambda one: ("user_id" in map(_plain, one[1]), len(one[1])))
    while len(names) > 1 and not names[-1]:
        raise WrongFile(f"Column {len(names)} has no name; name it attributes.<name>, or take it out.")
    if len(names) > MAX_CSV_COLUMNS:
        raise WrongFile(f"{len(names)} columns; at most {MAX_CSV_COLUMNS}.")
    return delimiter, names


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True), [])]
    except csv.Error:
        return []


def _plain(name: str) -> str:
    return re.sub(r"[ -]", "_", name.lower())


def _attribute(at: int, name: str) -> Attribute | None:
    parts = _ATTRIBUTE.match(name)
    if parts is None:
        return None
    kind = (parts["kind"] or Kind.AUTO).lower()
    if kind not in set(Kind):
        kinds = ", ".join(one.value for one in Kind if one is not Kind.AUTO)
        raise WrongFile(f"{_named(at, name)}: an attribute is one of {kinds}, or has no kind.")
    return Attribute(at, parts["name"], Kind(kind))


def _refuse_unknown(unknown: Sequence[str]) -> None:
    if unknown:
        raise WrongFile(
            f"Not known: {', '.join(unknown)}. Columns are {', '.join(_OWN)} and attributes.<name> (letters, digits, _"
            " and -); rename these, or take them out."
        )


def _refuse_twins(names: Sequence[str], own: dict[str, int], attributes: Sequence[Attribute]) -> None:
    spelt = Counter(plain for plain in map(_plain, names) if plain in own)
    spelt.update(f"attributes.{one.name}" for one in attributes)
    twins = [name for name, count in spelt.items() if count > 1]
    if twins:
        raise WrongFile(f"There twice: {', '.join(twins)}. Keep one column of each.")


def _refuse_loose_proof(own: dict[str, int]) -> None:
    """A yes to marketing comes with its proof, and a proof with what it proves."""
    given = [name for name in CONSENT if name in own]
    if given and len(given) < len(CONSENT):
        missing = ", ".join(name for name in CONSENT if name not in own)
        raise WrongFile(f"Missing beside {', '.join(given)}: {missing}. Consent and its proof come together.")


def _named(at: int, name: str) -> str:
    return f"column {at + 1} ({name})" if _NAME.match(name) else f"column {at + 1}"
