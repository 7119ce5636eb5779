"""What an enhanced status code (RFC 3463, RFC 5248) says about the mailbox, wherever it turns up.

SMTP replies carry it at once, providers' events hours later; a mailbox is as dead in one as in the other. The basic
code says nothing: treating every 55x as a dead address would give up good ones on a policy block (`providers.md` 3.8).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from channels.vocabulary import ReceiptKind

_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\d|\.\d)", re.ASCII)
_TEMPORARY = 4

#: Subject and detail of: no such mailbox, no such domain, moved away, null MX, disabled.
DEAD = frozenset({"1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
FULL = "2.2"
#: What comes from the network (subject 4) may heal, and a name that resolves nowhere hardly does: it is counted.
_ROUTING = "4."
#: Our own address (1.7 to 1.9), too large for the mailbox (2.3), the mail system (3), the protocol (5), the content
#: (6), policy and reputation (7): the message failed, and the address is not to blame.
_OURS = frozenset({"1.7", "1.8", "1.9", "2.3"})
_NOT_THE_MAILBOX = ("3.", "5.", "6.", "7.")


class Enhanced(NamedTuple):
    """A code such as 5.1.1, taken apart."""

    #: 2, 4 or 5.
    kind: int
    #: Subject and detail: `1.1`.
    what: str

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.kind}.{self.what}"


def enhanced_in(text: str) -> Enhanced | None:
    """The first enhanced code in a reply, or None."""
    found = _ENHANCED.search(text)
    return Enhanced(int(found[1]), f"{int(found[2])}.{int(found[3])}") if found else None


def bounce_kind(code: Enhanced | None) -> ReceiptKind | None:
    """What a failure with this code was: `bounced`, `soft_bounced` or `failed`; None: the code does not say."""
    if code is None or code.kind not in {4, 5}:
        return None
    if code.what in _OURS or code.what.startswith(_NOT_THE_MAILBOX):
        return ReceiptKind.FAILED
    if code.kind == _TEMPORARY or code.what == FULL or code.what.startswith(_ROUTING):
        return ReceiptKind.SOFT_BOUNCED
    return ReceiptKind.BOUNCED if code.what in DEAD else None
