"""Marketing that was asked for and is to be confirmed by mail: one open request a person."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import timedelta

import msgspec
from django.db import connection

from preferences.conf import DOUBLE_OPT_IN

_NONCE_BITS = 62


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request whose mail is to be sent."""

    recipient_id: int
    user_id: str
    nonce: int


def ask(recipient_id: int, again_after: timedelta) -> bool:
    """Open a request of a locked recipient; False where one is so young that its mail is enough."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO preferences_opt_in AS o (recipient_id, nonce) VALUES (%s, %s)
               ON CONFLICT (recipient_id) DO UPDATE
               SET nonce = excluded.nonce, requested_at = now(), mailed_at = NULL
               WHERE o.requested_at < now() - make_interval(secs => %s)""",
            (recipient_id, secrets.randbits(_NONCE_BITS), again_after.total_seconds()),
        )
        return bool(cursor.rowcount)


def withdraw(recipient_ids: Collection[int]) -> list[int]:
    """Void the open requests of these people; those who had one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM preferences_opt_in WHERE recipient_id = ANY(%s) RETURNING recipient_id", (list(recipient_ids),)
        )
        return [row[0] for row in cursor.fetchall()]


def is_open(recipient_id: int, nonce: int, within: timedelta) -> bool:
    """Whether this very request waits for an answer, and not for too long."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT EXISTS (SELECT FROM preferences_opt_in WHERE recipient_id = %s AND nonce = %s
                   AND requested_at > now() - make_interval(secs => %s))""",
            (recipient_id, nonce, within.total_seconds()),
        )
        return bool(cursor.fetchone()[0])


def take_unmailed(limit: int) -> list[Asked]:
    """Requests whose mail is to be sent, marked as sent; belongs into the transaction that writes the mails."""
    if not DOUBLE_OPT_IN:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_opt_in o SET mailed_at = now() FROM preferences_recipient r
               WHERE r.id = o.recipient_id AND o.recipient_id IN (
                   SELECT recipient_id FROM preferences_opt_in WHERE mailed_at IS NULL
                   ORDER BY requested_at LIMIT %s FOR UPDATE SKIP LOCKED)
               RETURNING o.recipient_id, r.user_id, o.nonce""",
            (limit,),
        )
        return [Asked(*row) for row in cursor.fetchall()]
