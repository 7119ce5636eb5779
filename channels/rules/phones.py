"""Phone numbers that are written as they are kept: told at a glance from those that must be parsed."""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cache
from typing import NamedTuple

import phonenumbers

_E164 = re.compile(r"\+([1-9][0-9]{6,14})\Z")
#: Digits of the longest country code.
_LONGEST_CODE = 3


class _Plan(NamedTuple):
    """What of a country's numbering plan decides whether a number stays as it is."""

    #: Digits that the number has behind the country code.
    lengths: Container[int]
    #: What a parser might take for a prefix and cut off; None: nothing.
    prefix: re.Pattern[str] | None


def is_plain(text: str) -> bool:
    """Whether a parser would find this number possible and leave it as it is; False: ask the parser.

    True of practically every number that was E.164 before, in a twentieth of the parser's time.
    """
    written = _E164.match(text)
    if written is None:
        return False
    digits = written[1]
    for size in range(1, _LONGEST_CODE + 1):
        plan = _plan(digits[:size])
        if plan is not None:
            return _stays(digits[size:], plan)
    return False


def _stays(national: str, plan: _Plan) -> bool:
    """A nought in front, and what may be a prefix, are the parser's business."""
    if len(national) not in plan.lengths or national[0] == "0":
        return False
    return plan.prefix is None or plan.prefix.match(national) is None


@cache
def _plan(code: str) -> _Plan | None:
    """The plan of a country code's main country; None where there is no such code."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if regions is None:
        return None
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), regions[0])
    general = metadata.general_desc if metadata is not None else None
    if metadata is None or general is None:
        return None
    prefix = metadata.national_prefix_for_parsing
    return _Plan(
        frozenset((*general.possible_length, *general.possible_length_local_only)),
        re.compile(prefix) if prefix else None,
    )
