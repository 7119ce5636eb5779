"""The rate of a credential by its tier; every call is counted, and says what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from notify import metrics
from notify.api.auth import Caller
from notify.api.context import RateState, context_of
from notify.api.metering import draw
from notify.errors import RateLimited
from notify.policy import CALL_RATES, USER_CALL_RATE

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module, by the settings

#: The headers want a number: more than anybody can call in a minute.
_UNLIMITED = RateState(limit=2**31 - 1, remaining=2**31 - 1, reset_seconds=0)


class TierThrottle(BaseThrottle):
    """A bucket per API key, and one per user of an application."""

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002 - DRF's signature
        """Raises `RateLimited` itself, with how long to wait."""
        caller = request.auth
        if isinstance(caller, Caller):
            meter(request, caller)
        return True


def meter(request: Request | HttpRequest, caller: Caller) -> None:
    """Count one call of a caller; raises `RateLimited`."""
    rate = CALL_RATES[caller.tier] if caller.user_id is None else USER_CALL_RATE
    metrics.call_metered(caller.tier.value)
    if rate is None:
        context_of(request).rate = _UNLIMITED
        return
    drawn = draw(_bucket_of(caller), rate)
    context_of(request).rate = drawn.state
    if drawn.wait_seconds:
        metrics.rate_limited(caller.tier.value, "api")
        raise RateLimited(drawn.wait_seconds)


def _bucket_of(caller: Caller) -> str:
    if caller.user_id is None:
        return f"key:{caller.key_id}"
    return f"user:{caller.application_id}:{caller.user_id}"
