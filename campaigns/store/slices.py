"""Slices: what remains of a run's audience. Written when it is frozen, deleted with the telling."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from campaigns.policy import SLICE_LEASE


class NewSlice(NamedTuple):
    """People who are told together."""

    due_at: datetime
    #: The millisecond with which their notifications' ids begin.
    stamp: int
    recipient_ids: list[int]


class ClaimedSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A slice in this process's hands until its lease ends."""

    id: int
    run_id: UUID
    due_at: datetime
    stamp: int
    recipient_ids: list[int]
    #: The fencing token.
    claims: int
    strikes: int
    claimed_until: datetime


class Remaining(NamedTuple):
    """What is left of a run."""

    people: int
    #: When the first and the last of them are told at the earliest; None: nobody is left.
    next_due_at: datetime | None = None
    last_due_at: datetime | None = None


_NOBODY = Remaining(0)


def insert(run_id: UUID, slices: Sequence[NewSlice]) -> None:
    """Write slices by COPY; belongs into the transaction that moves the run's cursor."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            """COPY campaigns_slice (run_id, due_at, stamp, size, recipient_ids, claims, strikes) FROM STDIN"""
        ) as copy,
    ):
        for one in slices:
            copy.write_row((run_id, one.due_at, one.stamp, len(one.recipient_ids), one.recipient_ids, 0, 0))


def claim(run_id: UUID, now: datetime) -> ClaimedSlice | None:
    """Take the next slice that is due by our own clock, for `SLICE_LEASE`; None: nothing is free."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_slice SET claims = claims + 1, strikes = strikes + 1,
                      claimed_until = now() + make_interval(secs => %s)
               WHERE id = (SELECT id FROM campaigns_slice
                           WHERE run_id = %s AND due_at <= %s AND (claimed_until IS NULL OR claimed_until < now())
                           ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
               RETURNING id, run_id, due_at, stamp, recipient_ids, claims, strikes, claimed_until""",
            (SLICE_LEASE.total_seconds(), run_id, now),
        )
        row = cursor.fetchone()
    return ClaimedSlice(**dict(zip(ClaimedSlice.__struct_fields__, row, strict=True))) if row is not None else None


def finish(slice_: ClaimedSlice, told: int) -> bool:
    """Strike the first `told` people of a slice off, and the slice with the last; False: a later claim has it."""
    whole = told >= len(slice_.recipient_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM campaigns_slice WHERE id = %(id)s AND claims = %(claims)s"
            if whole
            else """UPDATE campaigns_slice SET recipient_ids = recipient_ids[%(told)s + 1:], size = size - %(told)s,
                           claimed_until = NULL, strikes = 0
                    WHERE id = %(id)s AND claims = %(claims)s""",
            {"id": slice_.id, "claims": slice_.claims, "told": told},
        )
        return bool(cursor.rowcount)


def release(slice_: ClaimedSlice) -> None:
    """Give a slice back untouched."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE campaigns_slice SET claimed_until = NULL, strikes = greatest(strikes - 1, 0)
               WHERE id = %s AND claims = %s""",
            (slice_.id, slice_.claims),
        )


def take_apart(slice_: ClaimedSlice) -> None:
    """Replace a slice that ended its workers by slices of one, each with the same beginning of its id."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH gone AS (DELETE FROM campaigns_slice WHERE id = %s AND claims = %s RETURNING *)
               INSERT INTO campaigns_slice (run_id, due_at, stamp, size, recipient_ids, claims, strikes)
               SELECT run_id, due_at, stamp, 1, ARRAY[one], 0, 0 FROM gone, unnest(recipient_ids) AS one""",
            (slice_.id, slice_.claims),
        )


def remaining(run_ids: Sequence[UUID]) -> dict[UUID, Remaining]:
    """What is left of each of these runs; one of which nothing is left is missing. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT run_id, sum(size)::bigint, min(due_at), max(due_at) FROM campaigns_slice
               WHERE run_id = ANY(%s) GROUP BY run_id""",
            (list(run_ids),),
        )
        return {row[0]: Remaining(*row[1:]) for row in cursor.fetchall()}


def left(run_id: UUID) -> Remaining:
    """The same of one run."""
    return remaining([run_id]).get(run_id, _NOBODY)


def drop(run_id: UUID) -> int:
    """Delete what remains of a run that was cancelled, but for what is in hand; answers how many people that were."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH gone AS (DELETE FROM campaigns_slice
                        WHERE run_id = %s AND (claimed_until IS NULL OR claimed_until < now()) RETURNING size)
               SELECT coalesce(sum(size), 0)::bigint FROM gone""",
            (run_id,),
        )
        return int(cursor.fetchone()[0])


def members(campaign_id: UUID) -> tuple[str, dict[str, Any]]:
    """The query for a campaign's own list, of the same shape as those of `preferences.store.audience`."""
    return (
        """SELECT r.id, coalesce(nullif(p.document->>'timezone', ''), nullif(r.timezone, ''), 'UTC') AS zone
             FROM campaigns_member m JOIN preferences_recipient r ON r.id = m.recipient_id
             LEFT JOIN preferences_preference p ON p.recipient_id = r.id
            WHERE m.campaign_id = %(campaign)s AND m.recipient_id > %(after)s AND m.recipient_id <= %(upto)s""",
        {"campaign": campaign_id},
    )
