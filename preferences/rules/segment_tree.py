"""A segment as a tree: which people it means, once its text has been read and checked.

Every node is true or false of a person, never unknown. A comparison with something a person has not is false, and
`Not` of it is true: whoever has no plan is among `NOT plan = 'gold'`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class Reserved(StrEnum):
    """What the language knows of people by itself; every other name is an attribute."""

    USER_ID = "user_id"
    LOCALE = "locale"
    LANGUAGE = "language"
    TIMEZONE = "timezone"
    COUNTRY = "country"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    HAS_EMAIL = "has_email"
    HAS_PHONE = "has_phone"
    HAS_PUSH = "has_push"


class Operator(StrEnum):
    """How a field and a value are compared; `!=` is `Not` of `=` among those who have the field."""

    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


class Field(msgspec.Struct, frozen=True):
    """Something known of a person: a reserved field, or an attribute by its keys from the outside in."""

    reserved: Reserved | None = None
    path: tuple[str, ...] = ()


class Moment(msgspec.Struct, frozen=True):
    """An instant as it was written: a date, or date and time, in UTC where no offset stands."""

    text: str


class Relative(msgspec.Struct, frozen=True):
    """An instant as seen from the moment of asking: now, or the midnight in UTC before it, moved."""

    is_today: bool
    amount: int = 0
    #: minutes, hours, days, weeks, months or years.
    unit: str = "days"


#: What a field may be compared with; of a number, its value counts and not its spelling.
Value = str | bool | Decimal | Moment | Relative


class Constant(msgspec.Struct, frozen=True):
    """Everybody, or nobody."""

    holds: bool


class Known(msgspec.Struct, frozen=True):
    """Whether a person has the field: JSON's null and an empty reserved text are nothing."""

    field: Field


class Compare(msgspec.Struct, frozen=True):
    """The field has a value of the same kind, and the comparison holds; texts are in the order of character codes."""

    field: Field
    operator: Operator
    value: Value


class OneOf(msgspec.Struct, frozen=True):
    """The field equals one of the values."""

    field: Field
    values: tuple[Value, ...]


class StartsWith(msgspec.Struct, frozen=True):
    """The field is a text and begins so, capitals as they are."""

    field: Field
    prefix: str


class Contains(msgspec.Struct, frozen=True):
    """The field is a list with this member, or a text with this text inside."""

    field: Field
    value: str | bool | Decimal


class Not(msgspec.Struct, frozen=True):
    """Whom the condition does not mean."""

    condition: Condition


class All(msgspec.Struct, frozen=True):
    """Whom every one of the conditions means."""

    conditions: tuple[Condition, ...]


class Some(msgspec.Struct, frozen=True):
    """Whom at least one of the conditions means."""

    conditions: tuple[Condition, ...]


Condition = Constant | Known | Compare | OneOf | StartsWith | Contains | Not | All | Some
