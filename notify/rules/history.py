"""What is known of a notification after the fact: its rows, as they are read back."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from notify.rules.lifecycle import roll_up
from notify.vocabulary import DeliveryStatus, EventKind, NotificationStatus, ReasonCode


class NotificationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A notification with what it shares with its request."""

    id: UUID
    batch_id: UUID
    recipient_id: int
    type_key: str
    priority: str
    #: May lag behind the deliveries.
    stored: NotificationStatus
    scheduled_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    channels: list[str] | None
    fallback_channels: list[str]
    collapse_key: str | None
    metadata: dict[str, Any] | None
    test: bool
    trace_id: str
    request_id: str
    application_id: int
    application: str
    #: None: inline content.
    template_id: str | None
    template_version: int | None


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery, its address only as a hint."""

    id: UUID
    channel: str
    hint: str
    status: DeliveryStatus
    reason_code: ReasonCode | None
    detail: str
    fallback: int
    attempts: int
    provider: str
    next_attempt_at: datetime | None
    planned_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a provider."""

    delivery_id: UUID
    number: int
    provider: str
    outcome: str
    code: str
    detail: str
    provider_message_id: str
    started_at: datetime
    latency_ms: int
    #: Text messages it was billed as, and what it cost in millionths of the installation's currency.
    segments: int
    cost_micros: int


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something beside the ordinary way."""

    delivery_id: UUID | None
    at: datetime
    kind: EventKind
    detail: dict[str, Any]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A notification with all that happened to it."""

    notification: NotificationRow
    user_id: str
    deliveries: list[DeliveryRow]
    attempts: list[AttemptRow]
    events: list[EventRow]

    @property
    def status(self) -> NotificationStatus:
        """Where it stands now, by its deliveries."""
        return roll_up([one.status for one in self.deliveries], self.notification.stored)
