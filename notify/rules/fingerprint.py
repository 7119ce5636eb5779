"""What makes two requests the same request."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from notify.rules.requests import SendRequest

_encoder = msgspec.json.Encoder(order="sorted")


def fingerprint(request: SendRequest) -> bytes:
    """32 bytes that are equal for requests of equal meaning, whatever their spacing and order of fields.

    The carriers of the key itself do not count: they do not make a request another one.
    """
    bare = msgspec.structs.replace(request, idempotency_key=None, notification_id=None)
    return sha256(_encoder.encode(bare)).digest()
