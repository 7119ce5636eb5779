"""A page to try the inbox component on; there is none in production."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from notify.api.stream import stream_base

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: http: https:; connect-src 'self' {}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@require_safe
def inbox_demo(request: HttpRequest) -> HttpResponse:
    """A form for a user and a token, and their inbox."""
    page = HttpResponse(render_to_string("pages/inbox_demo.html", {"host": request.get_host()}))
    page["Content-Security-Policy"] = _POLICY.format(stream_base(request))
    page["Referrer-Policy"] = "no-referrer"
    return page
