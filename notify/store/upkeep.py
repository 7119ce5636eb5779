"""What the housekeepers ask and do: due deliveries, partitions, retention, forgotten work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from django.db import connection

from notify.vocabulary import PageStep, Priority

#: All of them: what waits is found by its priority and its instant.
_PRIORITIES: Final = [str(priority) for priority in Priority]


class DueDelivery(msgspec.Struct, frozen=True, gc=False):
    """A delivery whose instant has come."""

    id: UUID
    channel: str
    priority: Priority


class Forgotten(msgspec.Struct, frozen=True, gc=False):
    """An open row that no page of work names: something a bug or a lost page left behind."""

    id: UUID
    step: PageStep
    channel: str | None
    priority: Priority


def take_due(priority: Priority, limit: int) -> list[DueDelivery]:
    """Deliveries of a priority whose waiting is over, marked as taken; two callers never get the same one.

    Belongs into the transaction that writes their pages.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id FROM notify_delivery WHERE priority = %s AND next_attempt_at <= now()
               ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED""",
            (priority, limit),
        )
        return _taken([row[0] for row in cursor.fetchall()])


def take_held(priority: Priority, instants: Sequence[datetime], limit: int) -> list[DueDelivery]:
    """The same for deliveries that waited for a mode: those that hold one of these in the place of an instant."""
    if not instants:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id FROM notify_delivery WHERE priority = %s AND next_attempt_at = ANY(%s)
               LIMIT %s FOR UPDATE SKIP LOCKED""",
            (priority, list(instants), limit),
        )
        return _taken([row[0] for row in cursor.fetchall()])


def take_resumed(priority: Priority, instant: datetime, limit: int) -> list[DueDelivery]:
    """The same for deliveries whose batch was held, and is not any more; `instant` is what stands in their row."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id FROM notify_delivery d WHERE priority = %s AND next_attempt_at = %s
                 AND NOT EXISTS (SELECT FROM notify_halt h WHERE h.batch_id = d.batch_id)
               LIMIT %s FOR UPDATE OF d SKIP LOCKED""",
            (priority, instant, limit),
        )
        return _taken([row[0] for row in cursor.fetchall()])


def are_held(batch_ids: Sequence[UUID], instant: datetime) -> bool:
    """Whether deliveries of these batches wait for a resume, or wait to be taken up after one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT EXISTS (SELECT FROM notify_delivery
                              WHERE priority = ANY(%s) AND next_attempt_at = %s AND batch_id = ANY(%s))""",
            (_PRIORITIES, instant, list(batch_ids)),
        )
        return bool(cursor.fetchone()[0])


def let_expire(instants: Sequence[datetime]) -> int:
    """Make due what waits for a mode and has outlived itself meanwhile: its page finds it expired; answers how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_delivery SET next_attempt_at = now()
               WHERE priority = ANY(%s) AND next_attempt_at = ANY(%s) AND expires_at <= now()""",
            (_PRIORITIES, list(instants)),
        )
        return int(cursor.rowcount)


def _taken(ids: Sequence[UUID]) -> list[DueDelivery]:
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_delivery SET next_attempt_at = NULL,
                      status = CASE status WHEN 'deferred' THEN 'planned' ELSE status END
               WHERE id = ANY(%s) AND id BETWEEN %s AND %s RETURNING id, channel, priority""",
            (list(ids), min(ids), max(ids)),
        )
        return [DueDelivery(row[0], row[1], Priority(row[2])) for row in cursor.fetchall()]


def ensure_partitions(weeks_ahead: int) -> int:
    """Make the partitions of the coming weeks; answers how many were new."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT notify_ensure_partitions(now(), now() + make_interval(weeks => %s))", (weeks_ahead,))
        return int(cursor.fetchone()[0])


def drop_old_partitions(retention_days: int) -> int:
    """Drop the weeks that ended before the retention; answers how many went."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT notify_drop_partitions(now() - make_interval(days => %s))", (retention_days,))
        return int(cursor.fetchone()[0])


def forget_answers(hours: int) -> int:
    """Remove idempotency keys older than their window."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM notify_idempotency_key WHERE created_at < now() - make_interval(hours => %s)", (hours,)
        )
        return int(cursor.rowcount)


def forgotten(older_than: timedelta, newer_than: timedelta, limit: int) -> list[Forgotten]:
    """Open rows of an age that no page names. One scan of the recent partitions: for an hourly run, not for a tick."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH held AS (SELECT unnest(ids) AS id FROM notify_page),
                    span AS (SELECT notify_first_id(now() - make_interval(secs => %(newer)s)) AS low,
                                    notify_first_id(now() - make_interval(secs => %(older)s)) AS high)
               (SELECT n.id, 'plan', NULL, n.priority FROM notify_notification n, span
                WHERE n.id BETWEEN span.low AND span.high AND n.status IN ('accepted', 'scheduled')
                  AND NOT EXISTS (SELECT 1 FROM held WHERE held.id = n.id)
                  AND NOT EXISTS (SELECT 1 FROM notify_delivery d WHERE d.id BETWEEN
                        overlay(n.id::text PLACING '0000-000000000000' FROM 20)::uuid
                        AND overlay(n.id::text PLACING 'ffff-ffffffffffff' FROM 20)::uuid AND d.notification_id = n.id)
                LIMIT %(limit)s)
               UNION ALL
               (SELECT d.id, 'send', d.channel, d.priority FROM notify_delivery d, span
                WHERE d.id BETWEEN span.low AND span.high
                  AND (d.status = 'planned' OR (d.status = 'retrying' AND d.next_attempt_at IS NULL)
                       OR (d.status = 'sending' AND d.lease_until < now()))
                  AND NOT EXISTS (SELECT 1 FROM held WHERE held.id = d.id)
                LIMIT %(limit)s)""",
            {"newer": newer_than.total_seconds(), "older": older_than.total_seconds(), "limit": limit},
        )
        return [Forgotten(row[0], PageStep(row[1]), row[2], Priority(row[3])) for row in cursor.fetchall()]
