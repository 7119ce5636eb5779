"""Data keys move under the current master key, a page at a time."""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection, transaction

from channels.rules.sealing import Keyring, Unreadable
from preferences.store.changes import changed
from preferences.store.contacts import key_place


class Rewrapped(NamedTuple):
    """What became of one page of data keys."""

    #: The last recipient id of the page; None: there was nothing left behind `after`.
    last_id: int | None
    moved: int
    #: Recipients whose key no master key of ours opens.
    unreadable: list[int]


def rewrap_page(keyring: Keyring, after: int, limit: int) -> Rewrapped:
    """Re-wrap the next page of keys that are not under the current master key, in one transaction."""
    prefix = keyring.prefix_of(keyring.current_id)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, data_key FROM preferences_recipient
               WHERE id > %s AND data_key IS NOT NULL AND substring(data_key FOR %s) <> %s
               ORDER BY id LIMIT %s FOR NO KEY UPDATE""",
            (after, len(prefix), prefix, limit),
        )
        rows = cursor.fetchall()
        if not rows:
            return Rewrapped(None, 0, [])
        moved, unreadable = _rewrap(keyring, rows)
        cursor.execute(
            """UPDATE preferences_recipient r SET data_key = new.data_key
               FROM unnest(%s::bigint[], %s::bytea[]) AS new(id, data_key) WHERE r.id = new.id""",
            (list(moved), list(moved.values())),
        )
        changed(moved)
    return Rewrapped(rows[-1][0], len(moved), unreadable)


def count_waiting(keyring: Keyring) -> int:
    """How many data keys are not under the current master key."""
    prefix = keyring.prefix_of(keyring.current_id)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM preferences_recipient
               WHERE data_key IS NOT NULL AND substring(data_key FOR %s) <> %s""",
            (len(prefix), prefix),
        )
        return int(cursor.fetchone()[0])


def _rewrap(keyring: Keyring, rows: list[tuple[int, bytes]]) -> tuple[dict[int, bytes], list[int]]:
    """The keys wrapped anew, and the ids of those that do not open."""
    moved: dict[int, bytes] = {}
    unreadable: list[int] = []
    for recipient_id, wrapped in rows:
        place = key_place(recipient_id)
        try:
            moved[recipient_id] = keyring.wrap(keyring.unwrap(wrapped, place), place)
        except Unreadable:
            unreadable.append(recipient_id)
    return moved, unreadable
