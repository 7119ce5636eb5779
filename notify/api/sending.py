"""`POST /v1/notifications` and what stops or repeats one."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.rules.wire import decode
from notify.accept import accept
from notify.api.answers import json_answer
from notify.api.auth import caller_of
from notify.api.context import context_of
from notify.cancel import cancel_notification
from notify.errors import IdempotencyKeyRequired, InvalidRequest
from notify.replay import resend_notification
from notify.rules.intake import Call
from notify.rules.requests import SendRequest
from notify.vocabulary import NotificationStatus

#: A key is a token of the caller's, not a document.
_MAX_KEY = 255


def send(request: Request) -> HttpResponse:
    """Accept a send: 202 once it is durable, the first answer again for a repeat."""
    body = decode(request.body, SendRequest)
    caller = caller_of(request)
    context = context_of(request)
    answer = accept(
        Call(
            request=body,
            key=_idempotency_key(request, body),
            application_id=caller.application_id,
            scopes=caller.scopes,
            is_test=caller.is_test,
            request_id=context.request_id,
            trace_id=context.trace_id,
            now=timezone.now(),
        )
    )
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    return json_answer(answer.body, status=202, headers=headers)


def _idempotency_key(request: Request, body: SendRequest) -> str:
    """The key from the first of its four carriers that has one."""
    headers = request.headers
    key = (
        headers.get("Idempotency-Key")
        or headers.get("X-Idempotency-Key")
        or body.idempotency_key
        or body.notification_id
    )
    if not key:
        raise IdempotencyKeyRequired
    if len(key) > _MAX_KEY or not key.isprintable():
        text = f"An idempotency key has 1 to {_MAX_KEY} printable characters."
        raise InvalidRequest(text, code="invalid_idempotency_key")
    return key


class StatusWord(msgspec.Struct, frozen=True):
    """A notification and where it stands now."""

    id: UUID
    status: NotificationStatus


class CancelView(APIView):
    """Stop a notification that has not left."""

    scopes: ClassVar[dict[str, str]] = {"POST": "send"}
    answers: ClassVar[dict[str, dict[int, type]]] = {"POST": {200: StatusWord}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {404: ("unknown_notification",), 409: ("already_sent",)}
    }

    def post(self, request: Request, notification_id: UUID) -> HttpResponse:
        """Cancel what is still here; 409 `already_sent` once nothing is."""
        cancel_notification(notification_id, caller_of(request).application_id)
        return json_answer({"id": notification_id, "status": "cancelled"})


class ResendView(APIView):
    """Tell it again."""

    scopes: ClassVar[dict[str, str]] = {"POST": "send"}
    answers: ClassVar[dict[str, dict[int, type]]] = {"POST": {202: StatusWord}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"POST": {404: ("unknown_notification",)}}

    def post(self, request: Request, notification_id: UUID) -> HttpResponse:
        """Accept a copy of a notification, under a new id and today's preferences."""
        copy_id = resend_notification(notification_id, caller_of(request).application_id, now=timezone.now())
        return json_answer({"id": copy_id, "status": "accepted"}, status=202)
