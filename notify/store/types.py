"""Notification types: the policy that a notification is told by."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from psycopg.types.json import Jsonb

from notify.vocabulary import TypeRow
from preferences.rules.choices import Kind
from preferences.vocabulary import Category

#: Seconds a process may go on with what it read: a change is in force everywhere soon, and a page costs no query.
_KNOWN_FOR = 2.0
#: Keys a process remembers at once, existing or not, so that made-up keys cannot fill its memory.
_MOST_KNOWN = 5_000

_TYPES = """SELECT key, category, priority, channels, mandatory, exempt_from_caps, caps::text, quiet_hours, digestible,
    over_cap, ttl_seconds, track_opens, track_clicks, template_id, retention_days FROM notify_type"""
_caps = msgspec.json.Decoder(list[dict[str, int]]).decode
_Row = tuple[str, str, str, list[str], bool, bool, str, str, bool, str, int | None, bool, bool, str | None, int | None]


class ForgettingType(msgspec.Struct, frozen=True, gc=False):
    """A type whose words go before the log does."""

    key: str
    retention_days: int
    #: The notification up to which they are gone.
    cleared_until: UUID | None


class _Known:
    """What this process remembers: until when, and the row (None: there is no such type)."""

    types: dict[str, tuple[float, TypeRow | None]] = {}


def type_for(key: str) -> TypeRow | None:
    """The type of a key, at most two seconds old."""
    return types_for((key,)).get(key)


def types_for(keys: Collection[str]) -> dict[str, TypeRow]:
    """The types of these keys that exist, at most two seconds old; one query, or none."""
    now = time.monotonic()
    unknown = [key for key in keys if _Known.types.get(key, (0.0,))[0] <= now]
    if unknown:
        _read(unknown, until=now + _KNOWN_FOR)
    known = ((key, _Known.types[key][1]) for key in keys)
    return {key: row for key, row in known if row is not None}


def read_type(key: str) -> TypeRow | None:
    """The type as it is now."""
    with connection.cursor() as cursor:
        cursor.execute(_TYPES + " WHERE key = %s", (key,))
        row = cursor.fetchone()
    return _type(row) if row is not None else None


def list_types(after: str, limit: int) -> list[TypeRow]:
    """Types in the order of their keys, from the one behind `after`."""
    with connection.cursor() as cursor:
        cursor.execute(_TYPES + " WHERE key > %s ORDER BY key LIMIT %s", (after, limit))
        return [_type(row) for row in cursor.fetchall()]


def put_type(row: TypeRow) -> bool:
    """Create or replace a type; True when it is new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_type (key, category, priority, channels, mandatory, exempt_from_caps, caps,
                   quiet_hours, digestible, over_cap, ttl_seconds, track_opens, track_clicks, template_id,
                   retention_days, created_at, updated_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now(), now())
               ON CONFLICT (key) DO UPDATE SET category = excluded.category, priority = excluded.priority,
                   channels = excluded.channels, mandatory = excluded.mandatory,
                   exempt_from_caps = excluded.exempt_from_caps, caps = excluded.caps,
                   quiet_hours = excluded.quiet_hours, digestible = excluded.digestible,
                   over_cap = excluded.over_cap, ttl_seconds = excluded.ttl_seconds, track_opens = excluded.track_opens,
                   track_clicks = excluded.track_clicks, template_id = excluded.template_id,
                   retention_days = excluded.retention_days, updated_at = now()
               RETURNING xmax = 0""",
            _values(row),
        )
        is_new = bool(cursor.fetchone()[0])
    forget_types()
    return is_new


def kinds_of_types() -> list[Kind]:
    """What kinds there are among the types."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT category, mandatory FROM notify_type")
        return [Kind(Category(category), mandatory) for category, mandatory in cursor.fetchall()]


def types_that_forget() -> list[ForgettingType]:
    """The types whose words go before the log does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, retention_days, cleared_until FROM notify_type WHERE retention_days IS NOT NULL ORDER BY key"
        )
        return [ForgettingType(*row) for row in cursor.fetchall()]


def note_cleared(key: str, until: UUID) -> None:
    """Remember up to which notification the words of a type are gone."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_type SET cleared_until = %s WHERE key = %s", (until, key))


def add_type(row: TypeRow) -> TypeRow:
    """Create a type unless there is one with its key; answers the one there is."""
    existing = read_type(row.key)
    if existing is None:
        put_type(row)
    return existing or row


def types_naming(template_id: str) -> list[str]:
    """Keys of the types whose template this is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM notify_type WHERE template_id = %s ORDER BY key", (template_id,))
        return [row[0] for row in cursor.fetchall()]


def forget_types() -> None:
    """Let this process read types anew: after a change, and between tests."""
    _Known.types.clear()


def _read(keys: Collection[str], *, until: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TYPES + " WHERE key = ANY(%s)", (list(keys),))
        rows = [_type(row) for row in cursor.fetchall()]
    if len(_Known.types) + len(keys) > _MOST_KNOWN:
        _Known.types.clear()
    _Known.types.update(dict.fromkeys(keys, (until, None)))
    _Known.types.update((row.key, (until, row)) for row in rows)


def _values(row: TypeRow) -> list[Any]:
    return [
        row.key,
        str(row.category),
        str(row.priority),
        [str(channel) for channel in row.channels],
        row.mandatory,
        row.exempt_from_caps,
        Jsonb(row.caps),
        str(row.quiet_hours),
        row.digestible,
        str(row.over_cap),
        row.ttl_seconds,
        row.track_opens,
        row.track_clicks,
        row.template_id,
        row.retention_days,
    ]


def _type(row: _Row) -> TypeRow:
    return TypeRow(
        key=row[0],
        category=row[1],
        priority=row[2],
        channels=row[3],
        mandatory=row[4],
        exempt_from_caps=row[5],
        caps=_caps(row[6]),
        quiet_hours=row[7],
        digestible=row[8],
        over_cap=row[9],
        ttl_seconds=row[10],
        track_opens=row[11],
        track_clicks=row[12],
        template_id=row[13],
        retention_days=row[14],
    )
