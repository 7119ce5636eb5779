"""The idempotency key of a call, from whichever carrier has one."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request

from notify.errors import InvalidRequest

KEY_HEADERS: Final = ("Idempotency-Key", "X-Idempotency-Key")
#: A key is a token of the caller's, not a document.
_MAX_KEY = 255


def key_of(request: Request, in_body: str | None) -> str | None:
    """The key of the first header that has one, else the body's; None where there is none."""
    key = next((found for name in KEY_HEADERS if (found := request.headers.get(name))), in_body)
    if key and (len(key) > _MAX_KEY or not key.isprintable()):
        text = f"An idempotency key has 1 to {_MAX_KEY} printable characters."
        raise InvalidRequest(text, code="invalid_idempotency_key")
    return key or None
