"""What people answer to a text message when they want no more of them.

The carriers' words for the United States and Canada, which providers honour by themselves:
https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
"""

from __future__ import annotations

import re

STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START_WORDS = frozenset({"START", "UNSTOP"})

_NO_LETTER = re.compile(r"[^A-Z]")
#: Longer than any keyword with its decoration: what is longer is a conversation.
_LONGEST = 40


def is_stop(text: str) -> bool:
    """Whether the whole message is an opt-out: case, spaces and punctuation do not count."""
    return _word(text) in STOP_WORDS


def is_start(text: str) -> bool:
    """Whether the whole message takes an opt-out back."""
    return _word(text) in START_WORDS


def _word(text: str) -> str:
    return _NO_LETTER.sub("", text.upper()) if len(text) <= _LONGEST else ""
