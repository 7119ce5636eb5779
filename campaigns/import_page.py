"""What both ways of importing share: the first line, and pages of rows that become people, each user id once.

A page is written in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from campaigns.errors import WrongFile
from campaigns.policy import MAX_CSV_BYTES
from campaigns.rules.csv_bytes import Lines
from campaigns.rules.csv_header import Layout, layout_of
from campaigns.rules.csv_rows import Refused, Row
from campaigns.store import imports
from campaigns.store.imports import Done, Job, NewImport
from campaigns.vocabulary import ImportMode
from preferences import allow
from preferences import store as people
from preferences.allow import Spoken
from preferences.errors import UserErased
from preferences.store import topics
from preferences.vocabulary import ConsentActor, ConsentMeans, Origin, RecipientStatus

_NO_STAYS = "marketing_consent: The person is imported, but has said no to marketing; only they can take it back."
_DIGEST_BYTES = 8
#: Lines of a report read at once.
_REPORT_PAGE = 5_000


class _Written(NamedTuple):
    """User ids by what became of them; those in none of these are erased."""

    created: frozenset[str]
    updated: frozenset[str]
    too_long: frozenset[str] = frozenset()


def header_of(lines: Lines, wanted: NewImport) -> Layout:
    """The layout by the file's first line, if what is wanted can be done; raises `WrongFile`."""
    layout = layout_of(next(lines, ""))
    if wanted.topic_key and topics.find_topic(wanted.topic_key) is None:
        raise WrongFile("There is no topic of this key; create it first with PUT /v1/topics/{key}.")
    return layout


def too_large() -> WrongFile:
    """The refusal of a file beyond `MAX_CSV_BYTES`."""
    return WrongFile(f"The file is larger than {MAX_CSV_BYTES // 1024**2:,} MiB. Split it into several.")


def each_once(import_id: int, page: Sequence[Row | Refused]) -> tuple[list[Row], list[Refused]]:
    """The rows whose user id no row before them had, and all that are refused.

    An id is remembered by a digest of 8 bytes in PostgreSQL: a file of millions takes no memory here, and whoever goes
    on after a crash knows what was seen before. Among ten million ids two share a digest by chance once in 300,000
    files; the later of them is refused.
    """
    refused = [one for one in page if isinstance(one, Refused)]
    firsts: dict[int, Row] = {}
    for row in page:
        if isinstance(row, Row):
            first = firsts.setdefault(_digest(import_id, row.user_id), row)
            if first is not row:
                refused.append(_twin(row, first.line))
    seen = imports.note_seen(import_id, [(digest, row.line) for digest, row in firsts.items()]) if firsts else {}
    refused += [_twin(firsts[digest], line) for digest, line in seen.items()]
    return [row for digest, row in firsts.items() if digest not in seen], refused


def write_rows(job: Job, rows: Sequence[Row], refused: Sequence[Refused]) -> Done:
    """Write people, or look what would become of them, in a fixed number of statements."""
    written = _look(rows) if job.dry_run else _write(job, rows)
    left = [_left_out(row, written) for row in rows]
    if job.topic_key and not job.dry_run:
        _subscribe(job, written)
    noted = [] if job.dry_run else _put_consents(job, [row for row, out in zip(rows, left, strict=True) if out is None])
    refused = [*refused, *(one for one in left if one is not None)]
    return Done(len(written.created), len(written.updated), refused, noted)


def report(import_id: int) -> Iterator[Refused]:
    """The rows that were refused, by their lines."""
    after = 0
    while lines := imports.refusals(import_id, after, _REPORT_PAGE):
        yield from lines
        after = lines[-1].line


def first_refusals(import_id: int, count: int) -> list[Refused]:
    """The report's first lines."""
    return imports.refusals(import_id, 0, count)


def _write(job: Job, rows: Sequence[Row]) -> _Written:
    profiles = {row.user_id: row.profile for row in rows}
    if not profiles:
        return _Written(frozenset(), frozenset())
    if job.mode is ImportMode.MERGE:
        return _Written(*people.merge_page(profiles))
    return _Written(*people.upsert(profiles))


def _look(rows: Sequence[Row]) -> _Written:
    known = people.resolve([row.user_id for row in rows])
    created = frozenset(row.user_id for row in rows if row.user_id not in known)
    return _Written(created, frozenset(one for one, ref in known.items() if ref.status is not RecipientStatus.ERASED))


def _subscribe(job: Job, written: _Written) -> None:
    topic_id = topics.topic_id_of(job.topic_key)
    if topic_id is None:
        raise WrongFile(f"The topic {job.topic_key} is gone. Rows up to line {job.line:,} are imported.")
    refs = people.resolve(sorted(written.created | written.updated))
    if refs:
        topics.add_subscribers(topic_id, {ref.id for ref in refs.values()})


def _put_consents(job: Job, rows: Sequence[Row]) -> list[Refused]:
    """What the rows say of marketing goes into the ledger; those of which it is not believed."""
    spoken = {row.user_id: Spoken(*row.consent) for row in rows if row.consent is not None}
    if not spoken:
        return []
    actor_id = "" if job.staff_id is None else str(job.staff_id)
    origin = Origin(means=ConsentMeans.IMPORT, actor=ConsentActor.STAFF, actor_id=actor_id)
    stays = allow.import_marketing(spoken, origin)
    return [Refused(row.line, "marketing_refused", _NO_STAYS) for row in rows if row.user_id in stays]


def _left_out(row: Row, written: _Written) -> Refused | None:
    if row.user_id in written.created or row.user_id in written.updated:
        return None
    if row.user_id in written.too_long:
        return Refused(row.line, "invalid_attributes", "attributes: With those that are there they would be too long.")
    erased = UserErased()
    return Refused(row.line, erased.code, erased.detail)


def _twin(row: Row, first: int) -> Refused:
    return Refused(row.line, "duplicate_user", f"user_id: Line {first:,} has the same; send each once.")


def _digest(import_id: int, user_id: str) -> int:
    """Keyed by the import, so that digests of two files say nothing about each other."""
    digest = blake2b(user_id.encode(), digest_size=_DIGEST_BYTES, key=b"%d" % import_id).digest()
    return int.from_bytes(digest, "big", signed=True)
