"""What all pages for people have in common: their look, their language, and what they keep to themselves.

There is no login and no cookie. The token in a page's address is the credential: whoever does not have it can send no
form, so there is nothing a foreign page could forge. What protects the token: it goes to no other site (no referrer,
nothing loaded from elsewhere), into no cache, and into no log of ours.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import wraps
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import mark_safe
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.csrf import csrf_exempt

from notify import conf
from notify.api.answers import as_logged
from notify.api.context import context_of
from notify.rules.locales import by_lower_case, choose

#: What the pages speak; where a person's language is not among them, their browser's, else the first.
LANGUAGES = ("en", "es", "de", "fr", "ar")

_SPOKEN = by_lower_case(LANGUAGES)
_STYLE = (Path(__file__).parent.parent / "templates" / "pages" / "pages.css").read_text("utf-8")
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}

_View = Callable[[HttpRequest, str], HttpResponse]


def answers(*methods: str) -> Callable[[_View], _View]:
    """Which methods a page has. Django's own decorators, and its guard against forgery, would log the token."""

    def over(view: _View) -> _View:
        @csrf_exempt
        @wraps(view)
        def answered(request: HttpRequest, token: str) -> HttpResponse:
            if request.method not in methods:
                return as_logged(HttpResponseNotAllowed(methods))
            return view(request, token)

        return answered

    return over


def language_for(request: HttpRequest, wish: str = "") -> str:
    """The person's language, else the first their browser asks for, else English."""
    accepted = parse_accept_lang_header(request.headers.get("Accept-Language", ""))
    for tag in (wish, *(tag for tag, quality in accepted if quality > 0)):
        if found := choose(tag, _SPOKEN, ""):
            return found
    return LANGUAGES[0]


def posted_by(request: HttpRequest) -> dict[str, str]:
    """The fields of a form, the last of each name; none where the body is no form."""
    try:
        return request.POST.dict()
    except (BadRequest, SuspiciousOperation):
        return {}


def address_of(request: HttpRequest) -> str:
    """Where the call came from, as the ledger keeps it."""
    return str(request.META.get("REMOTE_ADDR", ""))


def trace_of(request: HttpRequest) -> str:
    """The call's trace, 32 hex digits."""
    return context_of(request).trace_id


def page(
    name: str, language: str, context: Mapping[str, object] | None = None, *, status: int = HTTPStatus.OK
) -> HttpResponse:
    """A page of this name in a language."""
    frame = {
        "style": mark_safe(_STYLE),  # noqa: S308 - a file of ours
        "brand": conf.BRAND_NAME,
        "language": language,
        "direction": "rtl" if translation.get_language_info(language)["bidi"] else "ltr",
    }
    with translation.override(language):
        words = render_to_string(f"pages/{name}.html", {**(context or {}), **frame})
    return as_logged(HttpResponse(words, status=status, headers={**HEADERS, "Content-Language": language}))


def nothing_here(request: HttpRequest) -> HttpResponse:
    """The answer to every address that is not one of ours, whatever is wrong with it."""
    return page("nothing", language_for(request), status=HTTPStatus.NOT_FOUND)


def not_now(language: str, context: Mapping[str, object] | None = None) -> HttpResponse:
    """PostgreSQL is away: nobody is told that something is done when it is not."""
    response = page("later", language, context, status=HTTPStatus.SERVICE_UNAVAILABLE)
    response["Retry-After"] = "30"
    return response
