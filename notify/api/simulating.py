"""`POST /v1/notifications/simulate`: what a send would do, and why."""

from __future__ import annotations

from datetime import UTC
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.errors import FieldError
from channels.rules.wire import decode
from notify.api.answers import json_answer
from notify.api.auth import caller_of
from notify.api.context import context_of
from notify.errors import InvalidRequest
from notify.policy import MAX_SIMULATED
from notify.rules.intake import Call
from notify.rules.simulation import SimulateRequest, Simulation
from notify.simulate import simulate
from notify.vocabulary import Scope


class SimulateView(APIView):
    """Ask before telling."""

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {"POST": (Scope.SEND.value, Scope.READ.value)}
    bodies: ClassVar[dict[str, type]] = {"POST": SimulateRequest}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {200: Simulation}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {
            400: ("template_type_mismatch", "unknown_template"),
            422: ("missing_variable", "unknown_type", "too_many_recipients", "unknown_user", "invalid_at"),
        }
    }

    def post(self, request: Request) -> HttpResponse:
        """What a send of this body would do at `at`, for up to 100 people: channels, hours, words, cost, and reasons.

        Nothing is sent, written or counted. Faults of the body are refused as a send's are.
        """
        return json_answer(simulate(_call(request, decode(request.body, SimulateRequest))))


def _call(request: Request, body: SimulateRequest) -> Call:
    if len(body.people()) > MAX_SIMULATED:
        raise _wrong("recipients", "too_many_recipients", f"At most {MAX_SIMULATED} recipients in one simulation.")
    if body.at is not None and body.at.tzinfo is None:
        raise _wrong("at", "invalid_at", "An instant needs an offset, for example 2027-04-15T12:00:00Z.")
    caller, context = caller_of(request), context_of(request)
    return Call(
        request=body,
        key="",
        application_id=caller.application_id,
        # Whoever may not send it may ask all the same.
        scopes=caller.scopes | {Scope.SEND_CRITICAL.value},
        is_test=caller.is_test,
        request_id=context.request_id,
        trace_id=context.trace_id,
        now=body.at.astimezone(UTC) if body.at is not None else timezone.now(),
    )


def _wrong(field: str, code: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, code=code, errors=[FieldError(f"/{field}", code, message)])
