"""The in-app inbox: entered by the page, read newest first, marked by its owner.

Every change is told to whoever listens (`NOTIFY carillon_inbox`) in the transaction that makes it, and stamped with
that transaction's id, so that a listener who was away can ask what has changed since: see `news_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from channels.policy import INBOX_NEWS, UNREAD_COUNTED_TO
from channels.rules.snapshots import Snapshot, snapshot_of
from channels.vocabulary import InAppMessage, InboxMark, TouchedEntry


class EntryRow(msgspec.Struct, frozen=True, gc=False):
    """One entry as it is stored."""

    #: The delivery's id.
    id: UUID
    notification_id: UUID
    recipient_id: int
    type: str
    sealed: bytes
    created_at: datetime
    read_at: datetime | None
    archived_at: datetime | None
    collapse_key: str | None
    #: Id of the transaction that changed it last.
    changed: int


class News(msgspec.Struct, frozen=True, gc=False):
    """What has changed of some inboxes, and from where to ask next time."""

    entries: list[EntryRow]
    #: What of all transactions this answer has seen.
    seen: Snapshot


_COLUMNS = "id, notification_id, recipient_id, type, sealed, created_at, read_at, archived_at, collapse_key, changed"
_NOW = "pg_current_xact_id()::text::bigint"
_IS_SHOWN = "archived_at IS NULL AND (expires_at IS NULL OR expires_at > now())"

# A payload is at most 8,000 bytes: 300 ids of up to 19 digits fit.
_TELL = """
SELECT count(pg_notify('carillon_inbox', ids)) FROM (
    SELECT string_agg(recipient_id::text, ',') AS ids
      FROM (SELECT recipient_id, (row_number() OVER () - 1) / 300 AS part FROM entered) AS one GROUP BY part
) AS told
"""

_PAGE = """
  FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::text[], %s::bytea[], %s::timestamptz[], %s::text[])
    AS page (id, recipient_id, notification_id, type, sealed, expires_at, collapse_key)
"""

# A page that is sent again finds its rows and leaves them as the reader has them.
_INSERT = f"""
WITH entered AS (
INSERT INTO inbox_message (id, recipient_id, notification_id, type, sealed, created_at, expires_at, collapse_key)
SELECT id, recipient_id, notification_id, type, sealed, statement_timestamp(), expires_at, NULL {_PAGE}
ON CONFLICT (id) DO NOTHING RETURNING recipient_id
) {_TELL}"""

# Sorted, so that two pages lock the same entries in the same order. An older one that comes late, or again, finds the
# newer one in its place.
_REPLACE = f"""
WITH entered AS (
INSERT INTO inbox_message AS old (id, recipient_id, notification_id, type, sealed, created_at, expires_at, collapse_key)
SELECT id, recipient_id, notification_id, type, sealed, statement_timestamp(), expires_at, collapse_key {_PAGE}
 ORDER BY recipient_id, collapse_key
ON CONFLICT (recipient_id, collapse_key) WHERE collapse_key IS NOT NULL DO UPDATE
   SET id = excluded.id, notification_id = excluded.notification_id, type = excluded.type, sealed = excluded.sealed,
       created_at = excluded.created_at, expires_at = excluded.expires_at, read_at = NULL, archived_at = NULL,
       changed = {_NOW}
 WHERE old.notification_id < excluded.notification_id
RETURNING recipient_id
) {_TELL}"""

# Two devices of one reader touch it at once: the second finds the row. Nobody is told: nothing looks different yet.
_TOUCH = """
INSERT INTO inbox_message
    (id, recipient_id, notification_id, broadcast_id, type, sealed, created_at, expires_at, archived_at)
SELECT id, recipient_id, notification_id, broadcast_id, type, sealed, created_at, expires_at,
       CASE WHEN is_hidden THEN now() END
  FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::uuid[], %s::text[], %s::bytea[], %s::timestamptz[],
              %s::timestamptz[], %s::boolean[])
    AS page (id, recipient_id, notification_id, broadcast_id, type, sealed, created_at, expires_at, is_hidden)
 ORDER BY id ON CONFLICT (id) DO NOTHING
"""

_SET = {
    InboxMark.READ: "read_at = coalesce(read_at, now())",
    InboxMark.UNREAD: "read_at = NULL",
    InboxMark.ARCHIVE: "archived_at = coalesce(archived_at, now())",
}

_MARK = """
WITH marked AS (
    UPDATE inbox_message SET {what}, changed = {now}
     WHERE id BETWEEN %(first)s AND %(last)s AND notification_id = %(notification)s
       AND (%(recipient)s::bigint IS NULL OR recipient_id = %(recipient)s)
    RETURNING {columns}
), told AS (
    SELECT pg_notify('carillon_inbox', '{word}' || recipient_id || ':' || notification_id) FROM marked
)
SELECT {columns} FROM marked LEFT JOIN told ON true
"""
_MARKS = {mark: _MARK.format(what=what, now=_NOW, columns=_COLUMNS, word=mark.value[0]) for mark, what in _SET.items()}

# Locked in the order of their ids: two devices of one reader must not lock each other out.
_READ_ALL = f"""
WITH unread AS (
    SELECT id FROM inbox_message
     WHERE recipient_id = %(recipient)s AND read_at IS NULL AND archived_at IS NULL
       AND (%(created_at)s::timestamptz IS NULL OR (created_at, id) <= (%(created_at)s, %(id)s))
     ORDER BY id FOR NO KEY UPDATE
), marked AS (
    UPDATE inbox_message m SET read_at = now(), changed = {_NOW} FROM unread WHERE m.id = unread.id RETURNING m.id
), total AS (SELECT count(*) AS rows FROM marked)
SELECT rows, CASE WHEN rows > 0 THEN pg_notify('carillon_inbox', 'r' || %(recipient)s::bigint || ':*') END FROM total
"""

_UNREAD = f"""
SELECT asked.id, found.unread FROM unnest(%s::bigint[]) AS asked (id), LATERAL (
    SELECT count(*) AS unread FROM (
        SELECT FROM inbox_message WHERE recipient_id = asked.id AND read_at IS NULL AND {_IS_SHOWN} LIMIT %s
    ) AS capped
) AS found
"""

# The newest of each inbox by its index, and of them what has changed; in front, what the statement sees.
_NEWS = f"""
SELECT pg_current_snapshot()::text AS seen, one.*
  FROM (SELECT 1) AS always LEFT JOIN (
    SELECT one.* FROM unnest(%s::bigint[], %s::bigint[]) AS asked (id, since), LATERAL (
        SELECT {_COLUMNS} FROM inbox_message WHERE recipient_id = asked.id AND {_IS_SHOWN}
         ORDER BY created_at DESC, id DESC LIMIT %s
    ) AS one WHERE one.changed >= asked.since
  ) AS one ON true ORDER BY one.created_at, one.id
"""

_PRUNE = """
DELETE FROM inbox_message WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM inbox_message WHERE created_at < %s LIMIT %s FOR UPDATE SKIP LOCKED))
"""


def insert_inbox(messages: Sequence[InAppMessage]) -> None:
    """Put a page of messages into their recipients' inboxes; those already there stay. One statement.

    One with a collapse key takes the place of an older one with the same; a mixed page takes two statements.
    """
    plain = [message for message in messages if not message.collapse_key]
    newest: dict[tuple[int, str], InAppMessage] = {}
    for message in sorted(messages, key=lambda one: one.notification_id):
        if message.collapse_key:
            newest[message.recipient_id, message.collapse_key] = message
    is_mixed = bool(plain and newest)
    with transaction.atomic() if is_mixed else nullcontext(), connection.cursor() as cursor:
        if plain:
            cursor.execute(_INSERT, _columns(plain))
        if newest:
            cursor.execute(_REPLACE, _columns(newest.values()))


def insert_touched(entries: Sequence[TouchedEntry]) -> None:
    """Give entries of broadcasts a row each; those that have one keep it. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _TOUCH,
            [
                [one.id for one in entries],
                [one.recipient_id for one in entries],
                [one.notification_id for one in entries],
                [one.broadcast_id for one in entries],
                [one.type for one in entries],
                [one.sealed for one in entries],
                [one.created_at for one in entries],
                [one.expires_at for one in entries],
                [one.is_hidden for one in entries],
            ],
        )


def touched_of(recipient_ids: Sequence[int]) -> dict[int, set[UUID]]:
    """The broadcasts that these readers have a row of, by reader. One query by one index."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT recipient_id, broadcast_id FROM inbox_message
               WHERE recipient_id = ANY(%s) AND broadcast_id IS NOT NULL""",
            [list(recipient_ids)],
        )
        found: dict[int, set[UUID]] = {}
        for recipient_id, broadcast_id in cursor.fetchall():
            found.setdefault(recipient_id, set()).add(broadcast_id)
    return found


def entry_page(
    recipient_id: int,
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
    unread_only: bool = False,
    with_hidden: bool = False,
) -> list[EntryRow]:
    """Up to `limit` entries that are shown, newest first, older than the position `before`. One query by one index.

    `with_hidden`: those that are archived or have expired, too.
    """
    conditions = ["recipient_id = %s"] if with_hidden else ["recipient_id = %s", _IS_SHOWN]
    values: list[Any] = [recipient_id]
    if unread_only:
        conditions.append("read_at IS NULL")
    if before is not None:
        conditions.append("(created_at, id) < (%s, %s)")
        values += before
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM inbox_message WHERE {' AND '.join(conditions)}"
            " ORDER BY created_at DESC, id DESC LIMIT %s",
            [*values, limit],
        )
        return [_entry(row) for row in cursor.fetchall()]


def unread_counts(recipient_ids: Sequence[int]) -> dict[int, int]:
    """Unread entries by recipient, counted no further than `policy.UNREAD_COUNTED_TO`. One query by one index."""
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD, [list(recipient_ids), UNREAD_COUNTED_TO])
        return dict(cursor.fetchall())


def mark(
    family: tuple[UUID, UUID], notification_id: UUID, mark: InboxMark, recipient_id: int | None
) -> EntryRow | None:
    """Mark the entry of a notification, in whosever inbox or only in one; None where it is not.

    `family` bounds the ids that its entry may have, first and last included. One statement, whoever's it is.
    """
    with connection.cursor() as cursor:
        values = {"notification": notification_id, "recipient": recipient_id, "first": family[0], "last": family[1]}
        cursor.execute(_MARKS[mark], values)
        row = cursor.fetchone()
    return None if row is None else _entry(row)


def position_of(family: tuple[UUID, UUID], notification_id: UUID, recipient_id: int) -> tuple[datetime, UUID] | None:
    """Where a notification's entry stands in the order of this inbox; None where it is not in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT created_at, id FROM inbox_message
               WHERE id BETWEEN %s AND %s AND notification_id = %s AND recipient_id = %s""",
            [*family, notification_id, recipient_id],
        )
        row: tuple[datetime, UUID] | None = cursor.fetchone()
    return row


def read_all(recipient_id: int, up_to: tuple[datetime, UUID] | None) -> int:
    """Mark what is unread as read, all or what is no newer than a position; answers how many. One statement."""
    created_at, entry_id = up_to or (None, None)
    with connection.cursor() as cursor:
        cursor.execute(_READ_ALL, {"recipient": recipient_id, "created_at": created_at, "id": entry_id})
        return int(cursor.fetchone()[0])


def news_of(since: Mapping[int, int]) -> News:
    """What transactions from an id on have changed in these inboxes (recipient → id), oldest first. One query.

    Of each inbox no more than the newest `policy.INBOX_NEWS` entries are looked at. What of it somebody has seen
    before, their own snapshot says.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NEWS, [list(since), list(since.values()), INBOX_NEWS])
        rows = cursor.fetchall()
    seen = snapshot_of(rows[0][0])
    assert seen is not None, "PostgreSQL writes its snapshots otherwise"
    return News([_entry(row[1:]) for row in rows if row[1] is not None], seen)


def prune_inbox(before: datetime, limit: int) -> int:
    """Delete entries older than an instant, no more than `limit` at once; answers how many."""
    with connection.cursor() as cursor:
        cursor.execute(_PRUNE, [before, limit])
        return int(cursor.rowcount)


def remove_entries(entry_type: str, first: UUID, last: UUID) -> int:
    """Delete the entries of a type between two ids, both included; answers how many."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM inbox_message WHERE id BETWEEN %s AND %s AND type = %s", [first, last, entry_type])
        return int(cursor.rowcount)


def empty_inbox(recipient_id: int) -> int:
    """Delete all that one recipient has; answers how many entries."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM inbox_message WHERE recipient_id = %s", [recipient_id])
        return int(cursor.rowcount)


def _columns(messages: Iterable[InAppMessage]) -> list[Any]:
    rows = list(messages)
    return [
        [message.id for message in rows],
        [message.recipient_id for message in rows],
        [message.notification_id for message in rows],
        [message.type for message in rows],
        [message.sealed for message in rows],
        [_instant(message.expires_at) for message in rows],
        [message.collapse_key for message in rows],
    ]


def _entry(row: tuple[Any, ...]) -> EntryRow:
    return EntryRow(row[0], row[1], row[2], row[3], bytes(row[4]), *row[5:10])


def _instant(epoch_seconds: float | None) -> datetime | None:
    return None if epoch_seconds is None else datetime.fromtimestamp(epoch_seconds, UTC)
