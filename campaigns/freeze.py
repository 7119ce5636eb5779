"""An audience becomes slices: who is told is fixed at the start, and read once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec
import structlog
from django.db import transaction
from django.utils import timezone

from campaigns.audience import members_of
from campaigns.policy import FREEZE_WINDOW, SLICE_SIZE, TASK_BUDGET
from campaigns.rules.dealing import is_held_out
from campaigns.rules.occurrences import day_of, local_instant
from campaigns.store import audiences, campaigns, runs, slices
from campaigns.store.campaigns import CampaignRow
from campaigns.store.runs import RunRow
from campaigns.store.slices import NewSlice
from campaigns.vocabulary import Act, CampaignStatus, RunStatus
from channels.errors import Refusal
from notify import metrics

log = structlog.get_logger(__name__)


class _Cut(msgspec.Struct, frozen=True):
    """A window of the audience, cut into slices."""

    slices: list[NewSlice]
    #: The run's spans with those of these slices.
    spans: dict[str, int]
    held_out: int


def freeze(run_id: UUID) -> None:
    """Read on where the run's audience was left, for a few seconds; slices and cursor are one transaction."""
    until = time.monotonic() + TASK_BUDGET.total_seconds()
    while time.monotonic() < until and _freeze_window(run_id):
        pass


def _freeze_window(run_id: UUID) -> bool:
    """Read one window; False: there is no more to read, or somebody else is reading."""
    try:
        with transaction.atomic():
            run = runs.lock(run_id)
            if run is None or run.frozen_at is not None or run.status is not RunStatus.RUNNING:
                return False
            campaign = campaigns.get(run.campaign_id)
            assert campaign is not None
            upto = min(run.frozen_to + FREEZE_WINDOW, run.frozen_end)
            cut = _cut(campaign, run, _window(campaign, run, upto))
            slices.insert(run.id, cut.slices)
            told = sum(len(one.recipient_ids) for one in cut.slices)
            is_last = upto >= run.frozen_end
            runs.change(
                run.id,
                {
                    "frozen_to": upto,
                    "frozen_at": timezone.now() if is_last else None,
                    "total": run.total + told,
                    "held_out": run.held_out + cut.held_out,
                    "spans": cut.spans,
                },
            )
            if is_last:
                metrics.event_accepted(run.total + told)
            return not is_last
    except Refusal as fault:
        _fail(run_id, fault)
        return False


def _window(campaign: CampaignRow, run: RunRow, upto: int) -> list[tuple[int, str]]:
    """Who of the audience is next; relative dates of a segment are as seen from the run's start."""
    members = members_of(campaign.audience, campaign.id, run.started_at, with_zone=bool(campaign.local_time))
    return [] if members is None else audiences.window(*members, after=run.frozen_to, upto=upto)


def _cut(campaign: CampaignRow, run: RunRow, people: Sequence[tuple[int, str]]) -> _Cut:
    """Slices of the people who are told, those of one instant together."""
    kept = people
    if campaign.holdout_percent:
        kept = [one for one in people if not is_held_out(campaign.id, campaign.holdout_percent, one[0])]
    spans = dict(run.spans)
    cut: list[NewSlice] = []
    for due_at, ids in _by_instant(campaign, run, kept).items():
        first = str(int(due_at.timestamp() * 1000))
        for at in range(0, len(ids), SLICE_SIZE):
            number = spans.get(first, 0)
            spans[first] = number + 1
            cut.append(NewSlice(due_at, int(first) + number, ids[at : at + SLICE_SIZE]))
    return _Cut(cut, spans, len(people) - len(kept))


def _by_instant(campaign: CampaignRow, run: RunRow, people: Sequence[tuple[int, str]]) -> Mapping[datetime, list[int]]:
    """The people by the instant they are told at: the run's start, or their own hour."""
    if not campaign.local_time:
        return {run.started_at: [recipient_id for recipient_id, _ in people]}
    day = day_of(campaign, run.occurrence)
    instants: dict[str, datetime] = {}
    found: dict[datetime, list[int]] = {}
    for recipient_id, zone in people:
        if zone not in instants:
            instants[zone] = _hour(campaign, run, day, zone)
        found.setdefault(instants[zone], []).append(recipient_id)
    return found


def _hour(campaign: CampaignRow, run: RunRow, day: date, zone: str) -> datetime:
    return local_instant(day, campaign.local_time, zone, not_before=run.started_at)


def _fail(run_id: UUID, fault: Refusal) -> None:
    """End a run whose audience cannot be read: nobody else is told, and people learn why.

    As everywhere the campaign is held before its run. What was paused or cancelled meanwhile stays so; where somebody
    else holds the run, the next tick comes back.
    """
    found = runs.get(run_id)
    assert found is not None
    with transaction.atomic():
        campaign = campaigns.lock(found.campaign_id)
        run = runs.lock(run_id)
        if campaign is None or run is None or run.status is not RunStatus.RUNNING:
            return
        failed, why = CampaignStatus.FAILED, fault.detail
        runs.change(run_id, {"status": RunStatus.FAILED, "error": why, "ended_at": timezone.now()})
        slices.drop(run_id)
        campaigns.move(campaign.id, {"status": failed, "error": why, "next_at": None})
        campaigns.note(campaign.id, Act.FAIL, actor="", before=campaign.status, after=failed, note=why)
    log.error("campaign.failed", run=str(run_id), why=why)
