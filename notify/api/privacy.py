"""What a person may ask of the owner: to be forgotten, and a copy of all that is held."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView
from structlog.contextvars import get_contextvars

from notify import erase, export
from notify.api.answers import json_answer
from notify.api.auth import caller_of
from notify.vocabulary import Scope
from preferences.errors import UnknownUser
from preferences.rules.intake import is_id
from preferences.vocabulary import ConsentActor, ConsentMeans, Origin, RecipientStatus

_ACCEPTED = 202
_UNKNOWN: dict[int, tuple[str, ...]] = {404: ("unknown_user",)}


class ErasureView(msgspec.Struct, frozen=True):
    """The answer to an erasure; the same to every repeat."""

    user_id: str
    status: RecipientStatus
    requested_at: datetime


class UserExport(msgspec.Struct, frozen=True, kw_only=True):
    """All that is held of a person."""

    user: dict[str, Any]
    #: With their tokens in clear.
    devices: list[dict[str, Any]]
    #: Without what equals the default.
    preferences: dict[str, Any]
    consents: list[dict[str, Any]]
    inbox: list[dict[str, Any]]
    #: With variables, deliveries, attempts and events, newest first.
    notifications: list[dict[str, Any]]
    #: The last field: an answer without it was cut off.
    complete: bool


class EraseView(APIView):
    """Forget somebody."""

    scopes: ClassVar[dict[str, str]] = {"POST": Scope.USERS.value}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {202: ErasureView}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"POST": _UNKNOWN}

    def post(self, request: Request, user_id: str) -> HttpResponse:
        """Send nothing to a user ever again, and make what is held of them unreadable; there is no way back.

        In force with the answer. Kept are keyed hashes of the addresses, which stay closed to marketing, and counts.
        """
        origin = Origin(
            means=ConsentMeans.ERASURE,
            actor=ConsentActor.APPLICATION,
            actor_id=str(caller_of(request).application_id),
            trace=str(get_contextvars().get("trace_id", "")),
        )
        done = erase.erase_user(_checked(user_id), origin)
        return json_answer(ErasureView(user_id, RecipientStatus.ERASED, done.requested_at), status=_ACCEPTED)


class ExportView(APIView):
    """A copy for somebody."""

    scopes: ClassVar[dict[str, str]] = {"GET": Scope.USERS.value}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: UserExport}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"GET": _UNKNOWN}

    def get(self, _request: Request, user_id: str) -> StreamingHttpResponse:
        """All that is held of a user, in clear, as one JSON document that is written while it is read."""
        return StreamingHttpResponse(
            export.export_user(_checked(user_id)),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )


def _checked(user_id: str) -> str:
    if not is_id(user_id):
        raise UnknownUser
    return user_id
