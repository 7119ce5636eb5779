"""Notification types: the policy that a notification is told by."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import msgspec
from django.db import connection
from psycopg.types.json import Jsonb

from notify.vocabulary import TypeRow

#: Seconds a process may go on with what it read: a change is in force everywhere soon, and a page costs no query.
_KNOWN_FOR = 2.0
#: Keys a process remembers at once, existing or not, so that made-up keys cannot fill its memory.
_MOST_KNOWN = 5_000

_TYPES = """SELECT key, category, priority, channels, mandatory, exempt_from_caps, caps::text, quiet_hours, digestible,
    ttl_seconds, template_id FROM notify_type"""
_caps = msgspec.json.Decoder(list[dict[str, int]]).decode
_Row = tuple[str, str, str, list[str], bool, bool, str, str, bool, int | None, str | None]


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
                   quiet_hours, digestible, ttl_seconds, template_id, created_at, updated_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now(), now())
               ON CONFLICT (key) DO UPDATE SET category = excluded.category, priority = excluded.priority,
                   channels = excluded.channels, mandatory = excluded.mandatory,
                   exempt_from_caps = excluded.exempt_from_caps, caps = excluded.caps,
                   quiet_hours = excluded.quiet_hours, digestible = excluded.digestible,
                   ttl_seconds = excluded.ttl_seconds, template_id = excluded.template_id, updated_at = now()
               RETURNING xmax = 0""",
            _values(row),
        )
        is_new = bool(cursor.fetchone()[0])
    forget_types()
    return is_new


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
        row.ttl_seconds,
        row.template_id,
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
        ttl_seconds=row[9],
        template_id=row[10],
    )
