"""Every call gets its ids, its size limit, its line in the log and its place in the metrics."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, clear_contextvars

from campaigns.policy import MAX_CAMPAIGN_BYTES
from channels.errors import Refusal
from config.metrics import request_observed
from notify.api.answers import problem
from notify.api.context import CallContext, give_context
from notify.api.errors import not_found
from notify.api.metering import meter_stranger
from notify.errors import BodyTooLarge
from notify.policy import MAX_RECEIPT_BYTES

log = structlog.get_logger(__name__)

#: A send to 1,000 people fits (api.md section 2).
MAX_BODY = 1_048_576

_API = ("/v1/", "/api/v1/")
_RECEIPTS = ("/v1/receipts/", "/api/v1/receipts/")
#: Their bodies may hold a list of 100,000 people.
_LISTS = tuple(f"{root}{path}" for root in _API for path in ("campaigns", "notifications/bulk", "notifications/batch"))
#: Asked every few seconds by machines: in the metrics, not in the log.
_UNLOGGED = ("/livez", "/readyz", "/metrics")
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?")
#: Not in any path of ours, and not storable: NUL and the other control characters.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class RequestContextMiddleware:
    """Takes or makes `X-Request-Id` and W3C `traceparent`, binds both to the log, and answers with them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one call."""
        started = time.perf_counter()
        context, flags = _context_for(request)
        give_context(request, context)
        clear_contextvars()
        bind_contextvars(request_id=context.request_id, trace_id=context.trace_id)
        try:
            response = self._answer(request, context)
            response["X-Request-Id"] = context.request_id
            response["traceparent"] = f"00-{context.trace_id}-{os.urandom(8).hex()}-{flags}"
            _tell(request, response, time.perf_counter() - started)
        finally:
            clear_contextvars()
        return response

    def _answer(self, request: HttpRequest, context: CallContext) -> HttpResponse:
        if not request.path_info.startswith(_API):
            return self._get_response(request)
        response = _refuse_unread(request) or self._get_response(request)
        if context.rate is None:
            meter_stranger(request)
        if context.rate is not None:
            response["RateLimit-Limit"] = str(context.rate.limit)
            response["RateLimit-Remaining"] = str(context.rate.remaining)
            response["RateLimit-Reset"] = str(context.rate.reset_seconds)
        return response


def _context_for(request: HttpRequest) -> tuple[CallContext, str]:
    """The caller's ids where they are well-formed, else new ones; and the trace's flags."""
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
    parent = _TRACEPARENT.fullmatch(request.META.get("HTTP_TRACEPARENT", ""))
    if parent is None or (parent[1] == "00" and parent[4]):
        return CallContext(request_id=request_id, trace_id=os.urandom(16).hex()), "01"
    return CallContext(request_id=request_id, trace_id=parent[2]), parent[3]


def _refuse_unread(request: HttpRequest) -> HttpResponse | None:
    """What need not be read to be refused."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    limit = _limit_of(request)
    if not length.isascii() or not length.isdigit() or int(length) > limit:
        return problem(request, BodyTooLarge(limit >> 20))
    if _UNFIT.search(request.path_info):
        return problem(request, not_found())
    if "HTTP_TRANSFER_ENCODING" in request.META and "CONTENT_LENGTH" not in request.META:
        return _take_chunks(request, limit)
    return None


def _limit_of(request: HttpRequest) -> int:
    """Bytes a body may have: providers tell of many messages at once, and campaigns may name many people."""
    if request.path_info.startswith(_LISTS):
        return MAX_CAMPAIGN_BYTES
    return MAX_RECEIPT_BYTES if request.path_info.startswith(_RECEIPTS) else MAX_BODY


def _take_chunks(request: HttpRequest, limit: int) -> HttpResponse | None:
    """Read a body that comes without its length, which Django would take for an empty one."""
    if not request.META.get("wsgi.input_terminated"):
        return problem(request, Refusal("Send the body with a Content-Length.", code="length_required", status=411))
    body = request.META["wsgi.input"].read(limit + 1)
    if len(body) > limit:
        return problem(request, BodyTooLarge(limit >> 20))
    request._body = body  # noqa: SLF001 - where Django keeps a body that has been read
    return None


def _tell(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """The call's line and numbers: by route, because a path may hold a name."""
    match = request.resolver_match
    route = match.route if match is not None else "unmatched"
    request_observed(request.method or "", route, response.status_code, seconds)
    if request.path_info not in _UNLOGGED:
        log.info(
            "request",
            method=request.method,
            route=route,
            status=response.status_code,
            ms=round(seconds * 1000, 2),
        )
