"""Which other origins may show inboxes in their pages (CORS): none, unless they are named one by one.

Credentials are never ambient here (no cookie opens an inbox), so an allowed origin can do what its token can.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

#: What the component calls: the inbox, its marks, its events, its stream.
_INBOX = re.compile(
    r"/(?:api/)?v1/(?:users/[^/]+/notifications(?:/stream)?"
    r"|notifications/(?:read-all|[0-9a-f-]{36}/(?:read|unread|archive|events)))"
)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, PATCH, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}


def cors_headers(request: HttpRequest) -> dict[str, str]:
    """What a browser needs to be told for a page of another origin to read the answer; empty: it may not."""
    origin = request.META.get("HTTP_ORIGIN", "")
    if not origin:
        return {}
    if origin not in (settings.PUBLIC_URL, *settings.CARILLON["INBOX_ORIGINS"]) and not _is_this_machine(
        request, origin
    ):
        return {"Vary": "Origin"}
    allowed = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    return allowed | _PREFLIGHT if request.method == "OPTIONS" else allowed


def _is_this_machine(request: HttpRequest, origin: str) -> bool:
    """Outside production nobody has said by which name the web is reached: the streams' port follows its host."""
    host = urlsplit(f"//{request.META.get('HTTP_HOST', '')}").hostname
    return not settings.PRODUCTION and host is not None and urlsplit(origin).hostname == host


class InboxOriginsMiddleware:
    """Tells browsers which pages may read the inbox API; a preflight is answered without a credential, as it must."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one call."""
        if "HTTP_ORIGIN" not in request.META or not _INBOX.fullmatch(request.path_info):
            return self._get_response(request)
        headers = cors_headers(request)
        is_preflight = request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META
        is_allowed = "Access-Control-Allow-Origin" in headers
        response = HttpResponse(status=204) if is_preflight and is_allowed else self._get_response(request)
        for name, value in headers.items():
            response[name] = value
        return response
