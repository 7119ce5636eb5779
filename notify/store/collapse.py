"""What is overtaken by a newer notification with the same collapse key, to the same person, of the same application."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec
from django.db import connection

from notify.rules.lifecycle import CANCELLABLE
from notify.store.spans import array, span

_OF_PAGE: Final = """notify_notification n JOIN notify_batch b ON b.id = n.batch_id
WHERE n.id = ANY((SELECT %(ids)s::uuid[])::uuid[]) AND n.id BETWEEN %(low)s::uuid AND %(high)s::uuid
  AND b.collapse_key IS NOT NULL"""

# A person's notifications lie together in an index. One that is scheduled counts from its own time on.
_OVERTAKEN: Final = f"""
SELECT n.id FROM {_OF_PAGE}
  AND EXISTS (SELECT FROM notify_notification m JOIN notify_batch c ON c.id = m.batch_id
              WHERE m.recipient_id = n.recipient_id AND m.id > n.id AND m.status <> 'cancelled'
                AND (m.scheduled_at IS NULL OR m.scheduled_at <= now())
                AND c.collapse_key = b.collapse_key AND c.application_id = b.application_id)
"""

_SUPERSEDE: Final = f"""
WITH newer AS (SELECT n.id, n.recipient_id, b.collapse_key, b.application_id FROM {_OF_PAGE}),
    older AS (
        SELECT o.id, newer.id AS by FROM newer
        CROSS JOIN LATERAL (
            SELECT m.id, m.batch_id FROM notify_notification m
            WHERE m.recipient_id = newer.recipient_id AND m.id < newer.id
              AND m.id > notify_first_id(now() - make_interval(secs => %(horizon)s))
              AND m.status NOT IN ('delivered', 'suppressed', 'failed', 'expired', 'cancelled') OFFSET 0) o
        JOIN notify_batch c ON c.id = o.batch_id AND c.collapse_key = newer.collapse_key
            AND c.application_id = newer.application_id)
UPDATE notify_delivery d SET status = 'suppressed', reason_code = 'superseded', detail = '', next_attempt_at = NULL
FROM older
WHERE d.id BETWEEN overlay(older.id::text PLACING '0000-000000000000' FROM 20)::uuid
               AND overlay(older.id::text PLACING 'ffff-ffffffffffff' FROM 20)::uuid
  AND d.notification_id = older.id AND d.status = ANY(%(sources)s::text[])
RETURNING d.id, d.notification_id, older.by
"""


class Superseded(msgspec.Struct, frozen=True, gc=False):
    """A delivery that ended because a newer notification says more."""

    delivery_id: UUID
    notification_id: UUID
    by: UUID


def overtaken(notification_ids: Sequence[UUID]) -> set[UUID]:
    """Those of which a newer one is due."""
    if not notification_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_OVERTAKEN, span(notification_ids))
        return {row[0] for row in cursor.fetchall()}


def supersede(notification_ids: Sequence[UUID], *, horizon: timedelta) -> list[Superseded]:
    """End what these overtake and nobody has claimed yet; `horizon` is how long ago it was accepted at most."""
    if not notification_ids:
        return []
    sources = array([str(status) for status in CANCELLABLE])
    with connection.cursor() as cursor:
        cursor.execute(_SUPERSEDE, {**span(notification_ids), "horizon": horizon.total_seconds(), "sources": sources})
        return [Superseded(*row) for row in cursor.fetchall()]
