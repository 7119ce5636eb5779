"""`/v1/notifications`: one path, two owners: sending writes, reading lists."""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from notify.api import reading, sending
from notify.api.pagination import PageLinks
from notify.rules.intake import Rejection
from notify.rules.requests import SendRequest
from notify.vocabulary import Scope


class AcceptedNotification(msgspec.Struct, frozen=True):
    """One recipient's notification."""

    id: UUID
    user_id: str


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a send: durable, and on its way."""

    request_id: str
    batch_id: UUID
    status: Literal["accepted"]
    notifications_queued: int
    notifications: list[AcceptedNotification]
    rejected: list[Rejection]
    estimated_delivery: str
    trace_id: str


class NotificationList(msgspec.Struct, frozen=True):
    """A page of notifications."""

    data: list[reading.ListedNotification]
    page: PageLinks


class NotificationsView(APIView):
    """Tell people something; or list what they were told."""

    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ.value, "POST": Scope.SEND.value}
    queries: ClassVar[dict[str, type]] = {"GET": reading.ListQuery}
    bodies: ClassVar[dict[str, type]] = {"POST": SendRequest}
    header_parameters: ClassVar[dict[str, tuple[str, ...]]] = {"POST": ("Idempotency-Key", "X-Idempotency-Key")}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: NotificationList}, "POST": {202: Accepted}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {
            400: ("idempotency_key_required", "template_type_mismatch", "unknown_template"),
            409: ("idempotency_key_reused", "request_in_progress"),
            422: ("missing_variable", "unknown_type", "too_many_recipients", "unknown_user"),
        }
    }

    def get(self, request: Request) -> HttpResponse:
        """List notifications, newest first."""
        return reading.list_notifications(request)

    def post(self, request: Request) -> HttpResponse:
        """Accept a notification for up to 1,000 people; 202 once it is durable."""
        return sending.send(request)
