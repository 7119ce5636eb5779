"""A slice of people is told: sent, written down and struck off, the last two in one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog
from django.db import transaction
from django.utils import timezone

from campaigns import conf, pace
from campaigns.policy import MAX_STRIKES, REFUSED_REST, RUNS_AT_ONCE, TASK_BUDGET
from campaigns.rules.dealing import variant_of
from campaigns.rules.pace import portion
from campaigns.store import campaigns, runs, slices
from campaigns.store.campaigns import CampaignRow
from campaigns.store.runs import RunRow
from campaigns.store.slices import ClaimedSlice
from campaigns.vocabulary import RunStatus
from notify import tell
from notify.rules.ids import derived_ids
from notify.store import planning, types
from notify.store.backlog import pages_ahead
from notify.store.planning import BatchRow, PendingNotification
from notify.vocabulary import NotificationStatus, TypeRow

log = structlog.get_logger(__name__)


class _Work(msgspec.Struct, frozen=True):
    """What holds for every slice of a run."""

    campaign: CampaignRow
    run: RunRow
    kind: TypeRow
    batches: dict[UUID, BatchRow]


def fan_out(run_id: UUID) -> Iterator[int]:
    """Tell slices of a run for a few seconds; how many people each was, once it is on record.

    Ends when nothing is free or due, the pace or what is on its way already forbids more, the providers do not take
    it, or the run stands still; a tick calls again.
    """
    until = time.monotonic() + TASK_BUDGET.total_seconds()
    work = _work(run_id)
    while work is not None and time.monotonic() < until:
        if pages_ahead(work.campaign.priority) >= conf.PAGES_AHEAD or not runs.may_go(run_id):
            return
        told = _tell_next(work)
        if told is None:
            return
        yield told


def _work(run_id: UUID) -> _Work | None:
    run = runs.get(run_id)
    campaign = campaigns.get(run.campaign_id) if run is not None else None
    kind = types.type_for(campaign.type_key) if campaign is not None else None
    if run is None or campaign is None or kind is None:
        return None
    return _Work(campaign, run, kind, planning.batches([one.batch_id for one in run.batches]))


def _tell_next(work: _Work) -> int | None:
    """Tell the next slice, or as much of it as the pace allows; None: nothing for now."""
    claimed = slices.claim(work.run.id, timezone.now())
    if claimed is None:
        return None
    if claimed.strikes > MAX_STRIKES:
        return _spare(claimed)
    rate = _rate(work)
    wanted = portion(len(claimed.recipient_ids), rate)
    if rate is not None and not runs.take(work.run.id, wanted, rate):
        slices.release(claimed)
        return None
    return _tell(work, claimed, wanted)


def _tell(work: _Work, claimed: ClaimedSlice, wanted: int) -> int | None:
    """Tell the first `wanted` people and write it down; None: the slice is in other hands."""
    told = tell.send_share(_share(work, claimed, wanted, timezone.now()))
    with transaction.atomic():
        if not slices.finish(claimed, wanted):
            # Only who was asleep for longer than the lease comes here: somebody else has told these people.
            log.error("slice.lost", run=str(work.run.id), people=wanted)
            return None
        tell.write(told)
    tell.conclude(told)
    if told.is_refused:
        runs.hold_back(work.run.id, REFUSED_REST)
    return wanted


def _share(work: _Work, claimed: ClaimedSlice, wanted: int, now: datetime) -> tell.Share:
    people = claimed.recipient_ids[:wanted]
    run, kind = work.run, work.kind
    weights = [one.weight for one in run.batches]
    expires_at = now + timedelta(seconds=kind.ttl_seconds) if kind.ttl_seconds else None
    return tell.Share(
        told=[
            PendingNotification(
                id=name,
                batch_id=run.batches[variant_of(run.campaign_id, weights, recipient_id)].batch_id,
                recipient_id=recipient_id,
                type_key=kind.key,
                priority=work.campaign.priority,
                status=NotificationStatus.ACCEPTED,
                channels=None,
                expires_at=expires_at,
                sealed=b"",
            )
            for name, recipient_id in zip(derived_ids(run.id, people, claimed.stamp), people, strict=True)
        ],
        batches=work.batches,
        priority=work.campaign.priority,
        trace_id=run.id.hex,
        created_at=now,
    )


def _rate(work: _Work) -> float | None:
    running = sum(run.status is RunStatus.RUNNING for run in runs.under_way(RUNS_AT_ONCE)) if conf.RATE else 1
    left = slices.left(work.run.id).people if work.campaign.window_hours else 0
    return pace.rate(work.campaign, work.run, left=left, running=running, now=timezone.now())


def _spare(claimed: ClaimedSlice) -> int:
    """A slice that ended three workers is told one by one; who does so alone is given up, and counted as missing."""
    if len(claimed.recipient_ids) > 1:
        slices.take_apart(claimed)
        log.warning("slice.taken_apart", run=str(claimed.run_id), people=len(claimed.recipient_ids))
    else:
        slices.finish(claimed, 1)
        log.error("slice.given_up", run=str(claimed.run_id), recipient=claimed.recipient_ids[0])
    return 0
