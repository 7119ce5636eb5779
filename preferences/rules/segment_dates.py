"""Which texts are instants, and what relative dates mean at a given moment."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta
from types import MappingProxyType

from preferences.rules.segment_tree import Relative

_DATE = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,9})?)?"
_OFFSET = "(?:[Zz]|[+-](?:0[0-9]|1[0-5]):[0-5][0-9])"
#: Exactly the texts that are instants, in what Python's and PostgreSQL's expressions have in common: PostgreSQL raises
#: where it casts a text that is none, so it must be asked before, February 29th included.
INSTANT = f"^(?:{_DATE}(?:[Tt ]{_TIME}{_OFFSET}?)?)$"

#: Days in a unit, the longest there can be.
DAYS = MappingProxyType(
    {"minutes": 1 / 1_440, "hours": 1 / 24, "days": 1.0, "weeks": 7.0, "months": 31.0, "years": 366.0}
)
_MONTHS = MappingProxyType({"months": 1, "years": 12})

_instant = re.compile(INSTANT)


def is_instant(text: str) -> bool:
    """Whether a text is a date, or a date and time, that exists."""
    return _instant.fullmatch(text) is not None


def moment_of(relative: Relative, now: datetime) -> datetime:
    """The instant meant at `now`, which is in UTC; a month's last day stands for one it does not have."""
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) if relative.is_today else now
    months = _MONTHS.get(relative.unit)
    if months is None:
        return start + timedelta(days=relative.amount * DAYS[relative.unit])
    year, month = divmod(start.year * 12 + start.month - 1 + relative.amount * months, 12)
    return start.replace(year=year, month=month + 1, day=min(start.day, calendar.monthrange(year, month + 1)[1]))
