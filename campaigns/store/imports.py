"""Imports: files in sealed pieces, how far each is, whom it has seen, and what its report says."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from django.db import connection

from campaigns.conf import KEYRING
from campaigns.policy import MAX_REPORTED
from campaigns.rules.csv_header import Layout
from campaigns.rules.csv_rows import Refused
from campaigns.vocabulary import ImportMode, ImportStatus

_encode = msgspec.json.Encoder().encode
_layout = msgspec.json.Decoder(Layout).decode
#: Level of zlib: rows of people shrink to a third at 100 MB/s; more effort gains little.
_PACKED = 1

_JOB = """SELECT id, status, mode, dry_run, topic_key, layout::text, size, "offset", line, refused + noted, created_by,
    staff_id, strikes FROM campaigns_import"""


class NewImport(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for with a file."""

    file_name: str
    mode: ImportMode
    dry_run: bool
    topic_key: str = ""
    #: The member of staff, or who is at the terminal.
    created_by: str
    staff_id: int | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """An import as whoever goes on with it needs it."""

    id: int
    status: ImportStatus
    mode: ImportMode
    dry_run: bool
    topic_key: str
    #: None: its first line has not been read.
    layout: Layout | None
    size: int
    #: Bytes and physical lines that are done.
    offset: int
    line: int
    #: Lines of its report so far.
    reported: int
    created_by: str
    staff_id: int | None
    strikes: int


class Done(NamedTuple):
    """What one page of rows came to."""

    created: int
    updated: int
    refused: Sequence[Refused]
    #: Rows that were written, of which there is something to say.
    noted: Sequence[Refused]


def create(wanted: NewImport, status: ImportStatus) -> int:
    """Write down an import; its number."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO campaigns_import (file_name, status, mode, dry_run, topic_key, created_by, staff_id, error,
                   size, "offset", line, created, updated, refused, noted, strikes)
               VALUES (%s, %s, %s, %s, %s, %s, %s, '', 0, 0, 0, 0, 0, 0, 0, 0) RETURNING id""",
            (
                wanted.file_name,
                status.value,
                wanted.mode.value,
                wanted.dry_run,
                wanted.topic_key,
                wanted.created_by,
                wanted.staff_id,
            ),
        )
        return int(cursor.fetchone()[0])


def put_chunk(import_id: int, start: int, piece: bytes) -> None:
    """Keep the bytes of a file from `start` on, packed and sealed."""
    sealed = KEYRING.seal_blob(zlib.compress(piece, _PACKED), _place(import_id, start))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_import_chunk (of_id, start, sealed) VALUES (%s, %s, %s)", (import_id, start, sealed)
        )
        cursor.execute("UPDATE campaigns_import SET touched_at = now() WHERE id = %s", (import_id,))


def pieces(import_id: int, offset: int) -> Iterator[bytes]:
    """The bytes of a file from `offset` on, a piece at a time; raises `Unreadable`."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT start, sealed FROM campaigns_import_chunk WHERE of_id = %s AND start <= %s
                   ORDER BY start DESC LIMIT 1""",
                (import_id, offset),
            )
            row = cursor.fetchone()
        piece = b"" if row is None else zlib.decompress(KEYRING.unseal_blob(row[1], _place(import_id, row[0])))
        rest = piece[offset - row[0] :] if row is not None else b""
        if not rest:
            return
        yield rest
        offset += len(rest)


def begin(import_id: int, layout: Layout, *, size: int, offset: int, wanted: NewImport) -> None:
    """Its file is here, and its first line read: from now on its rows are written as `wanted` says."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_import SET status = %s, layout = %s::jsonb, size = %s, "offset" = %s, line = 1,
                   mode = %s, dry_run = %s, topic_key = %s, file_name = %s, touched_at = now()
               WHERE id = %s AND status = ANY(%s)""",
            (
                ImportStatus.RUNNING.value,
                _encode(layout).decode(),
                size,
                offset,
                wanted.mode.value,
                wanted.dry_run,
                wanted.topic_key,
                wanted.file_name,
                import_id,
                [ImportStatus.UPLOADING.value, ImportStatus.RUNNING.value],
            ),
        )


def lock_next() -> Job | None:
    """An import whose file is here and whose next page nobody else has in hand, until the transaction ends."""
    return _job(
        f"{_JOB} i WHERE status = %s AND EXISTS (SELECT FROM campaigns_import_chunk c WHERE c.of_id = i.id)"
        " ORDER BY touched_at LIMIT 1 FOR UPDATE OF i SKIP LOCKED",
        (ImportStatus.RUNNING.value,),
    )


def find(import_id: int) -> Job | None:
    """An import as it stands."""
    return _job(f"{_JOB} WHERE id = %s", (import_id,))


def note_seen(import_id: int, rows: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Remember (digest, line) of a page, each digest once; those seen on an earlier page, with the line of that.

    In the order of the digests, so that the index is written once for each of its pages.
    """
    ordered = sorted(rows)
    digests, lines = [one for one, _ in ordered], [line for _, line in ordered]
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO campaigns_import_seen (of_id, digest, line)
               SELECT %s, digest, line FROM unnest(%b::bigint[], %b::bigint[]) AS new(digest, line)
               ON CONFLICT DO NOTHING""",
            (import_id, digests, lines),
        )
        if cursor.rowcount == len(ordered):
            return {}
        cursor.execute(
            """SELECT s.digest, s.line FROM campaigns_import_seen s
               JOIN unnest(%b::bigint[], %b::bigint[]) AS new(digest, line) ON new.digest = s.digest
               WHERE s.of_id = %s AND s.line <> new.line""",
            (digests, lines, import_id),
        )
        return dict(cursor.fetchall())


def advance(job: Job, done: Done, *, offset: int, line: int) -> None:
    """Count a page and move behind it; belongs into the transaction that writes its people."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_import SET created = created + %s, updated = updated + %s, refused = refused + %s,
                   noted = noted + %s, "offset" = greatest("offset", %s), line = greatest(line, %s), strikes = 0,
                   touched_at = now()
               WHERE id = %s""",
            (done.created, done.updated, len(done.refused), len(done.noted), offset, line, job.id),
        )
        report = [*done.refused, *done.noted] if job.reported < MAX_REPORTED else []
        if report:
            cursor.execute(
                """INSERT INTO campaigns_import_refusal (of_id, line, code, reason)
                   SELECT %s, line, code, reason FROM unnest(%b::bigint[], %b::text[], %b::text[])
                       AS new(line, code, reason)
                   ON CONFLICT DO NOTHING""",
                (job.id, *([one[part] for one in report] for part in range(3))),
            )


def end(import_id: int, status: ImportStatus, error: str = "") -> bool:
    """End an import that is not ended; whether it was so."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_import SET status = %s, error = %s, ended_at = now(), touched_at = now()
               WHERE id = %s AND ended_at IS NULL""",
            (status.value, error, import_id),
        )
        return bool(cursor.rowcount)


def end_upload(import_id: int, error: str) -> None:
    """End an import whose file has not all come in; any other goes on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_import SET status = %s, error = %s, ended_at = now(), touched_at = now()
               WHERE id = %s AND status = %s""",
            (ImportStatus.FAILED.value, error, import_id, ImportStatus.UPLOADING.value),
        )


def strike(import_id: int) -> int:
    """Count a page that failed; how many have in a row."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_import SET strikes = strikes + 1, touched_at = now() WHERE id = %s
               RETURNING strikes""",
            (import_id,),
        )
        return int(cursor.fetchone()[0])


def end_silent(silence: timedelta, error: str) -> int:
    """End uploads and commands of which nothing has been heard for so long; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_import i SET status = %s, error = %s, ended_at = now()
               WHERE ended_at IS NULL AND touched_at < now() - make_interval(secs => %s) AND (status = %s
                   OR NOT EXISTS (SELECT FROM campaigns_import_chunk c WHERE c.of_id = i.id))""",
            (ImportStatus.FAILED.value, error, silence.total_seconds(), ImportStatus.UPLOADING.value),
        )
        return int(cursor.rowcount)


def clear(limit: int) -> bool:
    """Remove pieces and up to `limit` digests of one import that has ended; whether there was one to clear."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id FROM campaigns_import WHERE cleared_at IS NULL AND ended_at IS NOT NULL
               ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"""
        )
        row = cursor.fetchone()
        if row is None:
            return False
        cursor.execute("DELETE FROM campaigns_import_chunk WHERE of_id = %s", row)
        cursor.execute(
            """DELETE FROM campaigns_import_seen WHERE of_id = %s AND digest = ANY(ARRAY(
                   SELECT digest FROM campaigns_import_seen WHERE of_id = %s LIMIT %s))""",
            (*row, *row, limit),
        )
        if cursor.rowcount < limit:
            cursor.execute("UPDATE campaigns_import SET cleared_at = now() WHERE id = %s", row)
        return True


def forget(kept: timedelta, limit: int) -> int:
    """Remove up to `limit` lines of reports that are older than that, and imports without any; how many lines."""
    old = "SELECT id FROM campaigns_import WHERE ended_at < now() - make_interval(secs => %s)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""DELETE FROM campaigns_import_refusal WHERE (of_id, line) IN (
                    SELECT of_id, line FROM campaigns_import_refusal WHERE of_id IN ({old}) LIMIT %s)""",
            (kept.total_seconds(), limit),
        )
        removed = int(cursor.rowcount)
        if removed < limit:
            cursor.execute(
                f"DELETE FROM campaigns_import WHERE id IN ({old}) AND cleared_at IS NOT NULL", (kept.total_seconds(),)
            )
        return removed


def refusals(import_id: int, after: int, limit: int) -> list[Refused]:
    """The report from behind a line on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT line, code, reason FROM campaigns_import_refusal WHERE of_id = %s AND line > %s
               ORDER BY line LIMIT %s""",
            (import_id, after, limit),
        )
        return [Refused(*row) for row in cursor.fetchall()]


def _job(sql: str, arguments: Sequence[Any]) -> Job | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        row = cursor.fetchone()
    if row is None:
        return None
    return Job(
        id=row[0],
        status=ImportStatus(row[1]),
        mode=ImportMode(row[2]),
        dry_run=row[3],
        topic_key=row[4],
        layout=None if row[5] is None else _layout(row[5]),
        size=row[6],
        offset=row[7],
        line=row[8],
        reported=row[9],
        created_by=row[10],
        staff_id=row[11],
        strikes=row[12],
    )


def _place(import_id: int, start: int) -> bytes:
    return b"import_chunk.sealed:%d:%d" % (import_id, start)
