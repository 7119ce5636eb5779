"""Pages of work: what remains to be done, in rows. The broker only hears of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection
from structlog.contextvars import bind_contextvars

from notify.policy import GRACE, LEASE, MAX_GRACE_DOUBLINGS, PAGE_SIZE
from notify.rules.ids import ENTROPY, new_ids
from notify.store.spans import id_array
from notify.vocabulary import ClaimedPage, PageStep, Priority
from preferences.store import hot_cursor


class NewPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page about to be written. `due_at` None: it is published now, and due when its grace ends."""

    id: UUID
    step: PageStep
    priority: Priority
    channel: str | None
    ids: list[UUID]
    trace_id: str = ""
    due_at: datetime | None = None
    #: Until when whoever writes the page holds it too, as if claimed; None: it waits for a worker.
    claimed_until: datetime | None = None

    def claimed(self) -> ClaimedPage:
        """The page as its writer holds it."""
        assert self.claimed_until is not None
        return ClaimedPage(
            page_id=self.id,
            step=self.step,
            priority=self.priority,
            channel=self.channel,
            ids=self.ids,
            size=len(self.ids),
            claims=1,
            trace_id=self.trace_id,
            claimed_until=self.claimed_until,
        )


class DuePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page the sweeper found waiting."""

    id: UUID
    step: PageStep
    priority: Priority
    channel: str | None
    strikes: int
    size: int
    trace_id: str
    #: Sweeps before this one: 0 means it was scheduled and is now due for the first time.
    sweeps: int


def in_pages(ids: Sequence[UUID]) -> Iterable[list[UUID]]:
    """The ids in lists of at most a page."""
    return (list(ids[at : at + PAGE_SIZE]) for at in range(0, len(ids), PAGE_SIZE))


def insert(pages: Sequence[NewPage]) -> None:
    """Write pages in one statement; belongs into the transaction that writes the rows they name."""
    if not pages:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO notify_page (id, step, priority, channel, ids, trace_id, claimed_until, claims, strikes,
                   due_at) VALUES (%s, %s, %s, %s, %s::uuid[], %s, %s, %s, %s,
                       coalesce(%s::timestamptz, now() + make_interval(secs => %s)))""",
            [
                (
                    p.id,
                    p.step,
                    p.priority,
                    p.channel,
                    id_array(p.ids),
                    p.trace_id,
                    p.claimed_until,
                    int(p.claimed_until is not None),
                    int(p.claimed_until is not None),
                    p.claimed_until or p.due_at,
                    GRACE[p.priority].total_seconds(),
                )
                for p in pages
            ],
        )


#: Ids by what their pages share: step, channel and priority.
Groups = Mapping[tuple[PageStep, str | None, Priority], Sequence[UUID]]


def insert_groups(groups: Groups, *, now: datetime) -> list[NewPage]:
    """Cut groups of ids into pages and write them; answers the pages."""
    cut = [(key, ids) for key, group in groups.items() for ids in in_pages(sorted(group))]
    names = new_ids(len(cut), now=now, entropy=os.urandom(ENTROPY * len(cut)))
    new = [
        NewPage(id=name, step=step, priority=priority, channel=channel, ids=ids)
        for name, ((step, channel, priority), ids) in zip(names, cut, strict=True)
    ]
    insert(new)
    return new


def claim(page_id: UUID, steps: Sequence[PageStep], *, with_ids: bool = True) -> ClaimedPage | None:
    """Take a page for `LEASE`, or None: done already, or in other hands.

    Its ids are read on demand only: five hundred of them cost more than the claim.
    """
    with hot_cursor() as cursor:
        cursor.execute(
            """UPDATE notify_page SET claims = claims + 1, strikes = strikes + 1,
                      claimed_until = now() + make_interval(secs => %(lease)s),
                      due_at = now() + make_interval(secs => %(lease)s)
               WHERE id = %(id)s AND step = ANY(%(steps)s) AND (claimed_until IS NULL OR claimed_until < now())
               RETURNING step, priority, channel, CASE WHEN %(with_ids)s THEN ids END, claims, trace_id, claimed_until,
                         cardinality(ids)""",
            {
                "id": page_id,
                "lease": LEASE.total_seconds(),
                "steps": [str(step) for step in steps],
                "with_ids": with_ids,
            },
        )
        row = cursor.fetchone()
    if row is None:
        return None
    # What is logged from here on belongs to the request that caused the page.
    bind_contextvars(trace_id=row[5])
    return ClaimedPage(
        page_id=page_id,
        step=PageStep(row[0]),
        priority=Priority(row[1]),
        channel=row[2],
        ids=row[3] or [],
        size=row[7],
        claims=row[4],
        trace_id=row[5],
        claimed_until=row[6],
    )


def ids_of(page: ClaimedPage) -> list[UUID]:
    """All ids of a claimed page."""
    if page.ids:
        return page.ids
    with hot_cursor() as cursor:
        cursor.execute("SELECT ids FROM notify_page WHERE id = %s", (page.page_id,))
        row = cursor.fetchone()
    return row[0] if row is not None else []


def hand_over(page: ClaimedPage) -> None:
    """Give a claimed page back for its next step; its worker came through, so its strikes are forgiven."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_page SET claimed_until = NULL, strikes = 0,
                      due_at = now() + make_interval(secs => %s)
               WHERE id = %s AND claims = %s""",
            (GRACE[page.priority].total_seconds(), page.page_id, page.claims),
        )


def finish(page: ClaimedPage) -> bool:
    """Remove a page whose work is done; False when a later claim has taken it over."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notify_page WHERE id = %s AND claims = %s", (page.page_id, page.claims))
        return bool(cursor.rowcount)


def postpone(page: ClaimedPage) -> None:
    """Keep a page of which something is in other hands; it comes back when that lease is over."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_page SET claimed_until = NULL, due_at = now() + make_interval(secs => %s)
               WHERE id = %s AND claims = %s""",
            (LEASE.total_seconds(), page.page_id, page.claims),
        )


def sweep(limit: int) -> list[DuePage]:
    """Pages whose time has come, oldest first, each given a longer grace than before. Safe to run anywhere, twice."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_page SET sweeps = least(sweeps + 1, 1000), due_at = now()
                      + make_interval(secs => CASE priority WHEN 'critical' THEN %s WHEN 'high' THEN %s
                            WHEN 'medium' THEN %s ELSE %s END) * (1 << least(sweeps::integer, %s))
               WHERE id IN (SELECT id FROM notify_page WHERE due_at <= now() ORDER BY due_at LIMIT %s
                            FOR UPDATE SKIP LOCKED)
               RETURNING id, step, priority, channel, strikes, cardinality(ids), trace_id, sweeps - 1""",
            (*(grace.total_seconds() for grace in GRACE.values()), MAX_GRACE_DOUBLINGS, limit),
        )
        rows = cursor.fetchall()
    return [
        DuePage(
            id=row[0],
            step=PageStep(row[1]),
            priority=Priority(row[2]),
            channel=row[3],
            strikes=row[4],
            size=row[5],
            trace_id=row[6],
            sweeps=row[7],
        )
        for row in rows
    ]


def take_apart(page_ids: Sequence[UUID]) -> int:
    """Replace pages by pages of one id each, so that one poisonous member stops harming its neighbours."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH gone AS (DELETE FROM notify_page WHERE id = ANY(%s) RETURNING *)
               INSERT INTO notify_page (id, step, priority, channel, ids, due_at, trace_id)
               SELECT gen_random_uuid(), step, priority, channel, ARRAY[one], now(), trace_id
               FROM gone, unnest(ids) AS one""",
            (list(page_ids),),
        )
        return int(cursor.rowcount)


def take_single(page_ids: Sequence[UUID]) -> list[tuple[PageStep, UUID]]:
    """Remove pages of one id and answer what each held: they are about to be buried."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM notify_page WHERE id = ANY(%s) AND cardinality(ids) = 1 RETURNING step, ids[1]",
            (list(page_ids),),
        )
        return [(PageStep(step), one) for step, one in cursor.fetchall()]
