"""Every decision about a notification in order, each with its reason: what `/trace` tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from channels.vocabulary import Channel
from notify.rules.decision import RULES, asked_until
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
    EventKind.DEFERRED: "claim",
    EventKind.OVERRULED: "plan",
    EventKind.DIGESTED: "digest",
    EventKind.SUPERSEDED: "plan",
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
    EventKind.UNSUBSCRIBED: "receive",
}
_END = "end"
#: What an event tells that leaves the decision as it is.
_NOTED = EventKind.OVERRULED
#: Steps in the order in which they come when two things happened in the same instant.
_ORDER = ("accept", "plan", "claim", "dispatch", "record", "digest", "receive", "sweep", "cancel", "replay", _END)


def compose(history: History) -> list[TraceEntry]:
    """The trace, oldest first, with how it all stands at its end. Addresses appear as hints only."""
    channels = {one.id: one.channel for one in history.deliveries}
    entries = [_acceptance(history)]
    entries += [_planning(one, history) for one in history.deliveries]
    entries += [_attempt(one, channels) for one in history.attempts]
    entries += [_event(one, channels) for one in history.events if not _is_of_planning(one)]
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


def _is_of_planning(event: EventRow) -> bool:
    """Whether it tells more of what planning decided, and not of something later."""
    return event.kind is EventKind.OVERRULED or event.detail.get("step") == "plan"


def _planning(one: DeliveryRow, history: History) -> TraceEntry:
    """What planning decided, by which rules; what came later stands in attempts and events."""
    said = _said_at_planning(one, history)
    is_refused, waits = _is_refused(one, history), "until" in said
    detail: dict[str, Any] = {"address": one.hint}
    if one.fallback:
        detail["fallback"] = one.fallback
    if waits:
        detail["until"] = said["until"]
    rule = said.get("why", "") if waits else one.detail if is_refused else ""
    detail |= explained(rule, said.get("rules", ()), Channel(one.channel))
    return TraceEntry(
        at=one.planned_at,
        step="plan",
        channel=one.channel,
        delivery_id=one.id,
        decision="deferred" if waits else one.status.value if is_refused else "planned",
        reason_code=one.reason_code if is_refused else None,
        detail=detail,
    )


def _said_at_planning(one: DeliveryRow, history: History) -> dict[str, Any]:
    """What planning's own events tell of a delivery, in one; and what its row tells while it waits."""
    mine = [event for event in history.events if event.delivery_id == one.id]
    if one.status is DeliveryStatus.DEFERRED and not mine:
        return {"until": one.next_attempt_at, "why": one.detail}
    return {name: value for event in mine if _is_of_planning(event) for name, value in event.detail.items()}


def _is_refused(one: DeliveryRow, history: History) -> bool:
    """Whether planning itself ended it: then nothing came later."""
    if one.attempts or any(event.delivery_id == one.id and event.kind is not _NOTED for event in history.events):
        return False
    return one.status is DeliveryStatus.SUPPRESSED or (one.status is DeliveryStatus.EXPIRED and one.detail in RULES)


def explained(rule: str, overruled: Sequence[str], channel: Channel) -> dict[str, Any]:
    """A decision's reasons: the rules asked, in order, those overruled, and the one that decided; a simulation's too.

    The first that objects decides, so the rule alone tells which others had been asked.
    """
    decided = RULES.get(rule)
    reasons: dict[str, Any] = {"asked": [str(one) for one in asked_until(decided, channel)]}
    if overruled:
        reasons["overruled"] = list(overruled)
    if rule:
        reasons["why"] = rule
    return reasons


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
    detail.pop("step", None)
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
        was_told = (one.attempts == 0 and one.status is DeliveryStatus.SUPPRESSED) or _is_refused(one, history)
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
