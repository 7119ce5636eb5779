"""What an SMTP reply means. The enhanced code (RFC 3463, RFC 5248) decides, not the basic one.

Treating every 55x as a dead address would deactivate good ones on a policy block; `providers.md` 3.8 is the table.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from channels.rules.bounces import DEAD, FULL, enhanced_in
from channels.vocabulary import ReceiptKind, SendOutcome

_AUTH = frozenset({"7.8", "7.26", "7.9", "7.11"})
_BUSY = frozenset({"7.0", "7.28"})
_RELAY_DENIED = re.compile(r"relay", re.IGNORECASE)
_RATE = re.compile(r"\brate\b|too many|too fast|throttl", re.IGNORECASE)

_TEMPORARY, _PERMANENT = 4, 5


class Meaning(NamedTuple):
    """The class of a reply, its code, and what it says about the mailbox."""

    outcome: SendOutcome
    #: `550 5.1.1`: never the text, which repeats the address.
    code: str
    receipt: ReceiptKind | None = None


def meaning_of(code: int, text: str) -> Meaning:
    """What a refusal means for the message it was given to."""
    found = enhanced_in(text)
    enhanced = found.what if found else ""
    label = f"{code} {found}" if found else str(code)
    if code // 100 == _TEMPORARY:
        return Meaning(_temporary(code, enhanced, text), label, _soft(enhanced))
    if code // 100 == _PERMANENT:
        return Meaning(_permanent(code, enhanced, text), label, _soft(enhanced))
    return Meaning(SendOutcome.AMBIGUOUS, label)


def _temporary(code: int, enhanced: str, text: str) -> SendOutcome:
    # 421 closes the connection, 4.7.0 and 4.7.28 are reputation limits, 450 4.2.1 is a mailbox that gets too much.
    is_rate = code == 450 and enhanced == "2.1"  # noqa: PLR2004 - the code is the point
    if code == 421 or enhanced in _BUSY or is_rate or _RATE.search(text):  # noqa: PLR2004 - as above
        return SendOutcome.THROTTLED
    return SendOutcome.TRANSIENT


def _permanent(code: int, enhanced: str, text: str) -> SendOutcome:
    if code in {530, 534, 535, 538} or enhanced in _AUTH or (enhanced == "7.1" and _RELAY_DENIED.search(text)):
        return SendOutcome.MISCONFIGURED
    if enhanced in DEAD:
        return SendOutcome.BAD_RECIPIENT
    if enhanced.startswith("4."):
        return SendOutcome.TRANSIENT  # routing: hours of trying, then the retries are used up
    # Too large, refused content, policy, reputation, a full mailbox, and every 5xx that does not say why: this message
    # failed, and the address is kept.
    return SendOutcome.BAD_MESSAGE


def _soft(enhanced: str) -> ReceiptKind | None:
    """A full mailbox counts towards giving the address up, slowly."""
    return ReceiptKind.SOFT_BOUNCED if enhanced == FULL else None
