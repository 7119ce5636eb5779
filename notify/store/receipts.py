"""The inbox of callbacks: written as they come, taken by the page, and what they speak of.

Nothing here waits for a row that somebody else holds: whoever holds it is just changing it, and the receipt is looked
at again a second later. So receipts and outcomes, which meet in the same rows, cannot deadlock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from django.db import connection

from channels.vocabulary import Channel, ReceiptKind
from notify.rules.ids import family_range
from notify.store.sending import STANDS_IN
from notify.store.spans import IN_SPAN, span
from notify.vocabulary import DeliveryStatus, Priority, ReasonCode, ReceiptOutcome


class NewReceipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A receipt as it came in, without the address it may have named."""

    event_id: str
    kind: ReceiptKind
    delivery_id: UUID | None
    provider_message_id: str
    address_index: bytes
    code: str
    detail: str
    by_machine: bool
    occurred_at: datetime


class ReceiptRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A receipt in this transaction's hands."""

    id: int
    account: str
    channel: Channel
    kind: ReceiptKind
    delivery_id: UUID | None
    address_index: bytes
    code: str
    by_machine: bool
    occurred_at: datetime
    received_at: datetime
    tries: int


class Subject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that receipts speak of, held until the transaction ends."""

    id: UUID
    notification_id: UUID
    recipient_id: int
    device_id: int | None
    channel: Channel
    priority: Priority
    status: DeliveryStatus
    reason: ReasonCode | None
    provider: str
    avoid: str
    attempts: int
    is_leased: bool
    expires_at: datetime | None
    sent_at: datetime | None
    #: Whether fallback channels are left.
    has_fallback: bool
    test: bool
    trace_id: str


def insert(account: str, channel: Channel, receipts: Sequence[NewReceipt]) -> int:
    """Keep receipts in one statement; those that came before are left as they are. The number of new ones."""
    # In one order: two callbacks with the same events wait for each other, and never in a circle.
    rows = sorted(receipts, key=lambda one: one.event_id)
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_receipt (account, channel, event_id, kind, delivery_id, provider_message_id,
                   address_index, code, detail, by_machine, occurred_at)
               SELECT %s, %s, * FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::text[], %s::bytea[], %s::text[],
                   %s::text[], %s::boolean[], %s::timestamptz[])
               ON CONFLICT DO NOTHING""",
            (
                account,
                channel.value,
                [one.event_id for one in rows],
                [one.kind.value for one in rows],
                [one.delivery_id for one in rows],
                [one.provider_message_id for one in rows],
                [one.address_index for one in rows],
                [one.code for one in rows],
                [one.detail for one in rows],
                [one.by_machine for one in rows],
                [one.occurred_at for one in rows],
            ),
        )
        return int(cursor.rowcount)


def claim(limit: int, among: Sequence[int] | None = None) -> list[ReceiptRow]:
    """Receipts whose time has come, those that wait longest first; nobody else gets them before the commit."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, account, channel, kind, delivery_id, address_index, code, by_machine, occurred_at,
                      received_at, tries
               FROM notify_receipt
               WHERE due_at <= now() AND (%(among)s::bigint[] IS NULL OR id = ANY(%(among)s::bigint[]))
               ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED""",
            {"limit": limit, "among": None if among is None else list(among)},
        )
        rows = cursor.fetchall()
    return [
        ReceiptRow(
            id=row[0],
            account=row[1],
            channel=Channel(row[2]),
            kind=ReceiptKind(row[3]),
            delivery_id=row[4],
            address_index=row[5],
            code=row[6],
            by_machine=row[7],
            occurred_at=row[8],
            received_at=row[9],
            tries=row[10],
        )
        for row in rows
    ]


def families(delivery_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The notification of each of these deliveries; those that do not exist are missing."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, notification_id FROM notify_delivery WHERE {IN_SPAN}", span(delivery_ids))
        return dict(cursor.fetchall())


def hold(delivery_ids: Sequence[UUID], notification_ids: Sequence[UUID]) -> list[Subject]:
    """Lock what is free of these deliveries and their notifications; those in other hands are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM notify_notification WHERE {IN_SPAN} FOR UPDATE SKIP LOCKED", span(notification_ids)
        )
        free = {row[0] for row in cursor.fetchall()}
        cursor.execute(
            f"""SELECT d.id, d.notification_id, d.recipient_id, d.device_id, d.channel, d.priority, d.status,
                       d.reason_code, d.provider, d.avoid, d.attempts, coalesce(d.lease_until > now(), false),
                       d.expires_at, d.sent_at, cardinality(b.fallback_channels) + {STANDS_IN}::integer > d.fallback,
                       b.test, b.trace_id
                FROM (SELECT * FROM notify_delivery WHERE {IN_SPAN} FOR UPDATE SKIP LOCKED) d
                JOIN notify_notification n ON n.id = d.notification_id JOIN notify_batch b ON b.id = n.batch_id""",
            span(delivery_ids),
        )
        rows = [row for row in cursor.fetchall() if row[1] in free]
    return [
        Subject(
            id=row[0],
            notification_id=row[1],
            recipient_id=row[2],
            device_id=row[3],
            channel=Channel(row[4]),
            priority=Priority(row[5]),
            status=DeliveryStatus(row[6]),
            reason=None if row[7] is None else ReasonCode(row[7]),
            provider=row[8],
            avoid=row[9],
            attempts=row[10],
            is_leased=row[11],
            expires_at=row[12],
            sent_at=row[13],
            has_fallback=row[14],
            test=row[15],
            trace_id=row[16],
        )
        for row in rows
    ]


def asked(notification_ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """By delivery, the accounts that were ever given it: one that answered with a fault may have sent it."""
    bounds = [family_range(one) for one in notification_ids]
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT a.delivery_id, a.provider FROM unnest(%s::uuid[], %s::uuid[]) AS f(low, high),
                   LATERAL (SELECT delivery_id, provider FROM notify_attempt
                            WHERE id BETWEEN f.low AND f.high) a""",
            ([low for low, _ in bounds], [high for _, high in bounds]),
        )
        found: dict[UUID, set[str]] = {}
        for delivery_id, provider in cursor.fetchall():
            found.setdefault(delivery_id, set()).add(provider)
    return found


def close(outcomes: Mapping[int, ReceiptOutcome]) -> None:
    """Receipts that are done with, and what came of each; what they knew of an address is forgotten."""
    if not outcomes:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_receipt r SET done_at = now(), due_at = NULL, outcome = v.outcome, address_index = ''
               FROM unnest(%s::bigint[], %s::text[]) AS v(id, outcome) WHERE r.id = v.id""",
            ([*outcomes], [outcome.value for outcome in outcomes.values()]),
        )


def postpone(instants: Mapping[int, datetime]) -> None:
    """Receipts to be looked at again, each at an instant of its own."""
    if not instants:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_receipt r SET due_at = v.at, tries = r.tries + 1
               FROM unnest(%s::bigint[], %s::timestamptz[]) AS v(id, at) WHERE r.id = v.id""",
            ([*instants], [*instants.values()]),
        )


def forget_old(kept: timedelta, limit: int) -> int:
    """Remove receipts that were done with so long ago; how many were found, at most `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """DELETE FROM notify_receipt WHERE id IN (
                   SELECT id FROM notify_receipt
                   WHERE received_at < now() - make_interval(days => %s) AND done_at IS NOT NULL LIMIT %s)""",
            (kept.days, limit),
        )
        return int(cursor.rowcount)
