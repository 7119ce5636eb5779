"""People from a file on this machine, as fast as two cores allow: one reads and checks, two seal and write."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from campaigns import import_page
from campaigns.errors import WrongFile
from campaigns.policy import COMMAND_PAGE, COMMAND_WRITERS, CSV_CHUNK_BYTES, IMPORT_CLEARED, MAX_CSV_BYTES
from campaigns.rules.csv_bytes import Lines, Scan
from campaigns.rules.csv_rows import Refused, Row, read_rows
from campaigns.store import imports
from campaigns.store.imports import Done, Job, NewImport
from campaigns.vocabulary import ImportStatus

#: New objects after which Python looks for cycles: a few pages of rows.
_COLLECTED_AT = 200_000


class Tally(NamedTuple):
    """How far an import is, and what it came to so far."""

    import_id: int
    #: Bytes of the file that are done.
    offset: int
    created: int = 0
    updated: int = 0
    refused: int = 0
    noted: int = 0

    def after(self, done: Done, offset: int) -> Tally:
        """The same, one page further."""
        return Tally(
            self.import_id,
            offset,
            self.created + done.created,
            self.updated + done.updated,
            self.refused + len(done.refused),
            self.noted + len(done.noted),
        )


class _Page(NamedTuple):
    """Rows on their way."""

    done: Future[Done]
    #: Bytes of the file up to behind them.
    offset: int


def import_file(path: Path, wanted: NewImport, tell: Callable[[Tally], None]) -> Tally:
    """Import a file as `wanted` says; raises `WrongFile` before anything is written, and `OSError`.

    What breaks it off leaves whole pages. To run it again is harmless: those people are written as they are.
    """
    if path.stat().st_size > MAX_CSV_BYTES:
        raise import_page.too_large()
    _look_through(path)
    with path.open("rb") as file:
        lines = Lines(_pieces(file))
        layout = import_page.header_of(lines, wanted)
        import_id = imports.create(wanted, ImportStatus.RUNNING)
        imports.begin(import_id, layout, size=path.stat().st_size, offset=lines.offset, wanted=wanted)
        try:
            with _seldom_collecting():
                done = _write_all(import_id, lines, tell)
        except KeyboardInterrupt:
            imports.end(import_id, ImportStatus.CANCELLED)
            raise
        except Exception as error:  # whatever it is, the import has ended with it
            imports.end(import_id, ImportStatus.FAILED, _why(error))
            raise
        finally:
            _clear()
    return done


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Rows by the thousand hold no cycles; to look for some at the usual pace takes a seventh of the time."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AT, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _why(error: Exception) -> str:
    return error.detail if isinstance(error, WrongFile) else f"It broke off ({type(error).__name__})."


def _look_through(path: Path) -> None:
    scan = Scan()
    with path.open("rb") as file:
        for piece in _pieces(file):
            scan.feed(piece)
    scan.close()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(file.read, CSV_CHUNK_BYTES), b"")


def _write_all(import_id: int, lines: Lines, tell: Callable[[Tally], None]) -> Tally:
    """Read and check in this thread while two others wait for PostgreSQL; a few pages are in memory at a time."""
    job = imports.find(import_id)
    assert job is not None
    assert job.layout is not None
    rows = read_rows(lines, job.layout, now=timezone.now())
    tally = Tally(job.id, lines.offset)
    waiting: deque[_Page] = deque()
    with ThreadPoolExecutor(COMMAND_WRITERS) as writers:
        while page := list(islice(rows, COMMAND_PAGE)):
            once, refused = import_page.each_once(job.id, page)
            place = msgspec.structs.replace(
                job, offset=lines.offset, line=lines.line, reported=tally.refused + tally.noted
            )
            waiting.append(_Page(writers.submit(_write, place, once, refused), lines.offset))
            if len(waiting) > COMMAND_WRITERS:
                tally = _settled(waiting.popleft(), tally, tell)
        while waiting:
            tally = _settled(waiting.popleft(), tally, tell)
    imports.end(job.id, ImportStatus.COMPLETED)
    return tally


def _write(job: Job, rows: list[Row], refused: list[Refused]) -> Done:
    """Write a page over a connection of this thread's own, which nobody else would close."""
    try:
        with transaction.atomic():
            done = import_page.write_rows(job, rows, refused)
            imports.advance(job, done, offset=job.offset, line=job.line)
            return done
    finally:
        connection.close()


def _settled(page: _Page, tally: Tally, tell: Callable[[Tally], None]) -> Tally:
    tally = tally.after(page.done.result(), page.offset)
    tell(tally)
    return tally


def _clear() -> None:
    """Remove the digests at once: there may be no worker that does."""
    more = True
    while more:
        with transaction.atomic():
            more = imports.clear(IMPORT_CLEARED)
