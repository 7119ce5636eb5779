"""Templates as their authors see them: heads, versions and words, always as they are now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from psycopg.types.json import Jsonb

from notify.rules.template_requests import TemplateLine, VersionLine
from notify.rules.trial_findings import Wordings

_wordings = msgspec.json.Decoder(Wordings).decode
_schema = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode
_HEAD = "SELECT template_id, type_key, default_locale, published_version, created_at, updated_at FROM notify_template"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A template without its words."""

    template_id: str
    type_key: str
    default_locale: str
    published_version: int | None
    created_at: datetime
    updated_at: datetime


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version about to be kept."""

    channels: Wordings
    compiled: Wordings
    variables: dict[str, dict[str, Any]]
    created_by: str


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What one version says."""

    version_id: int
    number: int
    channels: Wordings
    compiled: Wordings
    variables: dict[str, dict[str, Any]]


def add_template(template_id: str, type_key: str, default_locale: str) -> bool:
    """Create a template without versions; False when there is one of that id."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_template (template_id, type_key, default_locale, created_at, updated_at)
               VALUES (%s, %s, %s, now(), now()) ON CONFLICT (template_id) DO NOTHING""",
            (template_id, type_key, default_locale),
        )
        return bool(cursor.rowcount)


def head(template_id: str, *, lock: bool = False) -> Head | None:
    """A template's head; locked, its versions and what is published stay until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_HEAD + " WHERE template_id = %s" + (" FOR UPDATE" if lock else ""), (template_id,))
        row = cursor.fetchone()
    return _head(row) if row is not None else None


def change_head(template_id: str, type_key: str, default_locale: str) -> None:
    """Give a template another type or default language."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_template SET type_key = %s, default_locale = %s, updated_at = now()
               WHERE template_id = %s""",
            (type_key, default_locale, template_id),
        )


def add_version(template_id: str, new: NewVersion) -> int:
    """Keep the next version of a template whose head is locked; its number."""
    values: list[Any] = [Jsonb(new.channels), Jsonb(new.compiled), Jsonb(new.variables)]
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_template_version (template_id, number, channels, compiled, variables, created_by,
                   created_at, published_by)
               SELECT %s, COALESCE(max(number), 0) + 1, %s, %s, %s, %s, now(), ''
               FROM notify_template_version WHERE template_id = %s RETURNING number""",
            [template_id, *values, new.created_by, template_id],
        )
        return int(cursor.fetchone()[0])


def publish_version(template_id: str, number: int, published_by: str) -> bool:
    """Let new notifications pin this version; False when there is none of that number."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_template_version SET published_at = now(), published_by = %s
               WHERE template_id = %s AND number = %s""",
            (published_by, template_id, number),
        )
        if not cursor.rowcount:
            return False
        cursor.execute(
            "UPDATE notify_template SET published_version = %s, updated_at = now() WHERE template_id = %s",
            (number, template_id),
        )
    return True


def words(template_id: str, number: int | None) -> Words | None:
    """One version; without a number the published one, else the latest."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT v.id, v.number, v.channels::text, v.compiled::text, v.variables::text
               FROM notify_template_version v JOIN notify_template t ON t.template_id = v.template_id
               WHERE v.template_id = %s AND (%s::integer IS NULL OR v.number = %s)
               ORDER BY v.number IS NOT DISTINCT FROM t.published_version DESC, v.number DESC LIMIT 1""",
            (template_id, number, number),
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return Words(
        version_id=row[0],
        number=row[1],
        channels=_wordings(row[2]),
        compiled=_wordings(row[3]),
        variables=_schema(row[4]),
    )


def list_versions(template_id: str) -> list[VersionLine]:
    """A template's versions, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT v.number, v.number IS NOT DISTINCT FROM t.published_version, v.created_by, v.created_at,
                   v.published_at, v.published_by
               FROM notify_template_version v JOIN notify_template t ON t.template_id = v.template_id
               WHERE v.template_id = %s ORDER BY v.number DESC""",
            (template_id,),
        )
        rows = cursor.fetchall()
    return [
        VersionLine(
            number=row[0],
            is_published=row[1],
            created_by=row[2],
            created_at=row[3],
            published_at=row[4],
            published_by=row[5],
        )
        for row in rows
    ]


def list_templates(after: str, limit: int, type_key: str | None) -> list[TemplateLine]:
    """Templates in the order of their ids, from the one behind `after`; of one type, or of all."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT t.template_id, t.type_key, t.default_locale, t.published_version, t.created_at, t.updated_at,
                   v.latest, v.channels
               FROM notify_template t
               LEFT JOIN LATERAL (
                   SELECT w.number AS latest, ARRAY(SELECT jsonb_object_keys(w.channels)) AS channels
                   FROM notify_template_version w WHERE w.template_id = t.template_id
                   ORDER BY w.number DESC LIMIT 1) v ON true
               WHERE t.template_id > %s AND (%s::text IS NULL OR t.type_key = %s)
               ORDER BY t.template_id LIMIT %s""",
            (after, type_key, type_key, limit),
        )
        rows = cursor.fetchall()
    return [
        TemplateLine(
            template_id=row[0],
            type=row[1],
            default_locale=row[2],
            published_version=row[3],
            created_at=row[4],
            updated_at=row[5],
            latest_version=row[6] or 0,
            channels=sorted(row[7] or []),
        )
        for row in rows
    ]


def _head(row: tuple[str, str, str, int | None, datetime, datetime]) -> Head:
    return Head(
        template_id=row[0],
        type_key=row[1],
        default_locale=row[2],
        published_version=row[3],
        created_at=row[4],
        updated_at=row[5],
    )
