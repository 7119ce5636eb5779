"""What the sandbox makes of an address: magic ones give every outcome a provider can give.

In push tokens and e-mail addresses a word says it: `sandbox-bounced@example.com`, a token with `sandbox-dead` in it.
In phone numbers the last two digits of +1 500 555 00NN say it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from channels.vocabulary import ReceiptKind, SendOutcome


class Fortune(NamedTuple):
    """What becomes of a message to an address."""

    outcome: SendOutcome
    receipt: ReceiptKind | None = None
    code: str = ""
    retry_after_seconds: float | None = None
    #: Takes a while before it answers.
    slow: bool = False


DELIVERED = Fortune(SendOutcome.ACCEPTED, ReceiptKind.DELIVERED)

FORTUNES: dict[str, Fortune] = {
    "delivered": DELIVERED,
    "accepted": Fortune(SendOutcome.ACCEPTED),
    "bounced": Fortune(SendOutcome.ACCEPTED, ReceiptKind.BOUNCED, "hard_bounce"),
    "soft-bounced": Fortune(SendOutcome.ACCEPTED, ReceiptKind.SOFT_BOUNCED, "mailbox_full"),
    "complained": Fortune(SendOutcome.ACCEPTED, ReceiptKind.COMPLAINED, "complaint"),
    "slow": Fortune(SendOutcome.ACCEPTED, ReceiptKind.DELIVERED, slow=True),
    "throttled": Fortune(SendOutcome.THROTTLED, None, "rate_exceeded", 2.0),
    "down": Fortune(SendOutcome.TRANSIENT, None, "provider_down"),
    "ambiguous": Fortune(SendOutcome.AMBIGUOUS, None, "timeout"),
    "dead": Fortune(SendOutcome.BAD_RECIPIENT, None, "unregistered"),
    "bad-message": Fortune(SendOutcome.BAD_MESSAGE, None, "refused_content"),
    "misconfigured": Fortune(SendOutcome.MISCONFIGURED, None, "bad_credentials"),
}

#: NN of +1 500 555 00NN, in the order above.
_BY_NUMBER = {f"+150055500{number:02}": word for number, word in enumerate(FORTUNES)}

# Longer words first: "bad-message" is not "bad".
_WORD = re.compile(r"sandbox-(" + "|".join(sorted(FORTUNES, key=len, reverse=True)) + r")(?![a-z])")


def fortune_of(address: str) -> Fortune:
    """What becomes of a message to this address; any ordinary one is delivered."""
    found = _WORD.search(address)
    word = found[1] if found else _BY_NUMBER.get(address, "delivered")
    return FORTUNES[word]
