"""What people do with a message once they have it: open it, follow its link, want no more of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, transaction

from channels.vocabulary import Channel, ReceiptKind
from notify import broadcasts, metrics, queue
from notify.errors import UnknownNotification
from notify.policy import DATABASE_REST
from notify.rules.engagement import Hit, is_by_machine
from notify.rules.signed_links import Leaving
from notify.store import engagement, receipts, recording
from notify.vocabulary import OURSELVES, EventKind, Step
from preferences import allow
from preferences import store as people
from preferences.vocabulary import Origin

log = structlog.get_logger(__name__)

#: Where an app can notice what its user does.
_IN_APPS = (Channel.PUSH, Channel.IN_APP)


class _Database:
    """After a failure this process answers without it for a while, instead of keeping every reader waiting."""

    resting_until = 0.0


def note_hit(
    delivery_id: UUID, kind: ReceiptKind, what: str, *, method: str, headers: Mapping[str, str], now: datetime
) -> None:
    """Keep that a pixel or a link was asked for; `what` tells links apart. Lost, and logged, while PostgreSQL is away.

    A link's first visit by a person and its first by a machine are kept, so nobody can fill the table with one link.
    """
    if time.monotonic() < _Database.resting_until:
        log.warning("tracking.lost", kind=kind.value, delivery=str(delivery_id))
        return
    try:
        with transaction.atomic():
            _keep(delivery_id, kind, what, method, headers, now)
    except (OperationalError, InterfaceError) as error:
        _Database.resting_until = time.monotonic() + DATABASE_REST.total_seconds()
        log.warning("tracking.lost", kind=kind.value, delivery=str(delivery_id), error=type(error).__name__)


def note_event(
    notification_id: UUID,
    kind: ReceiptKind,
    *,
    action_id: str,
    channel: Channel | None,
    user_id: str | None,
    now: datetime,
) -> None:
    """Keep what an app says its user did with a notification; raises `UnknownNotification`.

    It may be anybody's for an application, and only their own for a user: somebody else's is like none.
    """
    recipient_id = None
    if user_id is not None:
        owner = people.resolve([user_id]).get(user_id)
        recipient_id = owner.id if owner is not None else 0
    where = (channel,) if channel is not None else _IN_APPS
    sent = engagement.shown(notification_id, where, recipient_id)
    if sent is None and Channel.IN_APP in where and broadcasts.touch(notification_id, recipient_id):
        sent = engagement.shown(notification_id, where, recipient_id)
    if sent is None:
        raise UnknownNotification
    with transaction.atomic():
        _insert(sent, kind, action_id, action_id, machine=False, now=now)


def leave(leaving: Leaving, origin: Origin) -> bool:
    """Send no more of it, from this moment on, what is queued included; whether that is new."""
    with transaction.atomic():
        is_new = allow.leave(
            leaving.recipient_id,
            leaving.channel,
            category=leaving.category,
            type_key=leaving.type_key,
            origin=origin,
        )
        sent = engagement.delivery(leaving.delivery_id) if is_new else None
        if sent is not None:
            detail: dict[str, object] = {"category": leaving.category.value, "type": leaving.type_key or None}
            event = recording.NewEvent(
                notification_id=sent.notification_id, delivery_id=sent.id, kind=EventKind.UNSUBSCRIBED, detail=detail
            )
            recording.insert_events([event])
    return is_new


def _keep(
    delivery_id: UUID, kind: ReceiptKind, what: str, method: str, headers: Mapping[str, str], now: datetime
) -> None:
    sent = engagement.delivery(delivery_id)
    if sent is None:
        return
    since: timedelta | None = now - sent.sent_at if sent.sent_at is not None else None
    machine = is_by_machine(Hit(kind=kind, method=method, headers=headers, since_sent=since))
    _insert(sent, kind, what, "", machine=machine, now=now)


def _insert(sent: engagement.Sent, kind: ReceiptKind, what: str, code: str, *, machine: bool, now: datetime) -> None:
    mark = blake2b(what.encode(), digest_size=9).hexdigest()
    receipt = receipts.NewReceipt(
        event_id=f"{sent.id.hex}:{kind.value}:{mark}:{'machine' if machine else 'person'}",
        kind=kind,
        delivery_id=sent.id,
        provider_message_id="",
        address_index=b"",
        code=code,
        detail="",
        by_machine=machine,
        occurred_at=now,
    )
    metrics.receipts_came(OURSELVES, {kind.value: 1})
    if receipts.insert(OURSELVES, Channel(sent.channel), [receipt]):
        queue.nudge(Step.RECEIVE)
