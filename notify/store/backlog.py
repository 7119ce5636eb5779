"""What remains to be done, for those who watch."""

from __future__ import annotations

import msgspec
from django.db import connection

from notify.vocabulary import Priority


class StepBacklog(msgspec.Struct, frozen=True):
    """Pages that wait for one step at one priority."""

    step: str
    priority: str
    count: int
    #: Age of the oldest that is due and in nobody's hands; 0 when there is none.
    oldest_seconds: float


class Backlog(msgspec.Struct, frozen=True):
    """All work in sight."""

    pages: list[StepBacklog]
    #: Not replayed.
    dead_letters: int


def backlog() -> Backlog:
    """Pages per step and priority, and the dead letters; every priority has its row, at 0 too."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT s.step, p.priority, count(w.id),
                      coalesce(extract(epoch FROM now() - min(w.due_at) FILTER (WHERE w.due_at <= now()
                          AND (w.claimed_until IS NULL OR w.claimed_until < now()))), 0)
               FROM unnest(ARRAY['plan', 'fallback', 'send']) AS s(step)
               CROSS JOIN unnest(ARRAY['critical', 'high', 'medium', 'low']) AS p(priority)
               LEFT JOIN notify_page w ON w.step = s.step AND w.priority = p.priority
               GROUP BY s.step, p.priority ORDER BY s.step, p.priority"""
        )
        pages = [StepBacklog(row[0], row[1], row[2], float(row[3])) for row in cursor.fetchall()]
        cursor.execute("SELECT count(*) FROM notify_dead_letter WHERE replayed_at IS NULL")
        return Backlog(pages, int(cursor.fetchone()[0]))


def pages_ahead(priority: Priority) -> int:
    """Pages of a priority that are on their way: all but those whose first instant is still to come."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM notify_page
               WHERE priority = %s AND (claims > 0 OR sweeps > 0 OR due_at < now() + interval '1 minute')""",
            (priority,),
        )
        return int(cursor.fetchone()[0])


def pages_to_send(priority: Priority) -> int:
    """Pages of a priority that are planned and not sent yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM notify_page WHERE priority = %s AND step = 'send'", (priority,))
        return int(cursor.fetchone()[0])


def waiting() -> int:
    """Notifications and deliveries that wait for a step now, of all priorities; what is scheduled for later is not."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT coalesce(sum(cardinality(ids)), 0) FROM notify_page
               WHERE claims > 0 OR sweeps > 0 OR due_at < now() + interval '1 minute'"""
        )
        return int(cursor.fetchone()[0])
