"""Outcomes into rows: a statement per kind of outcome and page, each compare-and-set on the lease."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection
from psycopg.types.json import Jsonb

from notify.rules.ids import family_range, sibling_ids
from notify.rules.lifecycle import sources_of
from notify.store.spans import IN_SPAN, array, span
from notify.vocabulary import DeliveryStatus, EventKind, NotificationStatus, ReasonCode


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """What deliveries that ended alike have in common: one statement writes them all."""

    status: DeliveryStatus
    reason: ReasonCode | None
    provider: str
    detail: str


class Again(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that is tried again at an instant of its own."""

    id: UUID
    #: Retrying, or deferred where it is not the hour.
    status: DeliveryStatus
    at: datetime
    #: 1 if the attempt did not count.
    refund: int
    provider: str
    detail: str
    #: How many accounts left its fate unknown this time.
    ambiguous: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What receipts made of a delivery."""

    id: UUID
    status: DeliveryStatus
    reason: ReasonCode | None
    #: Whether the status is another than before.
    moved: bool
    provider: str
    avoid: str
    detail: str
    #: When it arrived, where that is news.
    arrived_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None


class NewAttempt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One try at a provider, as it came out."""

    delivery_id: UUID
    number: int
    provider: str
    outcome: str
    code: str
    detail: str
    provider_message_id: str
    started_at: datetime
    latency_ms: int
    segments: int
    cost_micros: int


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something beside the ordinary way."""

    notification_id: UUID
    delivery_id: UUID | None
    kind: EventKind
    detail: dict[str, object]


class Burial(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A delivery for the dead letters."""

    delivery_id: UUID
    notification_id: UUID
    recipient_id: int
    channel: str
    type_key: str
    reason: ReasonCode
    final_error: str
    attempts: int
    failed_at: datetime


_SETTLE = f"""
UPDATE notify_delivery SET status = %(status)s, reason_code = %(reason)s, provider = %(provider)s, detail = %(detail)s,
    lease_token = NULL, lease_until = NULL,
    sent_at = CASE WHEN %(status)s IN ('sent', 'delivered', 'bounced') THEN now() ELSE sent_at END,
    delivered_at = CASE WHEN %(status)s = 'delivered' THEN now() ELSE delivered_at END
WHERE {IN_SPAN} AND status = 'sending' AND lease_token = %(token)s
"""


def settle(settlement: Settlement, ids: Sequence[UUID], token: int) -> set[UUID]:
    """Write an outcome for the deliveries we still hold; answers those that were not ours any more."""
    parameters = {
        "status": settlement.status.value,
        "reason": settlement.reason,
        "provider": settlement.provider,
        "detail": settlement.detail,
        "token": token,
        **span(ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, parameters)
        if cursor.rowcount == len(ids):
            return set()
        cursor.execute(f"SELECT id FROM notify_delivery WHERE {IN_SPAN} AND status = %(status)s", parameters)
        return set(ids) - {row[0] for row in cursor.fetchall()}


def reschedule(again: Sequence[Again], token: int) -> set[UUID]:
    """Let deliveries we hold wait, each for its own instant; answers those that were not ours any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_delivery d SET status = v.status, next_attempt_at = v.at,
                      provider = CASE v.provider WHEN '' THEN d.provider ELSE v.provider END, detail = v.detail,
                      attempts = d.attempts - v.refund, ambiguous = d.ambiguous + v.ambiguous, lease_token = NULL,
                      lease_until = NULL
               FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::smallint[], %s::text[], %s::text[],
                           %s::smallint[]) AS v(id, status, at, refund, provider, detail, ambiguous)
               WHERE d.id = v.id AND d.id BETWEEN %s AND %s AND d.status = 'sending' AND d.lease_token = %s
               RETURNING d.id""",
            (
                [one.id for one in again],
                [one.status.value for one in again],
                [one.at for one in again],
                [one.refund for one in again],
                [one.provider for one in again],
                [one.detail for one in again],
                [one.ambiguous for one in again],
                min(one.id for one in again),
                max(one.id for one in again),
                token,
            ),
        )
        return {one.id for one in again} - {row[0] for row in cursor.fetchall()}


_TELL = """
UPDATE notify_delivery d SET status = v.status, reason_code = v.reason, provider = v.provider, avoid = v.avoid,
    detail = CASE WHEN v.moved THEN v.detail ELSE d.detail END,
    next_attempt_at = CASE WHEN NOT v.moved THEN d.next_attempt_at WHEN v.status = 'retrying' THEN now() END,
    sent_at = CASE WHEN v.status IN ('delivered', 'bounced') THEN coalesce(d.sent_at, now()) ELSE d.sent_at END,
    delivered_at = coalesce(d.delivered_at, v.arrived_at), opened_at = least(d.opened_at, v.opened_at),
    clicked_at = least(d.clicked_at, v.clicked_at), lease_token = NULL, lease_until = NULL
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
    %s::timestamptz[], %s::timestamptz[])
    AS v(id, status, reason, moved, provider, avoid, detail, arrived_at, opened_at, clicked_at)
WHERE d.id = v.id AND d.id BETWEEN %s AND %s
"""


def tell(told: Sequence[Told]) -> None:
    """Write what receipts made of deliveries that this transaction holds."""
    if not told:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _TELL,
            (
                [one.id for one in told],
                [one.status.value for one in told],
                [one.reason for one in told],
                [one.moved for one in told],
                [one.provider for one in told],
                [one.avoid for one in told],
                [one.detail for one in told],
                [one.arrived_at for one in told],
                [one.opened_at for one in told],
                [one.clicked_at for one in told],
                min(one.id for one in told),
                max(one.id for one in told),
            ),
        )


def unbury(delivery_ids: Sequence[UUID]) -> None:
    """Take deliveries out of the dead letters whose fate is known now."""
    if not delivery_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM notify_dead_letter WHERE delivery_id = ANY(%s) AND replayed_at IS NULL", (list(delivery_ids),)
        )


def end_unsent(status: DeliveryStatus, reason: ReasonCode, detail: str, ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """End deliveries nobody holds, where the table of statuses allows it; answers (delivery, notification)."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE notify_delivery SET status = %(status)s, reason_code = %(reason)s, detail = %(detail)s,
                       next_attempt_at = NULL, lease_token = NULL, lease_until = NULL
                WHERE {IN_SPAN} AND status = ANY(%(sources)s::text[]) AND (lease_until IS NULL OR lease_until < now())
                RETURNING id, notification_id""",
            {
                "status": status.value,
                "reason": reason.value,
                "detail": detail,
                "sources": array(sources_of(status)),
                **span(ids),
            },
        )
        return list(cursor.fetchall())


def expire(ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """End those of a page whose time has passed before they could be sent; answers (delivery, notification)."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE notify_delivery SET status = 'expired', reason_code = 'expired', next_attempt_at = NULL,
                       lease_token = NULL, lease_until = NULL
                WHERE {IN_SPAN} AND expires_at <= now() AND status = ANY(%(sources)s::text[])
                  AND (lease_until IS NULL OR lease_until < now())
                RETURNING id, notification_id""",
            {"sources": array(sources_of(DeliveryStatus.EXPIRED)), **span(ids)},
        )
        return list(cursor.fetchall())


def insert_attempts(attempts: Sequence[NewAttempt]) -> None:
    """Append attempts by COPY."""
    if not attempts:
        return
    ids = sibling_ids([one.delivery_id for one in attempts], entropy=os.urandom(6 * len(attempts)))
    with (
        connection.cursor() as cursor,
        cursor.copy(
            """COPY notify_attempt (id, delivery_id, number, provider, outcome, code, detail, provider_message_id,
                   started_at, latency_ms, segments, cost_micros) FROM STDIN"""
        ) as copy,
    ):
        for name, one in zip(ids, attempts, strict=True):
            copy.write_row(
                (
                    name,
                    one.delivery_id,
                    one.number,
                    one.provider,
                    one.outcome,
                    one.code,
                    one.detail,
                    one.provider_message_id,
                    one.started_at,
                    one.latency_ms,
                    one.segments,
                    one.cost_micros,
                )
            )


def insert_events(events: Sequence[NewEvent]) -> None:
    """Append events by COPY."""
    if not events:
        return
    ids = sibling_ids([one.notification_id for one in events], entropy=os.urandom(6 * len(events)))
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY notify_event (id, notification_id, delivery_id, kind, detail) FROM STDIN") as copy,
    ):
        for name, one in zip(ids, events, strict=True):
            copy.write_row((name, one.notification_id, one.delivery_id, one.kind, Jsonb(one.detail)))


def bury(burials: Sequence[Burial]) -> None:
    """Write dead letters."""
    if not burials:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy(
            """COPY notify_dead_letter (delivery_id, notification_id, recipient_id, channel, type_key, reason_code,
                   final_error, attempts, failed_at) FROM STDIN"""
        ) as copy,
    ):
        for one in burials:
            copy.write_row(
                (
                    one.delivery_id,
                    one.notification_id,
                    one.recipient_id,
                    one.channel,
                    one.type_key,
                    one.reason,
                    one.final_error,
                    one.attempts,
                    one.failed_at,
                )
            )


def statuses(notification_ids: Sequence[UUID]) -> dict[UUID, list[DeliveryStatus]]:
    """The statuses of all deliveries of notifications.

    The notifications' rows are locked first, so that two pages of the same one, recorded at the same moment, see each
    other.
    """
    ids = sorted(notification_ids)
    bounds = [family_range(one) for one in ids]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM notify_notification WHERE {IN_SPAN} ORDER BY id FOR UPDATE", span(ids))
        cursor.execute(
            """SELECT f.id, d.status FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS f(id, low, high),
                   LATERAL (SELECT status FROM notify_delivery
                            WHERE id BETWEEN f.low AND f.high AND notification_id = f.id) d""",
            (ids, [low for low, _ in bounds], [high for _, high in bounds]),
        )
        found: dict[UUID, list[DeliveryStatus]] = {one: [] for one in ids}
        for notification_id, status in cursor.fetchall():
            found[notification_id].append(DeliveryStatus(status))
    return found


def set_notification_status(ids: Sequence[UUID], status: NotificationStatus) -> None:
    """Store the rolled-up status of notifications; a cancelled one of which something went out says so."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE notify_notification SET status = %(status)s WHERE {IN_SPAN}",
            {"status": status.value, **span(ids)},
        )


def bury_by_id(delivery_ids: Sequence[UUID], final_error: str) -> None:
    """Write dead letters of deliveries that ended outside a page."""
    if not delivery_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_dead_letter (delivery_id, notification_id, recipient_id, channel, type_key,
                   reason_code, final_error, attempts, failed_at)
               SELECT d.id, d.notification_id, d.recipient_id, d.channel, n.type_key, d.reason_code, %s,
                   d.attempts, now()
               FROM notify_delivery d JOIN notify_notification n ON n.id = d.notification_id
               WHERE d.id = ANY(%s) AND d.id BETWEEN %s AND %s""",
            (final_error, list(delivery_ids), min(delivery_ids), max(delivery_ids)),
        )
