"""A campaign is moved along: every act is checked against its state, under its row lock, and kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from campaigns import conf
from campaigns.errors import ApprovalRequired, InvalidTransition, OwnApproval, UnknownCampaign
from campaigns.rules.occurrences import first_occurrence
from campaigns.rules.transitions import acts_in, after, is_allowed
from campaigns.store import campaigns, runs, slices
from campaigns.store.campaigns import CampaignRow
from campaigns.vocabulary import Act, CampaignKind, CampaignStatus, PauseReason, RunStatus
from notify import broadcasts
from notify.store import halts
from notify.vocabulary import Halt


def act_on(campaign_id: UUID, act: Act, *, actor: str, now: datetime, note: str = "") -> CampaignRow:
    """Do what people ask of a campaign; answers it as it is then.

    Raises `UnknownCampaign`, `InvalidTransition` where its state does not allow it, `ApprovalRequired` and
    `OwnApproval`. A pause or a cancel holds from the next page on: nothing waits for what is being sent.
    """
    with transaction.atomic():
        campaign = campaigns.lock(campaign_id)
        if campaign is None:
            raise UnknownCampaign
        if not is_allowed(act, campaign.status):
            allowed = ", ".join(acts_in(campaign.status)) or "nothing"
            raise InvalidTransition(act, campaign.status, allowed)
        fields = _fields(campaign, act, actor, now)
        status = after(act, campaign.status)
        campaigns.move(campaign_id, {"status": status, **fields})
        campaigns.note(campaign_id, act, actor=actor, before=campaign.status, after=status, note=note)
        _carry_out(campaign, act, now)
    found = campaigns.get(campaign_id)
    assert found is not None
    return found


def pause_for(campaign_id: UUID, reason: PauseReason, note: str) -> bool:
    """Stop a running campaign by itself; False: it ran no more."""
    with transaction.atomic():
        campaign = campaigns.lock(campaign_id)
        if campaign is None or not is_allowed(Act.PAUSE, campaign.status):
            return False
        campaigns.move(campaign_id, {"status": CampaignStatus.PAUSED, "pause_reason": reason, "error": note})
        campaigns.note(campaign_id, Act.PAUSE, actor="", before=campaign.status, after=CampaignStatus.PAUSED, note=note)
        _hold(campaign_id)
    return True


def _fields(campaign: CampaignRow, act: Act, actor: str, now: datetime) -> dict[str, Any]:
    """What an act writes beside the status; refuses what needs a second pair of eyes."""
    if act is Act.APPROVE and _is_large(campaign) and actor == campaign.submitted_by:
        raise OwnApproval
    if act is Act.START:
        _check_approval(campaign)
    first = first_occurrence(campaign, now) if act is Act.APPROVE else None
    written: dict[Act, dict[str, Any]] = {
        Act.SUBMIT: {"submitted_by": actor},
        Act.APPROVE: {"approved_by": actor, "next_at": first},
        Act.REJECT: {"submitted_by": ""},
        Act.START: {"next_at": now},
        Act.PAUSE: {"pause_reason": PauseReason.ASKED},
        Act.RESUME: {"pause_reason": "", "error": ""},
        Act.CANCEL: {"next_at": None},
    }
    return written.get(act, {})


def _is_large(campaign: CampaignRow) -> bool:
    """Whether two people must agree; a size nobody has estimated counts as large."""
    return campaign.estimated is None or campaign.estimated > conf.APPROVAL_ABOVE


def _check_approval(campaign: CampaignRow) -> None:
    """What an application asks for in one call was approved with its key; what people write is by people."""
    if campaign.kind is CampaignKind.CAMPAIGN and campaign.status is CampaignStatus.DRAFT and _is_large(campaign):
        raise ApprovalRequired(campaign.estimated or 0, conf.APPROVAL_ABOVE)


def _carry_out(campaign: CampaignRow, act: Act, now: datetime) -> None:
    if act is Act.PAUSE:
        _hold(campaign.id)
    elif act is Act.RESUME:
        _release(campaign.id, now)
    elif act is Act.CANCEL:
        _cancel(campaign.id, now)


def _hold(campaign_id: UUID) -> None:
    """Nothing of its runs goes on to providers, nor from the audience into the pipeline."""
    for run in _under_way(campaign_id, RunStatus.RUNNING):
        runs.change(run.id, {"status": RunStatus.PAUSED})
        halts.halt([one.batch_id for one in run.batches], Halt.HELD)


def _release(campaign_id: UUID, now: datetime) -> None:
    """Let its runs go on. Whoever does so has seen why it stood still: what has failed so far stops it no more."""
    for run in _under_way(campaign_id, RunStatus.PAUSED):
        runs.change(
            run.id,
            {"status": RunStatus.RUNNING, "next_take_at": None, "resumed_at": now, "judged_from": run.counts},
        )
        halts.lift([one.batch_id for one in run.batches])


def _cancel(campaign_id: UUID, now: datetime) -> None:
    """End its runs. What is on its way ends as cancelled where it stands; `watch` sees to what waits.

    The run comes before its slices: whoever is just reading its audience holds it, and writes more of them.
    """
    for run in _under_way(campaign_id, RunStatus.RUNNING, RunStatus.PAUSED):
        runs.change(run.id, {"status": RunStatus.CANCELLED, "ended_at": now})
        halts.halt([one.batch_id for one in run.batches], Halt.CANCELLED)
        for one in run.batches if run.shown_to is not None else ():
            broadcasts.cancel(one.batch_id)
        slices.drop(run.id)


def _under_way(campaign_id: UUID, *statuses: RunStatus) -> list[runs.RunRow]:
    return [run for run in runs.of_campaign(campaign_id) if run.status in statuses]
