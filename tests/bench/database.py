"""Questions to the product's database, as cheap as they can be: they are asked while the clock runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, LiteralString, Self

import psycopg
from psycopg import sql

from notify.rules.ids import first_id

#: Seconds between two looks; a look reads a few hundred rows.
_LOOK_EVERY = 0.1
#: Seconds without any progress after which a run has failed.
_PATIENCE = 90.0


class Database:
    """A context around one connection."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, application_name="bench")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def open_work(self) -> int:
        """Notifications and deliveries on pages that wait or are worked on; what is scheduled for later is not."""
        asked = "SELECT coalesce(sum(cardinality(ids)), 0) FROM notify_page WHERE due_at < now() + interval '1 hour'"
        return int(self._one(asked)[0])

    def outcomes(self, since: float) -> dict[str, int]:
        """Deliveries by status that were planned since an instant."""
        rows = self._connection.execute(
            "SELECT status, count(*) FROM notify_delivery WHERE id >= %s GROUP BY status", (_bound(since),)
        )
        return dict(rows.fetchall())

    def last_sent(self, since: float, priority: str) -> float:
        """When the last delivery of a priority was accepted, in epoch seconds."""
        row = self._one(
            "SELECT extract(epoch FROM max(sent_at)) FROM notify_delivery WHERE id >= %s AND priority = %s",
            (_bound(since), priority),
        )
        return float(row[0] or 0.0)

    def wait_until_idle(self) -> float:
        """Wait until no work is open; the instant at which that was seen."""
        pause, best, patience_ends = Event(), None, 0.0
        while (left := self.open_work()) > 0:
            if best is None or left < best:
                best, patience_ends = left, time.monotonic() + _PATIENCE
            if time.monotonic() > patience_ends:
                raise SystemExit(f"bench: {left} notifications made no progress for {_PATIENCE:.0f} s")
            pause.wait(_LOOK_EVERY)
        return time.time()

    def open_campaigns(self) -> int:
        """What is left of campaigns: not launched, ids not looked at, people not told; and all other open work."""
        asked = """SELECT (SELECT count(*) FROM campaigns_campaign WHERE next_at IS NOT NULL AND status = 'running')
            + (SELECT coalesce(sum(1 + frozen_end - frozen_to), 0) FROM campaigns_run
               WHERE frozen_at IS NULL AND status = 'running')
            + (SELECT coalesce(sum(size), 0) FROM campaigns_slice)"""
        return int(self._one(asked)[0]) + self.open_work()

    def wait_until_told(self) -> None:
        """Wait until campaigns have told everybody."""
        pause, last, patience_ends = Event(), -1, 0.0
        while (left := self.open_campaigns()) > 0:
            if left != last:
                last, patience_ends = left, time.monotonic() + _PATIENCE
            if time.monotonic() > patience_ends:
                raise SystemExit(f"bench: a campaign made no progress for {_PATIENCE:.0f} s, with {left} left")
            pause.wait(_LOOK_EVERY)

    def held(self, table: str) -> tuple[int, int, int]:
        """Rows, bytes of the table with its long values, and bytes of its indexes; all partitions together."""
        asked = (
            "SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid))"
            " FROM (SELECT relid FROM pg_partition_tree(%s) UNION SELECT %s::regclass) AS parts"
        )
        heap, indexes = self._one(asked, (table, table))
        rows = self._connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        return int(rows[0]) if rows else 0, int(heap), int(indexes)

    def wal_position(self) -> int:
        """Bytes of the write-ahead log since the server was made."""
        return int(self._one("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")[0])

    def _one(self, asked: LiteralString, values: tuple[object, ...] = ()) -> Any:
        return self._connection.execute(asked, values).fetchone()


def _bound(since: float) -> object:
    """Ids are made of milliseconds: one of leeway."""
    return first_id(datetime.fromtimestamp(since, UTC) - timedelta(milliseconds=1))
