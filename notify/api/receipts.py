"""`/v1/receipts/{provider_name}`: providers call here. Each proves itself in its own way; nobody needs a key."""

from __future__ import annotations

from typing import Any, ClassVar

import structlog
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.errors import ConfigurationFault, NotGenuine, UnreadableReceipt
from channels.receipts import UnknownAccountError
from notify import receive
from notify.api.metering import meter_stranger
from notify.errors import BodyTooLarge, NotAccepting, NotGenuineReceipt, RateLimited, UnclearReceipt, UnknownProvider
from notify.policy import MAX_RECEIPT_BYTES

log = structlog.get_logger(__name__)

_REFUSALS: dict[int, tuple[str, ...]] = {
    400: ("unreadable_receipt",),
    403: ("not_genuine",),
    404: ("unknown_provider",),
    413: ("body_too_large",),
}


class ReceiptsView(APIView):
    """Take what a provider tells of the messages it was given."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: None}, "POST": {200: None}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"GET": _REFUSALS, "POST": _REFUSALS}

    def post(self, request: Request, provider_name: str) -> HttpResponse:
        """Keep a provider's callback, and answer at once; it is applied a moment later.

        Verified as the provider does it, deduplicated, tolerant of order. What is not genuine leaves nothing behind.
        """
        return _take(request, provider_name)

    def get(self, request: Request, provider_name: str) -> HttpResponse:
        """The same for providers that tell in the query (Vonage)."""
        return _take(request, provider_name)


def _take(request: Request, provider_name: str) -> HttpResponse:
    try:
        receive.take(
            provider_name,
            query=request.META.get("QUERY_STRING", ""),
            headers=dict(request.headers),
            body=_body(request),
        )
    except UnknownAccountError:
        raise UnknownProvider from None
    except NotGenuine as fault:
        log.warning("receipts.not_genuine", provider=provider_name, why=str(fault))
        wait = meter_stranger(request)
        raise (RateLimited(wait) if wait else NotGenuineReceipt()) from None
    except UnreadableReceipt as fault:
        log.warning("receipts.unreadable", provider=provider_name, why=str(fault))
        raise UnclearReceipt from None
    except ConfigurationFault as fault:
        log.exception("provider.misconfigured", provider=provider_name, faults=[str(one) for one in fault.faults])
        raise NotAccepting from None
    return HttpResponse(status=200)


def _body(request: Request) -> bytes:
    """The bytes as they came, for signatures cover bytes; read here, since the usual limit is a caller's."""
    plain = request._request  # noqa: SLF001 - DRF's name for the inner one
    if hasattr(plain, "_body"):
        return plain.body  # it came in chunks, and the middleware has read it
    body = plain.read(MAX_RECEIPT_BYTES + 1)
    if len(body) > MAX_RECEIPT_BYTES:
        raise BodyTooLarge(MAX_RECEIPT_BYTES >> 20)
    return body
