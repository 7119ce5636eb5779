"""Signatures by the Standard Webhooks specification, for what we call and for what calls us.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md - symmetric keys: HMAC-SHA256
over `id.timestamp.body`. Of the headers, `webhook-id`, `webhook-timestamp` (epoch seconds) and `webhook-signature`
(`v1,<base64>`, several of them separated by spaces while a key is replaced).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

_PREFIX = "whsec_"
#: Bytes of a key; the specification asks for 24 to 64, and what others made may be shorter.
_SHORTEST, _LONGEST = 16, 64
#: Seconds a call may be old, or ahead of our clock.
TOLERANCE_SECONDS = 300


def key_of(secret: str) -> bytes:
    """The key in a secret such as `whsec_MfKQ9r8G…`; raises ValueError, with the cure, for anything else."""
    try:
        encoded = secret.removeprefix(_PREFIX)
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        message = 'is no signing secret: write "whsec_" and 24 to 64 random bytes in base64'
        raise ValueError(message)
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """One value of `webhook-signature`."""
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def refusal(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, *, now: float) -> str:
    """Why a call is not genuine, for the log; empty when it is. Header names are in lower case."""
    message_id, told = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not told.isascii() or not told.isdecimal() or len(told) > len("253402300799"):
        return "webhook-id or webhook-timestamp is missing"
    if abs(now - int(told)) > TOLERANCE_SECONDS:
        return "webhook-timestamp is more than five minutes off"
    given = [one.encode() for one in headers.get("webhook-signature", "").split()]
    right = [signature(key, message_id, int(told), body).encode() for key in keys]
    # All are compared, so that time tells nothing.
    matches = [hmac.compare_digest(one, other) for one in given for other in right]
    return "" if any(matches) else "no webhook-signature is one of this account's secret"
