"""A request becomes durable notifications, once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec
from django.db import transaction

from channels.rules.sealing import seal
from notify import conf, metrics, queue
from notify.errors import IdempotencyConflict, RecipientsRejected, RequestInProgress
from notify.policy import ESTIMATES
from notify.rules.fingerprint import fingerprint
from notify.rules.ids import ENTROPY, new_ids
from notify.rules.intake import Call, Pinned, Rejection, check_request, expiry_of, own_variables, screened, when
from notify.rules.requests import LocalSchedule, RecipientItem
from notify.rules.schedule import zone_data
from notify.store import intake, pages, templates, types
from notify.vocabulary import NotificationStatus, PageRef, PageStep, Priority, Step
from preferences import store as people
from preferences.rules.quiet import zone_name
from preferences.vocabulary import RecipientRef


class Answer(msgspec.Struct, frozen=True):
    """The body of the 202, and whether an earlier request got it first."""

    body: bytes
    replayed: bool


class _Share(msgspec.Struct, frozen=True, gc=False):
    """One recipient's share of the request, checked and ready to be sealed."""

    item: RecipientItem
    recipient: RecipientRef
    content: bytes
    scheduled_at: datetime | None


_encode = msgspec.json.Encoder().encode


def accept(call: Call) -> Answer:
    """Write the request's notifications and remember the answer, in one transaction; repeat the answer to a repeat.

    Raises a `Refusal` with nothing kept. What is published is a hint: the pages are in the same transaction.
    """
    mark = fingerprint(call.request)
    with transaction.atomic():
        if not intake.lock_key(call.application_id, call.key):
            raise RequestInProgress
        first = intake.answer_to(call.application_id, call.key, conf.IDEMPOTENCY_HOURS)
        if first is not None:
            if first.fingerprint != mark:
                raise IdempotencyConflict
            return Answer(first.response, replayed=True)
        body = _write(call)
        intake.remember_answer(call.application_id, call.key, intake.StoredAnswer(mark, body), call.now)
    return Answer(body, replayed=False)


def _write(call: Call) -> bytes:
    """Check the request against types, templates and people, and write what it asks for."""
    pinned = _pin(call)
    shares, rejected = _shares(call, pinned)
    if not shares:
        raise RecipientsRejected(rejected)
    batch = _batch(call, pinned, len(shares))
    notifications = _notifications(call, pinned, shares)
    intake.insert_batch(batch)
    intake.insert_notifications(batch, notifications)
    _hand_to_planning(call, batch, notifications)
    transaction.on_commit(partial(metrics.event_accepted, len(notifications)))
    return _response(call, pinned, batch, shares, notifications, rejected)


def _pin(call: Call) -> Pinned:
    """The type and the template version this request is bound to, whatever is published later."""
    kind = types.type_for(call.request.type)
    template_id = call.request.template_id or (kind.template_id if kind is not None else None)
    template = templates.published(template_id) if template_id and call.request.content is None else None
    return check_request(call, kind, template_id, template)


def _shares(call: Call, pinned: Pinned) -> tuple[list[_Share], list[Rejection]]:
    """Those who will be told, and those who cannot be, each with the reason."""
    items = call.request.people()
    known = people.resolve([item.user_id for item in items])
    instants = _instants(call, list(known.values()))
    shared = call.request.variables
    inline = call.request.content
    shares: list[_Share] = []
    rejected: list[Rejection] = []
    seen: set[str] = set()
    for at, item in enumerate(items):
        recipient = known.get(item.user_id)
        checked = screened(item, recipient, seen) or own_variables(pinned, shared, item, at)
        if isinstance(checked, Rejection):
            rejected.append(checked)
        elif recipient is not None:
            seen.add(item.user_id)
            content = _encode({"v": checked} if inline is None else {"v": checked, "c": inline})
            shares.append(_Share(item, recipient, content, instants.get(recipient.id)))
    return shares, rejected


def _instants(call: Call, recipients: Sequence[RecipientRef]) -> dict[int, datetime | None]:
    """When each recipient is to be told; None: now. Zones are only looked up when the schedule asks for them."""
    schedule = call.request.schedule_at
    zones: dict[int, str] = {}
    if isinstance(schedule, LocalSchedule) and schedule.timezone == "recipient":
        facts = people.facts_for([one.id for one in recipients], ())
        zones = {one.id: zone_name(one) for one in facts.values()}
    return {one.id: when(schedule, zones.get(one.id, "UTC"), now=call.now) for one in recipients}


def _batch(call: Call, pinned: Pinned, total: int) -> intake.NewBatch:
    request = call.request
    local = request.schedule_at if isinstance(request.schedule_at, LocalSchedule) else None
    return intake.NewBatch(
        id=new_ids(1, now=call.now, entropy=os.urandom(ENTROPY))[0],
        application_id=call.application_id,
        type_key=pinned.kind.key,
        priority=pinned.priority,
        template_version_id=pinned.template.version_id if pinned.template is not None else None,
        channels=request.channels,
        fallback_channels=request.fallback_channels,
        collapse_key=request.collapse_key,
        metadata=request.metadata,
        test=call.is_test,
        trace_id=call.trace_id,
        request_id=call.request_id,
        total=total,
        created_at=call.now,
        local_time=local.wall_clock().isoformat() if local is not None else None,
        local_zone=local.timezone if local is not None else None,
        zone_data=zone_data() if local is not None else None,
    )


def _notifications(call: Call, pinned: Pinned, shares: Sequence[_Share]) -> list[intake.NewNotification]:
    """Rows of the shares: variables and inline words sealed under each recipient's own key, bound to their row."""
    ids = new_ids(len(shares), now=call.now, entropy=os.urandom(len(shares) * ENTROPY))
    rows = []
    for one, share in zip(ids, shares, strict=True):
        key = people.data_key(share.recipient.wrapped_key, share.recipient.id)
        rows.append(
            intake.NewNotification(
                id=one,
                recipient_id=share.recipient.id,
                status=NotificationStatus.SCHEDULED if share.scheduled_at else NotificationStatus.ACCEPTED,
                channels=share.item.channels,
                sealed=seal(key, share.content, b"notification.sealed:" + one.bytes),
                scheduled_at=share.scheduled_at,
                expires_at=expiry_of(call, pinned.kind, share.scheduled_at),
            )
        )
    return rows


def _hand_to_planning(call: Call, batch: intake.NewBatch, notifications: Sequence[intake.NewNotification]) -> None:
    """Write the pages of work, one set per instant, and publish those that are due now."""
    by_instant: dict[datetime | None, list[UUID]] = {}
    for one in notifications:
        by_instant.setdefault(one.scheduled_at, []).append(one.id)
    due = [(at, ids) for at, group in by_instant.items() for ids in pages.in_pages(group)]
    names = new_ids(len(due), now=call.now, entropy=os.urandom(len(due) * ENTROPY))
    new = [
        pages.NewPage(
            id=name,
            step=PageStep.PLAN,
            priority=batch.priority,
            channel=None,
            ids=ids,
            trace_id=call.trace_id,
            due_at=at,
        )
        for name, (at, ids) in zip(names, due, strict=True)
    ]
    pages.insert(new)
    ready = [PageRef(page_id=page.id, priority=page.priority) for page in new if page.due_at is None]
    queue.enqueue(Step.PLAN, ready)


def _response(
    call: Call,
    pinned: Pinned,
    batch: intake.NewBatch,
    shares: Sequence[_Share],
    notifications: Sequence[intake.NewNotification],
    rejected: Sequence[Rejection],
) -> bytes:
    """The 202 as api.md section 2 shows it."""
    return _encode(
        {
            "request_id": call.request_id,
            "batch_id": batch.id,
            "status": "accepted",
            "notifications_queued": len(notifications),
            "notifications": [
                {"id": row.id, "user_id": share.item.user_id} for row, share in zip(notifications, shares, strict=True)
            ],
            "rejected": rejected,
            "estimated_delivery": _estimate(pinned.priority, shares),
            "trace_id": call.trace_id,
        }
    )


def _estimate(priority: Priority, shares: Sequence[_Share]) -> str:
    """What to expect: the priority's objective, or the last scheduled instant."""
    instants = [share.scheduled_at for share in shares if share.scheduled_at is not None]
    return f"at {max(instants).isoformat()}" if instants else ESTIMATES[priority]
