"""Batches that were stopped: held until they are let go, or cancelled. A handful of rows, asked for at every claim."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connection

from notify.vocabulary import Halt

#: Seconds a process may go on with what it read: a pause holds everywhere within this.
_KNOWN_FOR = 0.5


class _Known:
    """What this process remembers, and until when (of `time.monotonic`)."""

    halts: tuple[float, Mapping[UUID, Halt]] | None = None


def halts() -> Mapping[UUID, Halt]:
    """Every stopped batch, at most half a second old; one query, or none."""
    known = _Known.halts
    if known is None or known[0] <= time.monotonic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT batch_id, halt FROM notify_halt")
            found = {row[0]: Halt(row[1]) for row in cursor.fetchall()}
        known = _Known.halts = (time.monotonic() + _KNOWN_FOR, found)
    return known[1]


def halt(batch_ids: Sequence[UUID], how: Halt) -> None:
    """Stop batches: what of them is not with a provider yet is held, or cancelled."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_halt (batch_id, halt, since) SELECT unnest(%s::uuid[]), %s, now()
               ON CONFLICT (batch_id) DO UPDATE SET halt = excluded.halt, since = now()""",
            (list(batch_ids), how),
        )
    forget()


def lift(batch_ids: Sequence[UUID]) -> None:
    """Let batches go on, or forget those of which nothing is left to stop."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notify_halt WHERE batch_id = ANY(%s)", (list(batch_ids),))
    forget()


def forget() -> None:
    """Let this process read anew: after a change, and between tests."""
    _Known.halts = None
