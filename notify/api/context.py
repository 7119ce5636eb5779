"""What travels with a call beside its body; config/request_context.py puts it on the request."""

from __future__ import annotations

import msgspec
from django.http import HttpRequest
from rest_framework.request import Request

_ATTRIBUTE = "call_context"


class RateState(msgspec.Struct, frozen=True, gc=False):
    """What the RateLimit headers say."""

    limit: int
    remaining: int
    #: Seconds until the bucket is full again.
    reset_seconds: int


class CallContext(msgspec.Struct, gc=False):
    """Ids of one call, and its rate once it is metered."""

    request_id: str = ""
    #: 32 hex digits of the W3C trace.
    trace_id: str = ""
    rate: RateState | None = None


def context_of(request: HttpRequest | Request) -> CallContext:
    """The context of a call; an empty one where no middleware gave it."""
    plain = request._request if isinstance(request, Request) else request  # noqa: SLF001 - DRF's name for the inner one
    context: CallContext | None = getattr(plain, _ATTRIBUTE, None)
    return context if context is not None else give_context(plain, CallContext())


def give_context(request: HttpRequest, context: CallContext) -> CallContext:
    """Put a context on a request."""
    setattr(request, _ATTRIBUTE, context)
    return context
