"""What became of a notification: in a list, in short, in full, and step by step."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.rules.wire import from_query
from notify.api.answers import json_answer
from notify.api.auth import Caller, caller_of
from notify.api.pagination import Listing, PageLinks, PageQuery, decode_cursor, encode_cursor, invalid_cursor
from notify.errors import UnknownNotification
from notify.rules.history import AttemptRow, DeliveryRow, History
from notify.rules.trace import TraceEntry, compose
from notify.store import reading
from notify.vocabulary import DeliveryStatus, NotificationStatus, ReasonCode, Scope
from preferences import store as people

_READERS = (Scope.READ.value, Scope.SEND.value)


class ListQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which notifications are listed."""

    user_id: str | None = None
    type: str | None = None
    status: NotificationStatus | None = None
    campaign_id: str | None = None
    created_after: Annotated[datetime, Meta(tz=True)] | None = None


class ListedNotification(msgspec.Struct, frozen=True, kw_only=True):
    """A notification in a list."""

    id: UUID
    status: NotificationStatus
    user_id: str
    type: str
    priority: str
    scheduled_at: datetime | None
    created_at: datetime


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery as callers see it (api.md section 2)."""

    id: UUID
    channel: str
    #: A hint: enough to recognise it, too little to use it.
    address: str
    status: DeliveryStatus
    reason_code: ReasonCode | None
    detail: str
    provider: str | None
    provider_message_id: str | None
    attempts: int
    #: Text messages it was billed as; 0 on other channels, and until a provider took it.
    segments: int
    #: By the rate card, in millionths of the installation's currency.
    cost_micros: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    delivered_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None


class NotificationState(msgspec.Struct, frozen=True, kw_only=True):
    """A notification in short."""

    id: UUID
    status: NotificationStatus
    user_id: str
    type: str
    priority: str
    created_at: datetime
    deliveries: list[DeliveryView]


class NotificationRecord(NotificationState, frozen=True, kw_only=True):
    """The whole record, but for what was said: words and variables stay sealed."""

    batch_id: UUID
    application: str
    template_id: str | None
    template_version: int | None
    channels: list[str] | None
    fallback_channels: list[str]
    scheduled_at: datetime | None
    expires_at: datetime | None
    collapse_key: str | None
    metadata: dict[str, Any] | None
    test: bool
    request_id: str
    trace_id: str
    attempts: list[AttemptRow]


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Every decision in order."""

    id: UUID
    status: NotificationStatus
    trace_id: str
    trace: list[TraceEntry]


def list_notifications(request: Request) -> HttpResponse:
    """Newest first; a page may hold fewer than `limit` and yet have a next one, when few of many fit."""
    query = from_query(request.query_params.dict(), ListQuery)
    filters = _filters(query)
    if filters is None:
        return json_answer(Listing([], PageLinks(None, has_more=False)))
    found = reading.page(filters, query.limit)
    names = people.user_ids_of([row.recipient_id for row in found.rows]) if found.rows else {}
    data = [
        ListedNotification(
            id=row.id,
            status=row.status,
            user_id=names.get(row.recipient_id, ""),
            type=row.type_key,
            priority=row.priority,
            scheduled_at=row.scheduled_at,
            created_at=row.created_at,
        )
        for row in found.rows
    ]
    cursor = encode_cursor(str(found.stopped_at)) if found.stopped_at is not None else None
    return json_answer(Listing(data, PageLinks(cursor, cursor is not None)))


class NotificationView(APIView):
    """One notification."""

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {"GET": _READERS}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: NotificationRecord}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"GET": {404: ("unknown_notification",)}}

    def get(self, request: Request, notification_id: UUID) -> HttpResponse:
        """The whole record with deliveries and attempts."""
        return json_answer(_record(_history(notification_id, caller_of(request), with_events=False)))


class StatusView(APIView):
    """One notification, in short."""

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {"GET": _READERS}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: NotificationState}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"GET": {404: ("unknown_notification",)}}

    def get(self, request: Request, notification_id: UUID) -> HttpResponse:
        """Its status, and that of each delivery."""
        return json_answer(_state(_history(notification_id, caller_of(request), with_events=False)))


class TraceView(APIView):
    """One notification, step by step."""

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {"GET": _READERS}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: Trace}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"GET": {404: ("unknown_notification",)}}

    def get(self, request: Request, notification_id: UUID) -> HttpResponse:
        """Every decision in order, each with its reason."""
        history = _history(notification_id, caller_of(request), with_events=True)
        one = history.notification
        return json_answer(Trace(id=one.id, status=history.status, trace_id=one.trace_id, trace=compose(history)))


def _filters(query: ListQuery) -> reading.Filters | None:
    """The filters of a query; None: a person nobody knows was never told anything."""
    recipient_id = None
    if query.user_id is not None:
        known = people.resolve([query.user_id]).get(query.user_id)
        if known is None:
            return None
        recipient_id = known.id
    return reading.Filters(
        recipient_id=recipient_id,
        type_key=query.type,
        status=query.status,
        campaign_id=query.campaign_id,
        created_after=query.created_after,
        before=_position(query.cursor),
    )


def _position(cursor: str) -> UUID | None:
    try:
        return UUID(decode_cursor(cursor)) if cursor else None
    except ValueError:
        raise invalid_cursor() from None


def _history(notification_id: UUID, caller: Caller, *, with_events: bool) -> History:
    """Four statements, five with events. Who may only send sees what their own application sent."""
    row = reading.notification(notification_id)
    if row is None or (Scope.READ not in caller.scopes and row.application_id != caller.application_id):
        raise UnknownNotification
    deliveries = reading.deliveries(notification_id)
    return History(
        notification=row,
        user_id=people.user_ids_of([row.recipient_id]).get(row.recipient_id, ""),
        deliveries=deliveries,
        attempts=reading.attempts(notification_id, [one.id for one in deliveries]),
        events=reading.events(notification_id) if with_events else [],
    )


def _state(history: History) -> NotificationState:
    one = history.notification
    return NotificationState(
        id=one.id,
        status=history.status,
        user_id=history.user_id,
        type=one.type_key,
        priority=one.priority,
        created_at=one.created_at,
        deliveries=[_delivery(delivery, history.attempts) for delivery in history.deliveries],
    )


def _record(history: History) -> NotificationRecord:
    one = history.notification
    return NotificationRecord(
        **msgspec.structs.asdict(_state(history)),
        batch_id=one.batch_id,
        application=one.application,
        template_id=one.template_id,
        template_version=one.template_version,
        channels=one.channels,
        fallback_channels=one.fallback_channels,
        scheduled_at=one.scheduled_at,
        expires_at=one.expires_at,
        collapse_key=one.collapse_key,
        metadata=one.metadata,
        test=one.test,
        request_id=one.request_id,
        trace_id=one.trace_id,
        attempts=history.attempts,
    )


def _delivery(one: DeliveryRow, attempts: list[AttemptRow]) -> DeliveryView:
    """A delivery; its provider's id of the message is that of the last attempt that got one."""
    tries = [try_ for try_ in attempts if try_.delivery_id == one.id]
    given = [try_.provider_message_id for try_ in tries if try_.provider_message_id]
    return DeliveryView(
        id=one.id,
        channel=one.channel,
        address=one.hint,
        status=one.status,
        reason_code=one.reason_code,
        detail=one.detail,
        provider=one.provider or None,
        provider_message_id=given[-1] if given else None,
        attempts=one.attempts,
        segments=sum(try_.segments for try_ in tries),
        cost_micros=sum(try_.cost_micros for try_ in tries),
        next_attempt_at=one.next_attempt_at,
        sent_at=one.sent_at,
        delivered_at=one.delivered_at,
        opened_at=one.opened_at,
        clicked_at=one.clicked_at,
    )
