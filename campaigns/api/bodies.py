"""Bodies that hold a list of people: larger than a send's."""

from __future__ import annotations

from rest_framework.request import Request

from campaigns.policy import MAX_CAMPAIGN_BYTES
from notify.errors import BodyTooLarge


def body_of(request: Request) -> bytes:
    """The bytes of the body, up to `MAX_CAMPAIGN_BYTES`; Django's own limit is that of a send."""
    plain = request._request  # noqa: SLF001 - DRF's name for the inner one
    if hasattr(plain, "_body"):
        whole: bytes = plain.body  # it came in chunks, and the middleware has read it
        return whole
    body: bytes = plain.read(MAX_CAMPAIGN_BYTES + 1)
    if len(body) > MAX_CAMPAIGN_BYTES:
        raise BodyTooLarge(MAX_CAMPAIGN_BYTES >> 20)
    return body
