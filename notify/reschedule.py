"""What was scheduled by the wall clock keeps to it when a country changes its clocks: instants are worked out anew."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from notify.policy import MAX_SCHEDULE_AHEAD
from notify.rules.ids import ENTROPY, new_ids
from notify.rules.schedule import instant_of_local, zone_data
from notify.store import pages, recording, schedules, types
from notify.vocabulary import EventKind, PageStep
from preferences import store as people
from preferences.rules.quiet import zone_name

log = structlog.get_logger(__name__)

#: Batches looked at in one run; the next goes on.
_AT_ONCE = 1_000


def follow_the_clocks(*, now: datetime) -> int:
    """Move what waits where the zone data of today say another instant; answers how many notifications moved.

    Does nothing until another version of the zone data is installed. A recipient's zone is the one of today.
    """
    data = zone_data()
    moved = 0
    for batch in schedules.outdated(data, now - MAX_SCHEDULE_AHEAD, _AT_ONCE):
        with transaction.atomic():
            moved += _follow(batch, now)
            schedules.worked_out(batch, data)
    if moved:
        log.warning("schedule.moved", notifications=moved, zone_data=data)
    return moved


def _follow(batch: schedules.WallClock, now: datetime) -> int:
    """Put those of a batch whose instant is another one on pages of their own."""
    waiting = schedules.waiting(batch)
    instants = _instants(batch, waiting)
    wrong = {one.id: one for one in waiting if instants[one.id] != one.scheduled_at}
    if not wrong:
        return 0
    # Whoever stands on no page any more is being planned at this moment.
    free = schedules.take_off([*wrong])
    moved = [_moved(batch, wrong[name], instants[name]) for name in sorted(free)]
    schedules.move(moved)
    pages.insert(_pages(batch, moved, now))
    recording.insert_events(
        [
            recording.NewEvent(
                notification_id=one.id,
                delivery_id=None,
                kind=EventKind.SCHEDULED,
                detail={"schedule_at": one.scheduled_at.isoformat(), "why": "zone_data"},
            )
            for one in moved
        ]
    )
    return len(moved)


def _instants(batch: schedules.WallClock, waiting: Sequence[schedules.Waiting]) -> dict[UUID, datetime]:
    local = datetime.fromisoformat(batch.local_time)
    if batch.local_zone != "recipient":
        return dict.fromkeys((one.id for one in waiting), instant_of_local(local, batch.local_zone))
    facts = people.facts_for([one.recipient_id for one in waiting], ()) if waiting else {}
    zones = {name: zone_name(person) for name, person in facts.items()}
    return {one.id: instant_of_local(local, zones.get(one.recipient_id, "UTC")) for one in waiting}


def _moved(batch: schedules.WallClock, one: schedules.Waiting, at: datetime) -> schedules.Moved:
    """With it moves an end that was counted from it; one that the caller named stays."""
    kind = types.type_for(batch.type_key)
    lives = timedelta(seconds=kind.ttl_seconds) if kind is not None and kind.ttl_seconds is not None else None
    is_counted = lives is not None and one.expires_at == one.scheduled_at + lives
    return schedules.Moved(one.id, at, at + lives if is_counted and lives is not None else one.expires_at)


def _pages(batch: schedules.WallClock, moved: Sequence[schedules.Moved], now: datetime) -> list[pages.NewPage]:
    """Pages of the new instants; one that has passed is due at once."""
    by_instant: dict[datetime, list[UUID]] = {}
    for one in moved:
        by_instant.setdefault(one.scheduled_at, []).append(one.id)
    due = [(at, ids) for at, group in by_instant.items() for ids in pages.in_pages(group)]
    names = new_ids(len(due), now=now, entropy=os.urandom(len(due) * ENTROPY))
    return [
        pages.NewPage(
            id=name,
            step=PageStep.PLAN,
            priority=batch.priority,
            channel=None,
            ids=ids,
            trace_id=batch.trace_id,
            due_at=at,
        )
        for name, (at, ids) in zip(names, due, strict=True)
    ]
