"""`/v1/system/mode`: spare the system, and let it go on."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.rules.wire import decode
from notify.api.answers import json_answer
from notify.api.auth import caller_of
from notify.govern import set_mode
from notify.store import modes
from notify.vocabulary import Scope, SystemMode


class ModeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mode to put in force."""

    mode: SystemMode
    #: For whoever wonders later.
    reason: Annotated[str, Meta(max_length=500)] = ""


class ModeView(APIView):
    """What the whole system may do."""

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {
        "GET": (Scope.OPERATE.value, Scope.READ.value),
        "PUT": Scope.OPERATE.value,
    }
    bodies: ClassVar[dict[str, type]] = {"PUT": ModeBody}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: modes.ModeRow}, "PUT": {200: modes.ModeRow}}

    def get(self, request: Request) -> HttpResponse:
        """The mode in force, since when, and why."""
        del request
        return json_answer(modes.read_mode())

    def put(self, request: Request) -> HttpResponse:
        """Put a mode in force: within two seconds for every process. What it holds back goes once it is relaxed."""
        body = decode(request.body, ModeBody)
        return json_answer(set_mode(body.mode, body.reason, by=f"API key {caller_of(request).key_id}"))
