"""How Vonage signs, and how our callbacks at Vonage are told from anybody's.

https://developer.vonage.com/en/getting-started/concepts/signing-messages - the account's signature method must be
SHA-256 HMAC; the weaker ones are not spoken.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from uuid import UUID

_SEPARATORS = str.maketrans("&=", "__")


def signature(secret: str, parameters: Iterable[tuple[str, str]]) -> str:
    """`sig` of these parameters: `&name=value` by name, `&` and `=` in values made underscores."""
    signed = "".join(f"&{name}={value.translate(_SEPARATORS)}" for name, value in sorted(parameters))
    return hmac.new(secret.encode(), signed.encode(errors="replace"), hashlib.sha256).hexdigest()


def callback_token(secret: str, delivery_id: UUID) -> str:
    """What the callback's URL holds beside the delivery's id, so that nobody can make one up; 128 bits."""
    return hmac.new(secret.encode(), b"carillon callback " + delivery_id.bytes, hashlib.sha256).hexdigest()[:32]
