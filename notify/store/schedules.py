"""Schedules by the wall clock that wait: what was asked for, and their pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from notify.rules.ids import first_id
from notify.store.spans import id_array
from notify.vocabulary import Priority

#: The ids of a batch's notifications begin with its own millisecond.
_ITS_OWN = timedelta(milliseconds=1)


class WallClock(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that was scheduled by the wall clock, as its request said it."""

    id: UUID
    type_key: str
    priority: Priority
    trace_id: str
    #: As 2027-03-28T09:00.
    local_time: str
    #: "recipient", or an IANA zone.
    local_zone: str
    created_at: datetime


class Waiting(NamedTuple):
    """A notification that waits for its instant."""

    id: UUID
    recipient_id: int
    scheduled_at: datetime
    expires_at: datetime | None


class Moved(NamedTuple):
    """A notification with its new instant."""

    id: UUID
    scheduled_at: datetime
    expires_at: datetime | None


def outdated(zone_data: str, since: datetime, limit: int) -> list[WallClock]:
    """Batches accepted since then whose instants were worked out with other zone data, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, type_key, priority, trace_id, local_time, local_zone, created_at FROM notify_batch
               WHERE local_time IS NOT NULL AND zone_data <> %s AND id >= %s ORDER BY id LIMIT %s""",
            (zone_data, first_id(since), limit),
        )
        return [
            WallClock(
                id=row[0],
                type_key=row[1],
                priority=Priority(row[2]),
                trace_id=row[3],
                local_time=row[4],
                local_zone=row[5],
                created_at=row[6],
            )
            for row in cursor.fetchall()
        ]


def waiting(batch: WallClock) -> list[Waiting]:
    """The notifications of a batch that still wait for their instant."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, recipient_id, scheduled_at, expires_at FROM notify_notification
               WHERE id >= %s AND id < %s AND batch_id = %s AND status = 'scheduled' AND scheduled_at > now()""",
            (first_id(batch.created_at), first_id(batch.created_at + _ITS_OWN), batch.id),
        )
        return [Waiting(*row) for row in cursor.fetchall()]


def take_off(ids: Sequence[UUID]) -> set[UUID]:
    """Take notifications off the pages on which they wait; answers those that stood on one nobody holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH wanted AS (SELECT %(ids)s::uuid[] AS ids),
                    mine AS (SELECT p.id, p.ids FROM notify_page p, wanted w
                             WHERE p.step = 'plan' AND p.ids && w.ids AND p.due_at > now() AND p.claimed_until IS NULL
                             FOR UPDATE OF p),
                    rest AS (SELECT m.id, array(SELECT unnest(m.ids) EXCEPT SELECT unnest(w.ids)) AS ids
                             FROM mine m, wanted w),
                    kept AS (UPDATE notify_page p SET ids = r.ids FROM rest r
                             WHERE p.id = r.id AND cardinality(r.ids) > 0),
                    gone AS (DELETE FROM notify_page p USING rest r WHERE p.id = r.id AND cardinality(r.ids) = 0)
               SELECT unnest(m.ids) FROM mine m INTERSECT SELECT unnest(w.ids) FROM wanted w""",
            {"ids": id_array(ids)},
        )
        return {row[0] for row in cursor.fetchall()}


def move(moved: Sequence[Moved]) -> None:
    """Write the new instants."""
    if not moved:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_notification n SET scheduled_at = v.at, expires_at = v.expires_at
               FROM unnest(%s::uuid[], %s::timestamptz[], %s::timestamptz[]) AS v(id, at, expires_at)
               WHERE n.id = v.id AND n.id BETWEEN %s AND %s""",
            (
                [one.id for one in moved],
                [one.scheduled_at for one in moved],
                [one.expires_at for one in moved],
                min(one.id for one in moved),
                max(one.id for one in moved),
            ),
        )


def worked_out(batch: WallClock, zone_data: str) -> None:
    """Note the zone data by which a batch's instants are right."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_batch SET zone_data = %s WHERE id = %s", (zone_data, batch.id))
