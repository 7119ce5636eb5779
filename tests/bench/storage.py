"""What a notification leaves in PostgreSQL: bytes and rows of each table, and of the write-ahead log.

docs/capacity.md is computed from it. Sizes are those of the files: free space inside them is counted too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from tests.bench.database import Database
from tests.bench.results import StorageResult, TableSize

#: Every table that grows with what is sent.
TABLES = (
    "notify_batch",
    "notify_notification",
    "notify_delivery",
    "notify_attempt",
    "notify_event",
    "notify_idempotency_key",
)
#: Every table that grows with who is told.
PEOPLE = (
    "preferences_recipient",
    "preferences_contact_point",
    "preferences_device",
    "preferences_preference",
)


@dataclass(frozen=True)
class Held:
    """Bytes and rows at one moment."""

    rows: int
    heap: int
    indexes: int


_NOTHING = Held(rows=0, heap=0, indexes=0)


class Storage:
    """A context: what was written inside it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Self:
        self._people = self._held(PEOPLE)
        self._before, self._wal = self._held(TABLES), self._database.wal_position()
        return self

    def __exit__(self, *_: object) -> None:
        self._after, self._wal = self._held(TABLES), self._database.wal_position() - self._wal

    def each(self, notifications: int) -> StorageResult:
        """What one of so many notifications left."""
        grown = {name: _grown(self._before[name], self._after[name], notifications) for name in TABLES}
        tables = {name: size for name, size in grown.items() if size.rows > 0}
        people = {name: _grown(_NOTHING, held, held.rows) for name, held in self._people.items() if held.rows > 0}
        return StorageResult(
            notifications=notifications,
            tables=tables,
            heap_bytes=_total(size.heap_bytes for size in tables.values()),
            index_bytes=_total(size.index_bytes for size in tables.values()),
            wal_bytes=self._wal / notifications,
            people=people,
        )

    def _held(self, tables: Sequence[str]) -> dict[str, Held]:
        return {name: Held(*self._database.held(name)) for name in tables}


def _grown(before: Held, after: Held, number: int) -> TableSize:
    """What one of so many took."""
    return TableSize(
        rows=(after.rows - before.rows) / number,
        heap_bytes=(after.heap - before.heap) / number,
        index_bytes=(after.indexes - before.indexes) / number,
    )


def _total(values: Iterable[float]) -> float:
    return sum(values)
