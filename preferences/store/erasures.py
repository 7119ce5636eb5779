"""A person ceases to be readable: the rows that hold them go, and the key to everything else."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from preferences.store.changes import changed
from preferences.vocabulary import ContactKind


def own_addresses(recipient_id: int) -> list[tuple[ContactKind, bytes]]:
    """Kind and blind index of the addresses that this person has and nobody else."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT kind, index FROM preferences_contact_point c WHERE recipient_id = %s AND NOT EXISTS (
                   SELECT FROM preferences_contact_point o JOIN preferences_recipient r ON r.id = o.recipient_id
                   WHERE o.index = c.index AND o.recipient_id <> c.recipient_id AND r.status = 'active')
               ORDER BY kind""",
            (recipient_id,),
        )
        return [(ContactKind(kind), index) for kind, index in cursor.fetchall()]


def erase(recipient_id: int) -> None:
    """Destroy a locked recipient's key, remove what is theirs, and note that it was done."""
    with connection.cursor() as cursor:
        for table in ("contact_point", "device", "preference", "opt_in", "subscription"):
            cursor.execute(f"DELETE FROM preferences_{table} WHERE recipient_id = %s", (recipient_id,))
        cursor.execute(
            """UPDATE preferences_recipient SET status = 'erased', data_key = NULL, locale = '', timezone = '',
                   country_code = '', attributes = '{}', updated_at = now() WHERE id = %s""",
            (recipient_id,),
        )
        cursor.execute("INSERT INTO preferences_erasure (recipient_id) VALUES (%s)", (recipient_id,))
    changed([recipient_id])


def requested_at(recipient_id: int) -> datetime | None:
    """When a person's erasure was asked for; None: they were erased before that was noted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT requested_at FROM preferences_erasure WHERE recipient_id = %s", (recipient_id,))
        row = cursor.fetchone()
    return None if row is None else row[0]


def under_way(before: datetime, limit: int) -> list[int]:
    """Recipients erased before an instant of whom traces may still lie about, the longest waiting first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT recipient_id FROM preferences_erasure WHERE done_at IS NULL AND requested_at < %s
               ORDER BY requested_at LIMIT %s""",
            (before, limit),
        )
        return [row[0] for row in cursor.fetchall()]


def finish(recipient_id: int) -> None:
    """Note that no trace is left."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE preferences_erasure SET done_at = now() WHERE recipient_id = %s AND done_at IS NULL",
            (recipient_id,),
        )
