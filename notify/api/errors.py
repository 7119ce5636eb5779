"""Whatever goes wrong in a call becomes one shape: RFC 9457, with the stable codes of api.md."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.request import Request

from channels.errors import Refusal
from notify.api.answers import problem
from notify.errors import BodyTooLarge, InvalidKey, NotAccepting

log = structlog.get_logger(__name__)

#: What a caller is told of a fault of ours: nothing but where it is logged.
INTERNAL = Refusal(
    "Something went wrong on our side; it is logged under this request_id.", code="internal_error", status=500
)


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler: every exception of a view, answered."""
    return answer_to(context["request"], error)


def answer_to(request: HttpRequest | Request, error: Exception) -> HttpResponse:
    """The problem an exception stands for; what nobody foresaw is logged with its traceback and told to nobody."""
    refusal = refusal_for(error)
    if refusal is None:
        log.error("request.failed", error=type(error).__name__, exc_info=error)
        refusal = INTERNAL
    return problem(request, refusal)


def refusal_for(error: Exception) -> Refusal | None:
    """What a foreseen exception tells the caller; None for all others."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, (OperationalError, InterfaceError)):
        log.warning("database.away", error=type(error).__name__)
    for kind, answer in _FORESEEN:
        if isinstance(error, kind):
            return answer()
    return _from_framework(error) if isinstance(error, exceptions.APIException) else None


def not_found() -> Refusal:
    """No such path."""
    return Refusal("There is nothing at this path; see /v1/docs/.", code="not_found", status=HTTPStatus.NOT_FOUND)


def forbidden() -> Refusal:
    """Django's own refusals."""
    return Refusal("This is not allowed.", code="forbidden", status=HTTPStatus.FORBIDDEN)


def bad_request() -> Refusal:
    """What Django calls suspicious: a host it does not serve, a broken upload."""
    return Refusal("The request could not be read.", code="bad_request", status=HTTPStatus.BAD_REQUEST)


def malformed() -> Refusal:
    """A body that the framework could not read."""
    return Refusal("The body is not well-formed JSON.", code="malformed_json", status=HTTPStatus.BAD_REQUEST)


#: The first that fits counts: a body too large is also suspicious.
_FORESEEN: tuple[tuple[type[Exception], Callable[[], Refusal]], ...] = (
    (OperationalError, NotAccepting),
    (InterfaceError, NotAccepting),
    (RequestDataTooBig, BodyTooLarge),
    (Http404, not_found),
    (exceptions.NotFound, not_found),
    (PermissionDenied, forbidden),
    (exceptions.PermissionDenied, forbidden),
    (SuspiciousOperation, bad_request),
    (UnreadablePostError, bad_request),
    (exceptions.NotAuthenticated, InvalidKey),
    (exceptions.AuthenticationFailed, InvalidKey),
    (exceptions.ParseError, malformed),
)


def _from_framework(error: exceptions.APIException) -> Refusal:
    """DRF's other refusals (405, 406, 415 …) in our shape."""
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    detail = error.detail if isinstance(error.detail, str) else error.default_detail
    return Refusal(str(detail), code=code, status=error.status_code)
