"""Templates as the pipeline reads them: which version is published, and what a version says. Read-mostly and cached."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import msgspec
from django.db import connection

from notify.rules.rendering import CompiledTemplate, TemplateFlaw
from notify.vocabulary import PinnedVersion

#: Seconds a process may go on with what it knows to be published.
_PUBLISHED_FOR = 1.0
#: Seconds after which a version is looked at again: it never changes, but its template's default language may.
_VERSION_FOR = 60.0
#: Template ids and versions a process remembers at once; a compiled version of three languages takes some 200 KB.
_MOST_PUBLISHED = 5_000
_MOST_VERSIONS = 128

Wordings = dict[str, dict[str, dict[str, str]]]
_wordings = msgspec.json.Decoder(Wordings).decode
_schema = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it is rendered."""

    version_id: int
    template_id: str
    number: int
    type_key: str
    default_locale: str
    compiled: Wordings
    variables: dict[str, dict[str, Any]]


class UnknownVersion(LookupError):
    """No such version: it was deleted under a notification, which cannot be rendered any more."""


_GONE = CompiledTemplate.refused("template_gone", "this version of the template no longer exists")


class _Known:
    """What this process remembers, each with the instant until which it holds."""

    published: dict[str, tuple[float, PinnedVersion | None]] = {}
    #: In the order of their last use.
    versions: dict[int, tuple[float, VersionRow, CompiledTemplate]] = {}


def published(template_id: str) -> PinnedVersion | None:
    """The published version of a template, at most a second old; None when there is none."""
    now = time.monotonic()
    until, pinned = _Known.published.get(template_id, (0.0, None))
    if until <= now:
        pinned = _read_published(template_id)
        if len(_Known.published) >= _MOST_PUBLISHED:
            _Known.published.clear()
        _Known.published[template_id] = (now + _PUBLISHED_FOR, pinned)
    return pinned


def version(version_id: int) -> VersionRow:
    """One version; raises `UnknownVersion`."""
    found = _remembered((version_id,))
    if version_id not in found:
        raise UnknownVersion(version_id)
    return found[version_id][0]


def versions_by_ids(version_ids: Collection[int]) -> dict[int, VersionRow]:
    """The versions of these ids that exist; one query, or none."""
    return {at: row for at, (row, _) in _remembered(version_ids).items()}


def compiled(version_id: int) -> CompiledTemplate:
    """A version ready to render, compiled once per process."""
    return compiled_versions((version_id,))[version_id]


def compiled_versions(version_ids: Collection[int]) -> dict[int, CompiledTemplate]:
    """Versions ready to render, each compiled once per process; one query, or none.

    One that is gone, or that today's rules refuse, fails in `render` and not here: its neighbours go on.
    """
    found = _remembered(version_ids)
    return {at: found[at][1] if at in found else _GONE for at in version_ids}


def forget_templates() -> None:
    """Let this process read templates anew: after a change, and between tests."""
    _Known.published.clear()
    _Known.versions.clear()


def forget_published() -> None:
    """Let this process look again at what is published."""
    _Known.published.clear()


def _remembered(version_ids: Collection[int]) -> dict[int, tuple[VersionRow, CompiledTemplate]]:
    """What there is of these versions, each then the last one to be forgotten."""
    now = time.monotonic()
    entries = {at: entry for at in version_ids if (entry := _Known.versions.get(at)) is not None and entry[0] > now}
    unknown = [at for at in version_ids if at not in entries]
    if unknown:
        rows = _read_versions(unknown)
        entries.update((row.version_id, (now + _VERSION_FOR, row, _compile(row))) for row in rows)
    for at, entry in entries.items():
        _Known.versions.pop(at, None)
        _Known.versions[at] = entry
    while len(_Known.versions) > _MOST_VERSIONS:
        del _Known.versions[next(iter(_Known.versions))]
    return {at: (row, template) for at, (_, row, template) in entries.items()}


def _compile(row: VersionRow) -> CompiledTemplate:
    """The compiled form; the one this process has, where nothing it depends on changed."""
    entry = _Known.versions.get(row.version_id)
    if entry is not None and entry[1] == row:
        return entry[2]
    try:
        return CompiledTemplate.of(row.compiled, row.variables, row.default_locale)
    except TemplateFlaw as flaw:
        return CompiledTemplate.refused(flaw.code, "today's rules refuse this version; publish a corrected one")


def _read_published(template_id: str) -> PinnedVersion | None:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT v.id, t.template_id, v.number, t.type_key, t.default_locale, v.variables::text
               FROM notify_template t
               JOIN notify_template_version v ON v.template_id = t.template_id AND v.number = t.published_version
               WHERE t.template_id = %s""",
            (template_id,),
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return PinnedVersion(
        version_id=row[0],
        template_id=row[1],
        number=row[2],
        type_key=row[3],
        default_locale=row[4],
        variables=_schema(row[5]),
    )


def _read_versions(version_ids: Collection[int]) -> list[VersionRow]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT v.id, t.template_id, v.number, t.type_key, t.default_locale, v.compiled::text, v.variables::text
               FROM notify_template_version v JOIN notify_template t ON t.template_id = v.template_id
               WHERE v.id = ANY(%s)""",
            (list(version_ids),),
        )
        rows = cursor.fetchall()
    return [
        VersionRow(
            version_id=row[0],
            template_id=row[1],
            number=row[2],
            type_key=row[3],
            default_locale=row[4],
            compiled=_wordings(row[5]),
            variables=_schema(row[6]),
        )
        for row in rows
    ]
