"""What became of a campaign: its state, its numbers, and who was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from campaigns import conf
from campaigns.errors import UnknownCampaign, UnknownFanout, UnknownRun
from campaigns.rules.access import Party, may_see
from campaigns.rules.progress import Limits, Warned, eta_seconds, processed, warnings
from campaigns.rules.transitions import acts_in
from campaigns.store import campaigns, runs, slices
from campaigns.store.campaigns import CampaignRow, DoingRow, Variant
from campaigns.store.runs import Counts, RunRow
from campaigns.store.slices import Remaining
from campaigns.vocabulary import Act, CampaignKind, CampaignStatus, RunStatus
from notify.store import told
from notify.vocabulary import NotificationStatus
from preferences import store as people

_LIMITS = Limits(errors=conf.ERRORS_PAUSE, complaints=conf.COMPLAINTS_PAUSE)


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is, in people. Each has one word: the best that any of their deliveries came to."""

    #: Who is told in all; while the audience is still being read (`frozen` is false), as far as it is known.
    total_recipients: int = 0
    frozen: bool = False
    #: Told, or refused with a reason.
    processed: int = 0
    #: Handed over to a provider, whatever came after; `delivered` are among them.
    sent: int = 0
    delivered: int = 0
    suppressed: int = 0
    failed: int = 0
    #: On their way; and waiting for a morning, a digest, or until the campaign goes on.
    open: int = 0
    waiting: int = 0
    expired: int = 0
    cancelled: int = 0
    #: Left out as a control group, and not among the others.
    held_out: int = 0
    complaints: int = 0
    rate_per_second: float = 0
    #: Until the last is told; null: nobody can say.
    eta_seconds: int | None = None
    #: When these were counted; null: not yet.
    counted_at: datetime | None = None


class RunView(Numbers, frozen=True, kw_only=True):
    """One occurrence."""

    id: UUID
    #: The instant it was due.
    occurrence: datetime
    status: RunStatus
    error: str
    started_at: datetime
    ended_at: datetime | None


class CampaignView(Numbers, frozen=True, kw_only=True):
    """A campaign as it is written, where it stands, and the numbers of its newest run."""

    id: UUID
    #: The same, as bulk sends and filters call it.
    campaign_id: UUID
    kind: CampaignKind
    name: str
    status: CampaignStatus
    pause_reason: str | None
    error: str
    #: What may be done to it now.
    acts: list[Act]
    type: str
    template_id: str | None
    priority: str
    test: bool
    channels: list[str] | None
    #: A segment, a topic, or how many people are on its list.
    audience: dict[str, Any]
    throttle: dict[str, float | None]
    schedule_at: datetime | None
    local_time: str | None
    timezone: str
    recurrence: dict[str, str] | None
    variants: list[Variant]
    holdout_percent: float
    #: How many people the audience had when it was last counted.
    estimated_recipients: int | None
    #: When it is launched (again) by itself.
    next_at: datetime | None
    created_by: str
    submitted_by: str | None
    approved_by: str | None
    created_at: datetime
    updated_at: datetime
    run_id: UUID | None
    started_at: datetime | None
    ended_at: datetime | None
    warnings: list[Warned]


class CampaignDetail(CampaignView, frozen=True, kw_only=True):
    """The same with its log."""

    log: list[DoingRow]


class FanoutView(Numbers, frozen=True, kw_only=True):
    """A fan-out and how far it is."""

    fanout_id: UUID
    status: CampaignStatus
    source_user_id: str | None
    topic: str
    type: str
    template_id: str | None
    error: str
    created_at: datetime
    completed_at: datetime | None


class Holdout(msgspec.Struct, frozen=True):
    """The control group that is told nothing."""

    percent: float
    people: int


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a run, in every way it is counted."""

    campaign_id: UUID
    run: RunView | None
    #: Deliveries, which are messages and not people: by channel and status.
    channels: dict[str, dict[str, int]]
    #: Deliveries by status.
    statuses: dict[str, int]
    #: Deliveries by the reason for which they ended.
    reasons: dict[str, int]
    #: People by variant and word.
    variants: dict[str, dict[str, int]]
    holdout: Holdout
    #: Its occurrences, newest first.
    runs: list[RunView]


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """One person of a run."""

    notification_id: UUID
    user_id: str
    #: Empty where there is one wording.
    variant: str
    status: NotificationStatus
    #: Why nothing arrived on a channel.
    reasons: list[str]


class ReachedPage(msgspec.Struct, frozen=True):
    """People of a run, and where to go on."""

    rows: list[Reached]
    stopped_at: UUID | None


def visible(campaign_id: UUID, party: Party) -> CampaignRow:
    """A campaign of this party; raises `UnknownCampaign` for another's too."""
    campaign = campaigns.get(campaign_id)
    if campaign is None or not may_see(party, campaign):
        raise UnknownCampaign
    return campaign


def detail(campaign: CampaignRow, *, now: datetime) -> CampaignDetail:
    """A campaign with its numbers and its log, in three statements."""
    fields = _fields(campaign, *_run_of(campaign), now)
    return CampaignDetail(**fields, log=campaigns.doings(campaign.id))


def listing(
    party: Party,
    *,
    status: CampaignStatus | None,
    kind: CampaignKind | None,
    before: UUID | None,
    limit: int,
    now: datetime,
    ids: Sequence[UUID] | None = None,
) -> list[CampaignView]:
    """Campaigns of this party, newest first, one more than asked for where there are more. Three statements."""
    found = campaigns.listing(
        application_id=None if party.sees_all else party.application_id,
        is_test=True if party.is_test else None,
        status=status,
        kind=kind,
        before=before,
        limit=limit + 1,
        ids=ids,
    )
    last = runs.last_of([one.id for one in found])
    left = slices.remaining([run.id for run in last.values()])
    return [CampaignView(**_fields(one, last.get(one.id), left, now)) for one in found]


def fanout(campaign_id: UUID, party: Party, *, now: datetime) -> FanoutView:
    """A fan-out and how far it is; raises `UnknownFanout`."""
    campaign = campaigns.get(campaign_id)
    if campaign is None or campaign.kind is not CampaignKind.FANOUT or not may_see(party, campaign):
        raise UnknownFanout
    run, left = _run_of(campaign)
    topic = str(campaign.audience["topic"])
    return FanoutView(
        **_numbers(campaign, run, left, now),
        fanout_id=campaign.id,
        status=campaign.status,
        source_user_id=topic.removeprefix("user:") if topic.startswith("user:") else None,
        topic=topic,
        type=campaign.type_key,
        template_id=campaign.template_id or None,
        error=campaign.error,
        created_at=campaign.created_at,
        completed_at=run.ended_at if run is not None else None,
    )


def stats(campaign: CampaignRow, run_id: UUID | None, *, now: datetime) -> Stats:
    """The newest run, or the one asked for, in every way it is counted; raises `UnknownRun`."""
    found = runs.of_campaign(campaign.id)
    left = slices.remaining([run.id for run in found])
    run = _chosen(found, run_id)
    counts = run.counts if run is not None else Counts()
    statuses: Counter[str] = Counter()
    for words in counts.deliveries.values():
        statuses.update(words)
    return Stats(
        campaign_id=campaign.id,
        run=_run_view(campaign, run, left, now) if run is not None else None,
        channels=counts.deliveries,
        statuses=dict(statuses),
        reasons=counts.reasons,
        variants=counts.variants,
        holdout=Holdout(campaign.holdout_percent, run.held_out if run is not None else 0),
        runs=[_run_view(campaign, one, left, now) for one in found],
    )


def recipients(
    campaign: CampaignRow,
    run_id: UUID | None,
    *,
    status: NotificationStatus | None,
    after: UUID | None,
    limit: int,
) -> ReachedPage:
    """Who was told by a run, in the order of being told; who still waits for it is not among them."""
    run = _chosen(runs.of_campaign(campaign.id), run_id)
    if run is None:
        return ReachedPage([], None)
    variants = {one.batch_id: one.variant for one in run.batches}
    found = told.page(list(variants), run.spans, after=after, status=status, limit=limit)
    names = people.user_ids_of([row.recipient_id for row in found.rows]) if found.rows else {}
    rows = [
        Reached(
            notification_id=row.id,
            user_id=names.get(row.recipient_id, ""),
            variant=variants[row.batch_id],
            status=row.status,
            reasons=row.reasons,
        )
        for row in found.rows
    ]
    return ReachedPage(rows, found.stopped_at)


def _chosen(found: Sequence[RunRow], run_id: UUID | None) -> RunRow | None:
    if run_id is None:
        return found[0] if found else None
    run = next((one for one in found if one.id == run_id), None)
    if run is None:
        raise UnknownRun
    return run


def _run_of(campaign: CampaignRow) -> tuple[RunRow | None, dict[UUID, Remaining]]:
    run = runs.last_of([campaign.id]).get(campaign.id)
    return run, slices.remaining([run.id]) if run is not None else {}


def _run_view(campaign: CampaignRow, run: RunRow, left: Mapping[UUID, Remaining], now: datetime) -> RunView:
    return RunView(
        **_numbers(campaign, run, left, now),
        id=run.id,
        occurrence=run.occurrence,
        status=run.status,
        error=run.error,
        started_at=run.started_at,
        ended_at=run.ended_at,
    )


def _fields(campaign: CampaignRow, run: RunRow | None, left: Mapping[UUID, Remaining], now: datetime) -> dict[str, Any]:
    return {
        **_numbers(campaign, run, left, now),
        **_as_written(campaign),
        "acts": acts_in(campaign.status),
        "run_id": run.id if run is not None else None,
        "started_at": run.started_at if run is not None else None,
        "ended_at": run.ended_at if run is not None else None,
        "warnings": _warnings(run) if run is not None else [],
    }


def _warnings(run: RunRow) -> list[Warned]:
    """What comes near to stopping it, since it was last resumed."""
    counts, before = run.counts, run.judged_from
    return list(
        warnings(
            sent=counts.sent - before.sent,
            failed=counts.failed - before.failed,
            complaints=counts.complaints - before.complaints,
            limits=_LIMITS,
        )
    )


def _as_written(campaign: CampaignRow) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "campaign_id": campaign.id,
        "kind": campaign.kind,
        "name": campaign.name,
        "status": campaign.status,
        "pause_reason": campaign.pause_reason or None,
        "error": campaign.error,
        "type": campaign.type_key,
        "template_id": campaign.template_id or None,
        "priority": campaign.priority,
        "test": campaign.test,
        "channels": campaign.channels,
        "audience": campaign.audience,
        "throttle": {"max_per_second": campaign.max_per_second, "window_hours": campaign.window_hours},
        "schedule_at": campaign.schedule_at,
        "local_time": campaign.local_time or None,
        "timezone": campaign.timezone,
        "recurrence": {"cron": campaign.recurrence, "timezone": campaign.timezone} if campaign.recurrence else None,
        "variants": campaign.variants,
        "holdout_percent": campaign.holdout_percent,
        "estimated_recipients": campaign.estimated,
        "next_at": campaign.next_at,
        "created_by": campaign.created_by,
        "submitted_by": campaign.submitted_by or None,
        "approved_by": campaign.approved_by or None,
        "created_at": campaign.created_at,
        "updated_at": campaign.updated_at,
    }


def _numbers(
    campaign: CampaignRow, run: RunRow | None, left: Mapping[UUID, Remaining], now: datetime
) -> dict[str, Any]:
    """The fields of `Numbers`; before the first run only the estimate is known."""
    if run is None:
        return {"total_recipients": campaign.estimated or 0}
    counts, rest = run.counts, left.get(run.id, Remaining(0, None))
    known = sum((counts.sent, counts.suppressed, counts.failed, counts.open, counts.waiting))
    known += counts.expired + counts.cancelled
    return {
        "total_recipients": run.total if run.frozen_at is not None else max(run.total, campaign.estimated or 0),
        "frozen": run.frozen_at is not None,
        "processed": processed(run.total, rest.people, known, run.status),
        "sent": counts.sent,
        "delivered": counts.delivered,
        "suppressed": counts.suppressed,
        "failed": counts.failed,
        "open": counts.open,
        "waiting": counts.waiting,
        "expired": counts.expired,
        "cancelled": counts.cancelled,
        "held_out": run.held_out,
        "complaints": counts.complaints,
        "rate_per_second": run.rate_per_second if run.status is RunStatus.RUNNING else 0.0,
        "eta_seconds": eta_seconds(rest.people, run.rate_per_second, rest.last_due_at, run.status, now=now),
        "counted_at": run.counted_at,
    }
