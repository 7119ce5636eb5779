"""Every decision about a notification in order, each with its reason: what `/trace` tells."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from notify.rules.history import AttemptRow, DeliveryRow, EventRow, History
from notify.rules.lifecycle import FINAL
from notify.vocabulary import DeliveryStatus, EventKind


class TraceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: when, by which step, what, and why."""

    at: datetime
    step: str
    #: None: it concerns the notification as a whole.
    channel: str | None = None
    delivery_id: UUID | None = None
    decision: str
    reason_code: str | None = None
    detail: dict[str, Any] = {}


#: Which step of the way speaks in an event.
_SPEAKER: dict[EventKind, str] = {
    EventKind.SCHEDULED: "plan",
    EventKind.RETRY: "record",
    EventKind.SNOOZED: "record",
    EventKind.RESCUED: "sweep",
    EventKind.REFUSED_AT_CLAIM: "claim",
    EventKind.FALLBACK: "plan",
    EventKind.CANCELLED: "cancel",
    EventKind.EXPIRED: "sweep",
    EventKind.DEAD: "record",
    EventKind.REPLAYED: "replay",
    EventKind.RESENT: "accept",
    EventKind.RECEIPT: "receive",
    EventKind.DEVICE_DEACTIVATED: "record",
}
_END = "end"
#: Steps in the order in which they come when two things happened in the same instant.
_ORDER = ("accept", "plan", "claim", "dispatch", "record", "receive", "sweep", "cancel", "replay", _END)


def compose(history: History) -> list[TraceEntry]:
    """The trace, oldest first, with how it all stands at its end. Addresses appear as hints only."""
    channels = {one.id: one.channel for one in history.deliveries}
    entries = [_acceptance(history)]
    entries += [_planning(one, history) for one in history.deliveries]
    entries += [_attempt(one, channels) for one in history.attempts]
    entries += [_event(one, channels) for one in history.events]
    entries += _ends(history, max(entry.at for entry in entries))
    return sorted(entries, key=lambda entry: (entry.step == _END, entry.at, _ORDER.index(entry.step)))


def _acceptance(history: History) -> TraceEntry:
    one = history.notification
    template = None if one.template_id is None else {"id": one.template_id, "version": one.template_version}
    detail = {
        "application": one.application,
        "type": one.type_key,
        "priority": one.priority,
        "template": template,
        "channels": one.channels,
        "fallback_channels": one.fallback_channels,
        "schedule_at": one.scheduled_at,
        "expires_at": one.expires_at,
        "collapse_key": one.collapse_key,
        "test": one.test,
        "request_id": one.request_id,
        "trace_id": one.trace_id,
    }
    decision = "accepted" if one.scheduled_at is None else "scheduled"
    return TraceEntry(at=one.created_at, step="accept", decision=decision, detail=detail)


def _planning(one: DeliveryRow, history: History) -> TraceEntry:
    """What planning decided; what came later stands in attempts and events."""
    told_later = any(event.delivery_id == one.id for event in history.events)
    is_refused = one.status is DeliveryStatus.SUPPRESSED and one.attempts == 0 and not told_later
    detail: dict[str, Any] = {"address": one.hint}
    if one.fallback:
        detail["fallback"] = one.fallback
    if is_refused:
        detail["why"] = one.detail
    if one.status is DeliveryStatus.DEFERRED:
        detail["until"] = one.next_attempt_at
    waits = one.status is DeliveryStatus.DEFERRED
    return TraceEntry(
        at=one.planned_at,
        step="plan",
        channel=one.channel,
        delivery_id=one.id,
        decision="suppressed" if is_refused else "deferred" if waits else "planned",
        reason_code=one.reason_code if is_refused else None,
        detail=detail,
    )


def _attempt(one: AttemptRow, channels: dict[UUID, str]) -> TraceEntry:
    detail: dict[str, Any] = {"attempt": one.number, "provider": one.provider, "latency_ms": one.latency_ms}
    if one.provider_message_id:
        detail["provider_message_id"] = one.provider_message_id
    if one.code or one.detail:
        detail |= {"code": one.code, "answer": one.detail}
    return TraceEntry(
        at=one.started_at,
        step="dispatch",
        channel=channels.get(one.delivery_id),
        delivery_id=one.delivery_id,
        decision=one.outcome,
        detail=detail,
    )


def _event(one: EventRow, channels: dict[UUID, str]) -> TraceEntry:
    detail = dict(one.detail)
    channel = detail.pop("channel", None)
    return TraceEntry(
        at=one.at,
        step=_SPEAKER[one.kind],
        channel=channel or (channels.get(one.delivery_id) if one.delivery_id is not None else None),
        delivery_id=one.delivery_id,
        decision=one.kind.value,
        reason_code=detail.pop("reason_code", None),
        detail=detail,
    )


def _ends(history: History, latest: datetime) -> Iterator[TraceEntry]:
    """How each delivery stands that planning did not already end, and the notification as a whole."""
    at = latest
    for one in history.deliveries:
        was_told = one.attempts == 0 and one.status is DeliveryStatus.SUPPRESSED
        if was_told or (one.status not in FINAL and one.status is not DeliveryStatus.SENT):
            continue
        ended_at = one.delivered_at or one.sent_at or latest
        at = max(at, ended_at)
        yield TraceEntry(
            at=ended_at,
            step=_END,
            channel=one.channel,
            delivery_id=one.id,
            decision=one.status.value,
            reason_code=one.reason_code,
            detail={"provider": one.provider, "attempts": one.attempts, "why": one.detail},
        )
    yield TraceEntry(at=at, step=_END, decision=history.status.value)
