"""What waits to be told in a digest, and which digest told it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection

from notify.rules.planning import PlannedDelivery
from notify.store.spans import IN_SPAN, span

#: Due rows among which people are looked for in one run.
_LOOKED_AT = 5_000

# One process gathers at a time, so nobody's members are torn apart. The deliveries are locked against whoever would
# cancel or supersede them meanwhile.
_MEMBERS: Final = """
SELECT d.id, d.notification_id, d.recipient_id, d.channel, d.expires_at, n.type_key, n.batch_id, n.sealed,
    n.created_at, b.application_id, b.test
FROM unnest(%(people)s::bigint[], %(channels)s::text[]) AS due(recipient_id, channel)
JOIN notify_digest_item i ON i.recipient_id = due.recipient_id AND i.channel = due.channel AND i.digest_id IS NULL
JOIN notify_delivery d ON d.id = i.delivery_id AND d.status = 'deferred' AND d.next_attempt_at IS NULL
JOIN notify_notification n ON n.id = i.notification_id
JOIN notify_batch b ON b.id = n.batch_id
ORDER BY d.id FOR UPDATE OF d
"""

# A digest by push has a delivery for each device: it was told if one of them was, and is open while one of them is.
_FOLLOW: Final = """
UPDATE notify_delivery m SET status = g.status, reason_code = g.reason_code, provider = g.provider,
    sent_at = coalesce(m.sent_at, g.sent_at), delivered_at = coalesce(m.delivered_at, g.delivered_at)
FROM notify_digest_item i
CROSS JOIN LATERAL (
    SELECT status, reason_code, provider, sent_at, delivered_at FROM notify_delivery
    WHERE id BETWEEN overlay(i.digest_id::text PLACING '0000-000000000000' FROM 20)::uuid
                 AND overlay(i.digest_id::text PLACING 'ffff-ffffffffffff' FROM 20)::uuid
      AND notification_id = i.digest_id
    ORDER BY CASE status WHEN 'delivered' THEN 0 WHEN 'sent' THEN 1 WHEN 'planned' THEN 2 WHEN 'sending' THEN 2
        WHEN 'retrying' THEN 2 WHEN 'deferred' THEN 2 ELSE 3 END LIMIT 1) g
WHERE i.digest_id = ANY(%s::uuid[]) AND m.id = i.delivery_id AND m.status IN ('deferred', 'sent', 'dead')
  AND g.status NOT IN ('planned', 'sending', 'retrying', 'deferred', m.status)
RETURNING m.notification_id
"""

# Text messages whose waiting ends in the same moment become one; a digest that is due now, of those who got several.
_COMBINE: Final = """
WITH due AS (SELECT id, notification_id, recipient_id FROM notify_delivery
             WHERE next_attempt_at <= now() AND channel = 'sms' AND status = 'deferred' AND attempts = 0
             ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED),
    several AS (SELECT recipient_id FROM due GROUP BY 1 HAVING count(*) > 1),
    taken AS (UPDATE notify_delivery d SET next_attempt_at = NULL FROM due JOIN several USING (recipient_id)
              WHERE d.id = due.id RETURNING d.id, d.notification_id, d.recipient_id, d.channel)
INSERT INTO notify_digest_item (delivery_id, notification_id, recipient_id, channel, due_at)
SELECT id, notification_id, recipient_id, channel, now() FROM taken
ON CONFLICT (delivery_id) DO UPDATE SET due_at = excluded.due_at, digest_id = NULL
"""


# Who has left a digest on its way: cancelled, superseded. What it has told already has not left it.
_GATHERED: Final = """
SELECT i.digest_id, array_agg(DISTINCT n.type_key), bool_or(d.status IN ('cancelled', 'suppressed', 'expired'))
FROM notify_digest_item i JOIN notify_delivery d ON d.id = i.delivery_id
JOIN notify_notification n ON n.id = i.notification_id
WHERE i.digest_id = ANY(%s::uuid[]) GROUP BY 1
"""

# Of a digest that was superseded on its way: its members join the next one, unless another device was told or will be.
_GATHER_AGAIN: Final = """
UPDATE notify_digest_item SET digest_id = NULL, due_at = now() WHERE delivery_id IN (
    SELECT i.delivery_id FROM notify_digest_item i
    JOIN notify_delivery m ON m.id = i.delivery_id AND m.status = 'deferred'
    CROSS JOIN LATERAL (
        SELECT bool_or(reason_code = 'superseded') AS is_superseded, bool_and(status = 'suppressed') AS is_over
        FROM notify_delivery
        WHERE id BETWEEN overlay(i.digest_id::text PLACING '0000-000000000000' FROM 20)::uuid
                     AND overlay(i.digest_id::text PLACING 'ffff-ffffffffffff' FROM 20)::uuid
          AND notification_id = i.digest_id) g
    WHERE i.digest_id = ANY(%s::uuid[]) AND g.is_superseded AND g.is_over)
"""

# Of a digest that was cancelled: what its application had in it ends with it, the others' is told in the next one.
_TAKE_BACK: Final = """
WITH told AS (
    SELECT i.delivery_id, b.application_id = %(application)s AS is_own
    FROM notify_digest_item i JOIN notify_delivery m ON m.id = i.delivery_id AND m.status = 'deferred'
    JOIN notify_notification n ON n.id = i.notification_id JOIN notify_batch b ON b.id = n.batch_id
    WHERE i.digest_id = %(digest)s ORDER BY m.id FOR UPDATE OF m),
    others AS (UPDATE notify_digest_item i SET digest_id = NULL, due_at = now() FROM told
               WHERE i.delivery_id = told.delivery_id AND NOT told.is_own)
UPDATE notify_delivery m SET status = 'cancelled', reason_code = 'cancelled' FROM told
WHERE m.id = told.delivery_id AND told.is_own RETURNING m.id, m.notification_id
"""


class Gathered(msgspec.Struct, frozen=True, gc=False):
    """What a digest on its way tells."""

    type_keys: list[str]
    #: A member was taken back, or overtaken, since it was made.
    has_left: bool


class Member(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A delivery that waits for its digest."""

    id: UUID
    notification_id: UUID
    recipient_id: int
    channel: str
    expires_at: datetime | None
    type_key: str
    batch_id: UUID
    sealed: bytes
    created_at: datetime
    application_id: int
    test: bool


def insert(deliveries: Sequence[PlannedDelivery]) -> None:
    """Let deliveries wait for the digest of their instant, by COPY."""
    if not deliveries:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY notify_digest_item (delivery_id, notification_id, recipient_id, channel, due_at) FROM STDIN"
        ) as copy,
    ):
        for one in deliveries:
            copy.write_row((one.id, one.notification_id, one.recipient_id, one.channel, one.digest_at))


def take_due(most: int) -> list[Member]:
    """All that waits for up to `most` people (on a channel each) of whom something is due, oldest first.

    Empty where another process is at it. Belongs into the transaction that writes their digests.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('notify.digest'))")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(
            """SELECT recipient_id, channel FROM (
                   SELECT recipient_id, channel, due_at FROM notify_digest_item
                   WHERE digest_id IS NULL AND due_at <= now() ORDER BY due_at LIMIT %s) AS due
               GROUP BY 1, 2 ORDER BY min(due_at) LIMIT %s""",
            (_LOOKED_AT, most),
        )
        due = cursor.fetchall()
        if not due:
            return []
        people = {"people": [row[0] for row in due], "channels": [row[1] for row in due]}
        cursor.execute(_MEMBERS, people)
        rows = cursor.fetchall()
        # Cancelled or superseded meanwhile: it waits for nothing any more.
        cursor.execute(
            """DELETE FROM notify_digest_item i USING unnest(%(people)s::bigint[], %(channels)s::text[]) AS due(r, c)
               WHERE i.recipient_id = due.r AND i.channel = due.c AND i.digest_id IS NULL
                 AND NOT i.delivery_id = ANY(%(kept)s::uuid[])""",
            {**people, "kept": [row[0] for row in rows]},
        )
    return [_member(row) for row in rows]


def postpone(until: Sequence[tuple[Collection[UUID], datetime]]) -> None:
    """Let members wait for a digest of a later instant."""
    ids = [(name, at) for names, at in until for name in names]
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_digest_item i SET due_at = v.at
               FROM unnest(%s::uuid[], %s::timestamptz[]) AS v(id, at) WHERE i.delivery_id = v.id""",
            ([name for name, _ in ids], [at for _, at in ids]),
        )


def name_digests(digests: Sequence[tuple[UUID, UUID]]) -> None:
    """Write down which digest tells each member: (member's delivery, digest)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_digest_item i SET digest_id = v.digest
               FROM unnest(%s::uuid[], %s::uuid[]) AS v(id, digest) WHERE i.delivery_id = v.id""",
            ([member for member, _ in digests], [digest for _, digest in digests]),
        )


def gathered(digest_ids: Collection[UUID]) -> dict[UUID, Gathered]:
    """What each of these digests tells."""
    with connection.cursor() as cursor:
        cursor.execute(_GATHERED, (list(digest_ids),))
        return {row[0]: Gathered(row[1], row[2]) for row in cursor.fetchall()}


def leave(delivery_ids: Sequence[UUID]) -> None:
    """Take members out that no digest will tell."""
    if delivery_ids:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM notify_digest_item WHERE delivery_id = ANY(%s)", (list(delivery_ids),))


def end(delivery_ids: Sequence[UUID], status: str, reason: str, detail: str) -> None:
    """End members before their digest."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE notify_delivery SET status = %(status)s, reason_code = %(reason)s, detail = %(detail)s
                WHERE {IN_SPAN} AND status = 'deferred'""",
            {"status": status, "reason": reason, "detail": detail, **span(delivery_ids)},
        )


def follow(digest_ids: Sequence[UUID]) -> list[UUID]:
    """Let members end as the digests did that told them; answers their notifications, each once.

    A digest that was superseded told nobody: its members are gathered again.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GATHER_AGAIN, (list(digest_ids),))
        cursor.execute(_FOLLOW, (list(digest_ids),))
        return list({row[0] for row in cursor.fetchall()})


def take_back(digest_id: UUID, application_id: int) -> list[tuple[UUID, UUID]]:
    """End what an application had in a digest it cancelled: (delivery, notification) each. Others' is told anew."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, {"digest": digest_id, "application": application_id})
        return list(cursor.fetchall())


def combine(most: int) -> int:
    """Let text messages to one person whose waiting is over be told in one; answers how many."""
    with connection.cursor() as cursor:
        cursor.execute(_COMBINE, (most,))
        return int(cursor.rowcount)


def forget(older_than: timedelta, most: int) -> int:
    """Remove members whose digest is history."""
    with connection.cursor() as cursor:
        cursor.execute(
            """DELETE FROM notify_digest_item WHERE delivery_id IN (
                   SELECT delivery_id FROM notify_digest_item
                   WHERE digest_id < notify_first_id(now() - make_interval(secs => %s)) LIMIT %s)""",
            (older_than.total_seconds(), most),
        )
        return int(cursor.rowcount)


def _member(row: tuple[Any, ...]) -> Member:
    return Member(
        id=row[0],
        notification_id=row[1],
        recipient_id=row[2],
        channel=row[3],
        expires_at=row[4],
        type_key=row[5],
        batch_id=row[6],
        sealed=row[7],
        created_at=row[8],
        application_id=row[9],
        test=row[10],
    )
