"""Which values a field can be compared with, and how they are spelt where they are compared."""

from __future__ import annotations

import re
from decimal import Decimal

from preferences.rules.places import canonical_country, canonical_locale, is_zone
from preferences.rules.segment_dates import is_instant
from preferences.rules.segment_tree import Field, Moment, Operator, Relative, Reserved, Value

#: Reserved fields that are true or false of everybody.
FLAGS = frozenset({Reserved.HAS_EMAIL, Reserved.HAS_PHONE, Reserved.HAS_PUSH})
INSTANTS = frozenset({Reserved.CREATED_AT, Reserved.UPDATED_AT})
_DATED = "is an instant: compare it with '2026-01-31', '2026-01-31T09:00:00Z' or NOW - 30 DAYS"
_LANGUAGE = re.compile(r"[a-z]{2,3}")


class Misfit(ValueError):
    """A value that the field can never have; the message is for the caller."""


def comparable(field: Field, operator: Operator, value: Value) -> Value:
    """The value as the field is compared with it: texts of dates as instants, codes in their usual spelling."""
    if operator is not Operator.EQUAL and isinstance(value, bool):
        raise Misfit("TRUE and FALSE have no order: compare them with = or !=.")
    if field.reserved is None:
        return Moment(value) if isinstance(value, str) and is_instant(value) else value
    if field.reserved in FLAGS:
        return _flag(field.reserved, value)
    if field.reserved in INSTANTS:
        return _instant(field.reserved, value)
    if not isinstance(value, str):
        raise Misfit(f"{field.reserved} is a text: compare it with one in single quotes.")
    return _spelt(field.reserved, value) if operator is Operator.EQUAL else value


def searchable(field: Field, value: Value) -> str | bool | Decimal:
    """The value as it is looked for in a list or in a text, where a date is but a text."""
    if field.reserved in FLAGS | INSTANTS:
        raise Misfit(f"{field.reserved} is neither a text nor a list: compare it with =.")
    if isinstance(value, (Moment, Relative)):
        raise Misfit("Look for a text, a number, TRUE or FALSE; a relative date can only be compared.")
    if field.reserved is not None and not isinstance(value, str):
        raise Misfit(f"{field.reserved} is a text: look for one in single quotes.")
    return value


def _flag(reserved: Reserved, value: Value) -> bool:
    if not isinstance(value, bool):
        raise Misfit(f"{reserved} is TRUE or FALSE: write {reserved}, or NOT {reserved}.")
    return value


def _instant(reserved: Reserved, value: Value) -> Value:
    if isinstance(value, Relative):
        return value
    if not isinstance(value, str) or not is_instant(value):
        raise Misfit(f"{reserved} {_DATED}.")
    return Moment(value)


def _spelt(reserved: Reserved, text: str) -> str:
    """A code that somebody can have, as it is stored."""
    if reserved is Reserved.COUNTRY:
        return _known(canonical_country(text), "This is no ISO 3166-1 country; write two letters, for example GB.")
    if reserved is Reserved.LOCALE:
        return _known(canonical_locale(text), "This is no BCP 47 language tag that we know; write for example en-GB.")
    if reserved is Reserved.LANGUAGE:
        language = canonical_locale(text) if _LANGUAGE.fullmatch(text.lower()) else None
        return _known(language, "This is no language; write two letters, for example en, or compare the locale.")
    if reserved is Reserved.TIMEZONE:
        return _known(text if is_zone(text) else None, "This is no IANA time zone; write for example Europe/London.")
    return _known(text or None, "A user_id is never empty.")


def _known(spelt: str | None, cure: str) -> str:
    if spelt is None:
        raise Misfit(cure)
    return spelt
