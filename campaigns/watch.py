"""What became of a run: counted from its deliveries, judged, and ended when nobody is left."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from campaigns import conf, pace
from campaigns.control import pause_for
from campaigns.policy import CANCEL_AT_ONCE, COUNT_EVERY, COUNT_SHARE, JUDGED_FROM, RUNS_AT_ONCE
from campaigns.store import campaigns, runs, slices
from campaigns.store.campaigns import CampaignRow
from campaigns.store.runs import Counts, RunRow
from campaigns.vocabulary import Act, CampaignStatus, PauseReason, RunStatus
from notify.cancel import cancel_batches
from notify.rules.decision import UNTIL_RESUMED
from notify.rules.ids import span_of
from notify.store import halts, tallies, upkeep
from notify.store.tallies import Tally

log = structlog.get_logger(__name__)


def watch(now: datetime) -> int:
    """Count the runs that are due for it, stop those that do harm, end those that are done; answers how many."""
    due = [run for run in runs.watched(now, RUNS_AT_ONCE) if _is_due(run, now)]
    for run in due:
        try:
            _watch_one(run, now)
        except Exception:  # of one run, whatever it is; the others are watched all the same
            log.exception("campaign.not_watched", run=str(run.id))
    return len(due)


def _watch_one(run: RunRow, now: datetime) -> None:
    if run.ended_at is not None:
        # A cut left in their hands who was just telling them; once their lease is over, they are nobody's.
        slices.drop(run.id)
    if run.status is RunStatus.CANCELLED:
        _cancel_rest(run)
    # Before they are counted: whoever is told after that is not among the counted.
    is_under_way = _is_under_way(run)
    counted = _count(run, now)
    if run.status is RunStatus.RUNNING:
        _judge(counted, now)
    if is_under_way:
        return
    if run.status is RunStatus.RUNNING:
        _finish(counted, now)
    elif run.status is RunStatus.CANCELLED and not counted.counts.open and not counted.counts.waiting:
        halts.lift([one.batch_id for one in run.batches])


def _is_due(run: RunRow, now: datetime) -> bool:
    """Counting takes a small share of a machine: the longer it takes, the longer it waits."""
    if run.counted_at is None:
        return True
    pause = max(COUNT_EVERY, timedelta(milliseconds=run.count_ms * COUNT_SHARE))
    return now - run.counted_at >= pause


def _count(run: RunRow, now: datetime) -> RunRow:
    """Count anew; the rate is what was sent since the last time."""
    tally, took = _timed(run)
    counts = _counts(run, tally)
    sent = counts.sent - run.counts.sent
    seconds = (now - (run.counted_at or run.started_at)).total_seconds()
    rate = max(sent, 0) / seconds if seconds > 0 else 0.0
    changed = {"counts": counts, "counted_at": now, "count_ms": took, "rate_per_second": round(rate, 1)}
    runs.change(run.id, changed)
    found = runs.get(run.id)
    assert found is not None
    return found


def _timed(run: RunRow) -> tuple[Tally, int]:
    began = time.monotonic()
    tally = tallies.count([one.batch_id for one in run.batches], run.spans)
    return tally, int((time.monotonic() - began) * 1000)


def _counts(run: RunRow, tally: Tally) -> Counts:
    """Each person's word; what is delivered was sent too."""
    people = tally.people
    names = {one.batch_id: one.variant for one in run.batches}
    delivered = people.get("delivered", 0)
    return Counts(
        sent=people.get("sent", 0) + delivered,
        delivered=delivered,
        suppressed=people.get("suppressed", 0),
        failed=people.get("failed", 0),
        open=people.get("open", 0),
        waiting=people.get("waiting", 0),
        expired=people.get("expired", 0),
        cancelled=people.get("cancelled", 0),
        complaints=tally.complaints,
        deliveries=tally.deliveries,
        reasons=tally.reasons,
        variants={names[batch]: words for batch, words in tally.batches.items() if names.get(batch)},
    )


def _judge(run: RunRow, now: datetime) -> None:
    """Stop a run that fails, or that people complain about, before everybody has it; since it was last resumed."""
    campaign = campaigns.get(run.campaign_id)
    assert campaign is not None
    ends_at = pace.window_end(campaign, run)
    if ends_at is not None and now >= ends_at and slices.left(run.id).people:
        _pause(run, PauseReason.WINDOW_OVER, "its window is over; resume it to tell the others")
    counts, before = run.counts, run.judged_from
    sent, failed = counts.sent - before.sent, counts.failed - before.failed
    if sent + failed < JUDGED_FROM:
        return
    complaints = counts.complaints - before.complaints
    _compare(run, PauseReason.ERRORS, failed / (sent + failed), conf.ERRORS_PAUSE, conf.ERRORS_PAUSE / 2)
    _compare(run, PauseReason.COMPLAINTS, complaints / max(sent, 1), conf.COMPLAINTS_PAUSE, conf.COMPLAINTS_PAUSE / 3)


def _compare(run: RunRow, reason: PauseReason, share: float, limit: float, warning: float) -> None:
    if share >= limit:
        _pause(run, reason, f"{share:.2%} of {reason}: the limit is {limit:.2%}")
    elif share >= warning:
        log.warning("campaign.near_its_limit", run=str(run.id), reason=reason, share=round(share, 5))


def _pause(run: RunRow, reason: PauseReason, why: str) -> None:
    if pause_for(run.campaign_id, reason, why):
        log.error("campaign.paused", run=str(run.id), reason=reason, why=why)


def _is_under_way(run: RunRow) -> bool:
    """Whether somebody of a run is still to be told, or being told, or held by a pause, or not taken up after one.

    What waits for a morning or a digest holds nothing up.
    """
    is_being_read = run.frozen_at is None and run.ended_at is None
    if is_being_read or slices.left(run.id).people:
        return True
    return upkeep.are_held([one.batch_id for one in run.batches], UNTIL_RESUMED)


def _finish(run: RunRow, now: datetime) -> None:
    """End a run of which everybody was told before they were counted, where the count finds nobody on the way."""
    if run.counts.open:
        return
    with transaction.atomic():
        campaign = campaigns.lock(run.campaign_id)
        held = runs.lock(run.id)
        if campaign is None or held is None or held.status is not RunStatus.RUNNING or _is_under_way(held):
            return
        runs.change(run.id, {"status": RunStatus.COMPLETED, "ended_at": now})
        _complete(campaign)


def _complete(campaign: CampaignRow) -> None:
    """What comes again waits for its next time; the rest is done."""
    if campaign.status is not CampaignStatus.RUNNING or runs.are_under_way(campaign.id):
        return
    status = CampaignStatus.SCHEDULED if campaign.next_at is not None else CampaignStatus.COMPLETED
    campaigns.move(campaign.id, {"status": status})
    campaigns.note(campaign.id, Act.COMPLETE, actor="", before=campaign.status, after=status)


def _cancel_rest(run: RunRow) -> None:
    """End what waits of a cancelled run, by the piece."""
    batch_ids = [one.batch_id for one in run.batches]
    for first, length in run.spans.items():
        low, high = span_of(int(first), length)
        while cancel_batches(batch_ids, low, high, CANCEL_AT_ONCE) == CANCEL_AT_ONCE:
            pass
