"""What rendering and dispatch read, and the claim that precedes every provider call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from django.db import connection

from notify.policy import LEASE_MARGIN
from notify.store.planning import BatchRow
from notify.store.spans import IN_SPAN, span
from notify.vocabulary import ClaimedPage, TypeRow
from preferences.store import hot_cursor
from preferences.vocabulary import RecipientFacts

#: Whether a text message of the same notification as the delivery `d` was held back, and takes its place if it fails.
STANDS_IN: Final = """(d.siblings > 1 AND EXISTS (
    SELECT FROM notify_delivery h
    WHERE h.id BETWEEN (left(d.id::text, 23) || '-000000000000')::uuid
                   AND (left(d.id::text, 23) || '-ffffffffffff')::uuid
      AND h.notification_id = d.notification_id AND h.reason_code = 'sms_not_justified'))"""


class Renderable(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that waits for its words."""

    id: UUID
    notification_id: UUID
    recipient_id: int
    channel: str
    #: The n-th fallback channel; 0: planned at first.
    fallback: int
    #: Whether a text message of the same notification was held back, and takes its place if it fails.
    stands_in: bool
    type_key: str
    batch_id: UUID
    sealed: bytes


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All that a page's rendering rests on. Planning hands it on: it has just read the same rows."""

    waiting: list[Renderable]
    batches: dict[UUID, BatchRow]
    types: dict[str, TypeRow]
    people: dict[int, RecipientFacts]


class ClaimedDelivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A delivery this process alone may send until the lease ends."""

    id: UUID
    notification_id: UUID
    recipient_id: int
    device_id: int | None
    attempts: int
    siblings: int
    expires_at: datetime | None
    #: The account that took it before and failed.
    avoid: str
    #: Attempts so far whose fate nobody knows.
    ambiguous: int
    planned_at: datetime


def renderables(ids: Sequence[UUID]) -> list[Renderable]:
    """The deliveries of a page that still wait to be sent, with their notifications' sealed variables."""
    with hot_cursor() as cursor:
        cursor.execute(
            f"""SELECT id, notification_id, recipient_id, channel, fallback, {STANDS_IN} FROM notify_delivery d
               WHERE {IN_SPAN} AND status IN ('planned', 'retrying', 'sending')""",
            span(ids),
        )
        deliveries = cursor.fetchall()
        wanted = {row[1] for row in deliveries}
        if not wanted:
            return []
        cursor.execute(f"SELECT id, type_key, batch_id, sealed FROM notify_notification WHERE {IN_SPAN}", span(wanted))
        notifications = {row[0]: row for row in cursor.fetchall()}
    return [
        Renderable(
            id=row[0],
            notification_id=row[1],
            recipient_id=row[2],
            channel=row[3],
            fallback=row[4],
            stands_in=row[5],
            type_key=told[1],
            batch_id=told[2],
            sealed=told[3],
        )
        for row in deliveries
        if (told := notifications.get(row[1])) is not None
    ]


def claim_deliveries(page: ClaimedPage, ids: Sequence[UUID], token: int) -> list[ClaimedDelivery]:
    """Mark what may go out now as being sent by us; only those won come back.

    Cancelled, expired and finished deliveries are not won, nor those another process is sending. The lease ends a
    little before the page's, so that whoever takes the page next can take all of it.
    """
    with hot_cursor() as cursor:
        cursor.execute(
            f"""UPDATE notify_delivery SET status = 'sending', attempts = attempts + 1, lease_token = %(token)s,
                       lease_until = %(until)s, next_attempt_at = NULL
                WHERE {IN_SPAN}
                  AND (status IN ('planned', 'retrying') OR (status = 'sending' AND lease_until < now()))
                  AND (expires_at IS NULL OR expires_at > now())
                RETURNING id, notification_id, recipient_id, device_id, attempts, siblings, expires_at, avoid,
                          ambiguous, planned_at""",
            {"token": token, "until": page.claimed_until - LEASE_MARGIN, **span(ids)},
        )
        rows = cursor.fetchall()
    return [
        ClaimedDelivery(
            id=row[0],
            notification_id=row[1],
            recipient_id=row[2],
            device_id=row[3],
            attempts=row[4],
            siblings=row[5],
            expires_at=row[6],
            avoid=row[7],
            ambiguous=row[8],
            planned_at=row[9],
        )
        for row in rows
    ]


def still_open(ids: Sequence[UUID]) -> bool:
    """Whether any of these deliveries still needs its page: open, and not waiting for an instant of its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT EXISTS (SELECT 1 FROM notify_delivery WHERE {IN_SPAN}
                  AND (status IN ('planned', 'sending') OR (status = 'retrying' AND next_attempt_at IS NULL)))""",
            span(ids),
        )
        return bool(cursor.fetchone()[0])
