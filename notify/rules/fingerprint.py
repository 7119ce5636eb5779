"""What makes two requests the same request."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

#: Carriers of the key itself: they do not make a request another one.
_KEY_FIELDS = ("idempotency_key", "notification_id")


def fingerprint(body: dict[str, Any]) -> bytes:
    """32 bytes that are equal for bodies of equal meaning, whatever their spacing and order of fields."""
    relevant = {name: value for name, value in body.items() if name not in _KEY_FIELDS}
    return sha256(orjson.dumps(relevant, option=orjson.OPT_SORT_KEYS)).digest()
