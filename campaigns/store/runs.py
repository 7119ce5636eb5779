"""Runs: one occurrence of a campaign each, moved along under their row lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from campaigns.policy import COUNT_ENDED_EVERY, COUNTED_FOR, PACE_BURST, SLICE_LEASE
from campaigns.vocabulary import RunStatus


class RunBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One wording of a run: its notifications are one batch of the pipeline."""

    variant: str
    batch_id: UUID
    weight: int = 1


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the people of a run, one word each: the best that any of their deliveries came to."""

    sent: int = 0
    delivered: int = 0
    suppressed: int = 0
    failed: int = 0
    #: Still on their way: planned, being sent or retried.
    open: int = 0
    #: Deferred: to a morning, a digest, or until the campaign goes on.
    waiting: int = 0
    expired: int = 0
    cancelled: int = 0
    complaints: int = 0
    #: Messages by channel and status: deliveries, not people.
    deliveries: dict[str, dict[str, int]] = {}
    #: Why somebody was not told, with how many.
    reasons: dict[str, int] = {}
    #: The same words by variant.
    variants: dict[str, dict[str, int]] = {}


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run; see `models.Run` for what each field means."""

    id: UUID
    campaign_id: UUID
    occurrence: datetime
    status: RunStatus
    batches: list[RunBatch]
    frozen_to: int = 0
    frozen_end: int = 0
    frozen_at: datetime | None = None
    total: int = 0
    #: First millisecond of ids → slices, a millisecond each.
    spans: dict[str, int] = {}
    held_out: int = 0
    next_take_at: datetime | None = None
    counts: Counts = Counts()
    counted_at: datetime | None = None
    count_ms: int = 0
    rate_per_second: float = 0
    #: Subscribers whose inboxes show it by one row; None: everybody is written their own.
    shown_to: int | None = None
    error: str = ""
    resumed_at: datetime | None = None
    judged_from: Counts = Counts()
    started_at: datetime
    ended_at: datetime | None = None


_FIELDS = RunRow.__struct_fields__
#: What columns of JSON hold.
_JSON: dict[str, Any] = {"batches": list[RunBatch], "spans": dict[str, int], "counts": Counts, "judged_from": Counts}
_COLUMNS = ", ".join(_FIELDS)
_READ = ", ".join(f"{name}::text" if name in _JSON else name for name in _FIELDS)


def insert(run: RunRow) -> bool:
    """Write a run; False where this occurrence has one already."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO campaigns_run ({_COLUMNS}) VALUES ({", ".join(["%s"] * len(_FIELDS))})
               ON CONFLICT (campaign_id, occurrence) DO NOTHING""",
            [_value(run, name) for name in _FIELDS],
        )
        return bool(cursor.rowcount)


def get(run_id: UUID) -> RunRow | None:
    """A run, or None."""
    return next(iter(_some("id = %s", [run_id])), None)


def lock(run_id: UUID) -> RunRow | None:
    """A run, held until the transaction ends; None too while somebody else holds it."""
    return next(iter(_some("id = %s FOR NO KEY UPDATE SKIP LOCKED", [run_id])), None)


def under_way(limit: int) -> list[RunRow]:
    """Runs that have not ended, oldest first."""
    return _some("ended_at IS NULL ORDER BY started_at LIMIT %s", [limit])


def watched(now: datetime, limit: int) -> list[RunRow]:
    """Runs to be counted: those under way, or just cancelled and in somebody's hands; now and then those that ended."""
    return _some(
        """ended_at IS NULL
           OR (ended_at > %s AND (counted_at IS NULL OR counted_at < %s OR counted_at < ended_at
               OR (status = 'cancelled'
                   AND (ended_at > %s OR (counts->>'open')::int + (counts->>'waiting')::int > 0))))
           ORDER BY started_at LIMIT %s""",
        [now - COUNTED_FOR, now - COUNT_ENDED_EVERY, now - 2 * SLICE_LEASE, limit],
    )


def are_under_way(campaign_id: UUID) -> bool:
    """Whether a campaign has a run that has not ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM campaigns_run WHERE campaign_id = %s AND ended_at IS NULL)", (campaign_id,)
        )
        return bool(cursor.fetchone()[0])


def of_campaign(campaign_id: UUID, limit: int = 100) -> list[RunRow]:
    """The runs of a campaign, newest first."""
    return _some("campaign_id = %s ORDER BY occurrence DESC LIMIT %s", [campaign_id, limit])


def last_of(campaign_ids: Sequence[UUID]) -> dict[UUID, RunRow]:
    """The newest run of each of these campaigns; who never ran is missing. One query."""
    found = _some(
        """id IN (SELECT one.id FROM unnest(%s::uuid[]) AS asked (id), LATERAL (
               SELECT id FROM campaigns_run WHERE campaign_id = asked.id ORDER BY occurrence DESC LIMIT 1) AS one)""",
        [list(campaign_ids)],
    )
    return {run.campaign_id: run for run in found}


def change(run_id: UUID, fields: Mapping[str, Any]) -> None:
    """Set fields of a run."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_run SET {', '.join(f'{name} = %s' for name in fields)} WHERE id = %s",
            [*(_plain(name, value) for name, value in fields.items()), run_id],
        )


def take(run_id: UUID, wanted: int, rate: float) -> bool:
    """Take `wanted` people from the pace of a running run; False: not yet, or it runs no more.

    The instant of the next moves on by what they take at `rate` people a second; an idle pace saves up little.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_run
               SET next_take_at = greatest(coalesce(next_take_at, now()), now() - make_interval(secs => %(burst)s))
                                  + make_interval(secs => %(wanted)s / %(rate)s::float)
               WHERE id = %(id)s AND status = 'running' AND coalesce(next_take_at, now()) <= now()""",
            {"id": run_id, "wanted": wanted, "rate": rate, "burst": PACE_BURST.total_seconds()},
        )
        return bool(cursor.rowcount)


def may_go(run_id: UUID) -> bool:
    """Whether a run may tell people now: it runs, and neither its pace nor a rest forbids it.

    Not held: a pause does not wait for the slice in hand.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT 1 FROM campaigns_run
               WHERE id = %s AND status = 'running' AND coalesce(next_take_at, now()) <= now()""",
            (run_id,),
        )
        return cursor.fetchone() is not None


def hold_back(run_id: UUID, rest: timedelta) -> None:
    """Let a run rest."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_run SET next_take_at = greatest(next_take_at, now() + make_interval(secs => %s))
               WHERE id = %s AND status = 'running'""",
            (rest.total_seconds(), run_id),
        )


def _some(condition: str, values: Sequence[Any]) -> list[RunRow]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_READ} FROM campaigns_run WHERE {condition}", values)
        return [_row(row) for row in cursor.fetchall()]


def _row(row: Sequence[Any]) -> RunRow:
    values = dict(zip(_FIELDS, row, strict=True))
    for name, shape in _JSON.items():
        values[name] = msgspec.json.decode(values[name], type=shape)
    return msgspec.convert(values, RunRow, builtin_types=(bytes, datetime, UUID), strict=True)


def _value(run: RunRow, name: str) -> Any:
    return _plain(name, getattr(run, name))


def _plain(name: str, value: Any) -> Any:
    return msgspec.json.encode(value).decode() if name in _JSON else value
