"""Bodies of answers. Made by msgspec and not by a renderer: a tenth of the cost, and one shape for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from channels.errors import FieldError, Refusal
from notify.api.context import context_of

_encode = msgspec.json.Encoder().encode


def json_answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """`body` (a struct, a dict, or bytes that are JSON already) as an answer."""
    content = body if isinstance(body, bytes) else _encode(body)
    return as_logged(HttpResponse(content, status=status, content_type="application/json", headers=headers))


def problem(request: HttpRequest | Request, refusal: Refusal) -> HttpResponse:
    """The refusal as RFC 9457 `application/problem+json`."""
    body = {
        "type": f"urn:carillon:problem:{refusal.code}",
        "title": refusal.code.replace("_", " ").capitalize(),
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.detail,
        "errors": [_entry(error) for error in refusal.errors],
        "request_id": context_of(request).request_id,
    }
    return as_logged(
        HttpResponse(
            _encode(body), status=refusal.status, content_type="application/problem+json", headers=refusal.headers
        )
    )


def _entry(error: FieldError) -> dict[str, Any]:
    """An error of the list; only what has a position inside its field tells it."""
    entry = error._asdict()
    if error.position is None:
        del entry["position"]
        return entry
    return entry | {"position": error.position._asdict()}


def as_logged(response: HttpResponse) -> HttpResponse:
    """Mark it as logged: Django would log every 4xx and 5xx once more, with its path, which may hold a name."""
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response
