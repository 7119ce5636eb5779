"""What a reader of PostgreSQL has seen: the snapshot of its last statement, as `pg_current_snapshot()` writes it.

Ids of transactions are given when they begin and seen when they commit, so the highest id seen says little: a lower one
may still commit. A snapshot says exactly which have.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TEXT = re.compile(r"([0-9]{1,18}):([0-9]{1,18}):((?:[0-9]{1,18}(?:,[0-9]{1,18})*)?)")
#: Transactions that may be open at once, in a text that somebody else has kept for us.
_MOST_OPEN = 10_000


class Snapshot(NamedTuple):
    """Which transactions had committed, or never will."""

    #: Every lower id had ended.
    low: int
    #: No id from here on had begun.
    high: int
    #: Between the two: those that were open.
    under_way: frozenset[int]

    def has_seen(self, transaction_id: int) -> bool:
        """Whether what this transaction wrote was there to be read."""
        return transaction_id < self.low or (transaction_id < self.high and transaction_id not in self.under_way)

    def __str__(self) -> str:
        return f"{self.low}:{self.high}:{','.join(map(str, sorted(self.under_way)))}"


def snapshot_of(text: str) -> Snapshot | None:
    """The snapshot that PostgreSQL wrote so; None: it did not."""
    found = _TEXT.fullmatch(text)
    if found is None or found[3].count(",") >= _MOST_OPEN:
        return None
    return Snapshot(int(found[1]), int(found[2]), frozenset(map(int, filter(None, found[3].split(",")))))
