"""What makes two calls that start something at once the same call."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from campaigns.rules.requests import BulkBody, FanoutBody

_encode = msgspec.json.Encoder(order="sorted").encode


def fingerprint(body: BulkBody | FanoutBody) -> bytes:
    """32 bytes that are equal for bodies of equal meaning; the key itself does not count."""
    return sha256(_encode(msgspec.structs.replace(body, idempotency_key=None))).digest()
