"""Questions to the product's database, as cheap as they can be: they are asked while the clock runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, LiteralString, Self

import psycopg

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

    def _one(self, asked: LiteralString, values: tuple[object, ...] = ()) -> Any:
        return self._connection.execute(asked, values).fetchone()


def _bound(since: float) -> object:
    """Ids are made of milliseconds: one of leeway."""
    return first_id(datetime.fromtimestamp(since, UTC) - timedelta(milliseconds=1))
