"""What SendGrid's refusal of a call says: which field is wrong, of which mail, and what that means.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors - one bad mail refuses the whole call, and the field
tells which: `personalizations.17.to.0.email`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from channels.vocabulary import SendOutcome

_FIELD = re.compile(r"[a-z_.0-9]{1,80}\Z")
_PERSONALIZATION = re.compile(r"personalizations\.(\d{1,4})(?:\.|\Z)", re.ASCII)
_ADDRESS_FIELD = re.compile(r"personalizations\.\d+\.to\.\d+\.email\Z", re.ASCII)
_NUMBERS = re.compile(r"\.\d+")


class Meaning(NamedTuple):
    """The class of an answer, and its code."""

    outcome: SendOutcome
    code: str = ""


class RefusedField(msgspec.Struct, frozen=True, gc=False):
    """One of the errors of a refusal."""

    field: str | None = None

    @property
    def number(self) -> int | None:
        """Which personalization is to blame, where it says."""
        found = _PERSONALIZATION.match(self.field or "")
        return int(found[1]) if found else None

    @property
    def is_about_us(self) -> bool:
        """The sender is refused, and so will every mail be."""
        return (self.field or "").partition(".")[0] == "from"

    @property
    def is_about_merging(self) -> bool:
        """The substitutions are refused, of which a mail by itself has none."""
        return ".substitutions" in (self.field or "")

    @property
    def meaning(self) -> Meaning:
        """For the one mail it is about. Only an address that is none condemns the address."""
        code = _NUMBERS.sub("", self.field) if self.field and _FIELD.match(self.field) else "refused"
        if self.is_about_us:
            return Meaning(SendOutcome.MISCONFIGURED, code)
        bad_address = _ADDRESS_FIELD.match(self.field or "")
        return Meaning(SendOutcome.BAD_RECIPIENT if bad_address else SendOutcome.BAD_MESSAGE, code)


class _Refusal(msgspec.Struct, gc=False):
    errors: list[RefusedField]


_decode = msgspec.json.Decoder(_Refusal).decode


def refused_fields(body: bytes) -> list[RefusedField]:
    """What SendGrid says is wrong; nothing when these are not its words."""
    try:
        return _decode(body).errors
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
