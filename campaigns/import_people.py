"""People from a file that was uploaded: sealed piece by piece, written page by page by whichever worker is free.

A page's people, its refusals, the ids it has seen and the place behind it are one transaction: a worker that is killed
leaves whole pages, and the next one goes on behind the last of them.
"""

from __future__ import annotations

import time
from itertools import islice

import structlog
from django.db import transaction
from django.utils import timezone

from campaigns import import_page
from campaigns.errors import WrongFile
from campaigns.policy import (
    CSV_CHUNK_BYTES,
    IMPORT_BUDGET,
    IMPORT_CLEARED,
    IMPORT_KEPT,
    IMPORT_PAGE,
    IMPORT_SILENCE,
    IMPORT_STRIKES,
    MAX_CSV_BYTES,
)
from campaigns.queue import call_importer
from campaigns.rules.csv_bytes import Lines, Scan
from campaigns.rules.csv_header import Layout
from campaigns.rules.csv_rows import read_rows
from campaigns.store import imports
from campaigns.store.imports import Job, NewImport
from campaigns.vocabulary import ImportStatus
from channels.rules.sealing import Unreadable

_log = structlog.get_logger(__name__)
_GONE = "Nothing was heard of it for an hour: its upload broke off, or its process is gone."


class Upload:
    """A file that is coming in: looked through and sealed as it comes, so that it is never in clear on a disk."""

    def __init__(self, wanted: NewImport) -> None:
        """Write the import down; `wanted` may be said anew when the file is here."""
        self.id = imports.create(wanted, ImportStatus.UPLOADING)
        self._scan = Scan()
        self._piece = bytearray()
        self._kept = 0

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; raises `WrongFile`."""
        self._scan.feed(piece)
        if self._scan.size > MAX_CSV_BYTES:
            raise import_page.too_large()
        self._piece += piece
        while len(self._piece) >= CSV_CHUNK_BYTES:
            self._keep(CSV_CHUNK_BYTES)

    def finish(self, wanted: NewImport) -> None:
        """All of it is here: from now on it is imported as `wanted` says; raises `WrongFile`."""
        self._scan.close()
        if self._piece:
            self._keep(len(self._piece))
        lines = Lines(imports.pieces(self.id, 0))
        layout = import_page.header_of(lines, wanted)
        imports.begin(self.id, layout, size=self._scan.size, offset=lines.offset, wanted=wanted)
        call_importer()

    def discard(self, error: str) -> None:
        """It is not imported, unless it has begun; a second word on it changes nothing."""
        imports.end_upload(self.id, error)

    def _keep(self, size: int) -> None:
        imports.put_chunk(self.id, self._kept, bytes(self._piece[:size]))
        del self._piece[:size]
        self._kept += size


def work() -> bool:
    """Write pages until the budget is spent; whether there may be more to do."""
    until = time.monotonic() + IMPORT_BUDGET.total_seconds()
    while time.monotonic() < until:
        if not _next_page():
            return _tidy()
    return True


def cancel(import_id: int) -> bool:
    """Stop an import behind the page that is being written; False: it had ended. What is written stays."""
    return imports.end(import_id, ImportStatus.CANCELLED)


def _next_page() -> bool:
    """Write the next page of an import nobody else works on; False: there is none, or it failed."""
    job = None
    try:
        with transaction.atomic():
            job = imports.lock_next()
            if job is not None and job.layout is not None:
                _import_page(job, job.layout)
    except Exception as error:  # whatever it is, it is this file's: the others go on
        if job is None:
            raise
        _note_failure(job, error)
        return False
    return job is not None


def _import_page(job: Job, layout: Layout) -> None:
    lines = Lines(imports.pieces(job.id, job.offset), offset=job.offset, line=job.line)
    page = list(islice(read_rows(lines, layout, now=timezone.now()), IMPORT_PAGE))
    if not page and lines.offset < job.size:
        raise WrongFile("A piece of the file is missing. Upload it again.")
    rows, refused = import_page.each_once(job.id, page)
    imports.advance(job, import_page.write_rows(job, rows, refused), offset=lines.offset, line=lines.line)
    if lines.offset >= job.size:
        imports.end(job.id, ImportStatus.COMPLETED)


def _note_failure(job: Job, error: Exception) -> None:
    """A wrong file ends at once; anything else gets another chance at the next tick, a few times."""
    _log.warning("import.page_failed", import_id=job.id, line=job.line, error=type(error).__name__)
    if isinstance(error, WrongFile):
        imports.end(job.id, ImportStatus.FAILED, error.detail)
    elif isinstance(error, Unreadable):
        imports.end(job.id, ImportStatus.FAILED, "The file no longer opens: its master key is gone. Upload it again.")
    elif imports.strike(job.id) >= IMPORT_STRIKES:
        what = f"The page behind line {job.line:,} failed {IMPORT_STRIKES} times ({type(error).__name__}); see the log."
        imports.end(job.id, ImportStatus.FAILED, what)


def _tidy() -> bool:
    """End what nobody goes on with, clear what has ended, forget old reports; whether there is more of it."""
    imports.end_silent(IMPORT_SILENCE, _GONE)
    with transaction.atomic():
        cleared = imports.clear(IMPORT_CLEARED)
    return cleared or imports.forget(IMPORT_KEPT, IMPORT_CLEARED) == IMPORT_CLEARED
