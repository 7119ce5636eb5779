"""What people write becomes a campaign: kept whole or not at all, changed while it is a draft, moved along."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from msgspec import UNSET

from campaigns import control
from campaigns.audience import size_of
from campaigns.drafts import faults_in, insert, meant_by, row_of, written_of
from campaigns.errors import InvalidCampaign, InvalidTransition, UnknownCampaign
from campaigns.rules.access import Party, may_see
from campaigns.rules.checks import Places
from campaigns.rules.requests import CampaignBody, CampaignPatch, Written
from campaigns.rules.transitions import acts_in, is_allowed
from campaigns.store import campaigns
from campaigns.store.campaigns import CampaignRow
from campaigns.vocabulary import Act, CampaignKind
from notify.rules.intake import Rejection


class Composed(msgspec.Struct, frozen=True):
    """A campaign as it is kept now, and who of its list is not in it."""

    campaign: CampaignRow
    rejected: list[Rejection] = []
    #: All of them, where more were refused than are named.
    rejected_count: int = 0


def create(body: CampaignBody, party: Party, *, now: datetime) -> Composed:
    """Write a draft. Raises `InvalidCampaign` with every fault found, and `MissingScope` for critical ones."""
    faults = faults_in(body, party, now)
    meant = meant_by(body.audience, Places(), faults, now)
    with transaction.atomic():
        campaign = insert(body, meant, party, CampaignKind.CAMPAIGN, is_test=body.test, now=now)
    return Composed(campaign, meant.rejected, meant.rejected_count)


def change(campaign_id: UUID, patch: CampaignPatch, party: Party, *, now: datetime) -> Composed:
    """Change a draft. Raises `UnknownCampaign`, and `InvalidTransition` once it is more than a draft."""
    meant = meant_by(patch.audience, Places(), [], now) if patch.audience is not UNSET else None
    with transaction.atomic():
        held = campaigns.lock(campaign_id)
        if held is None or not may_see(party, held):
            raise UnknownCampaign
        if not is_allowed(Act.CHANGE, held.status):
            raise InvalidTransition(Act.CHANGE, held.status, ", ".join(acts_in(held.status)) or "nothing")
        written = _merged(written_of(held), patch)
        if faults := faults_in(written, party, now):
            raise InvalidCampaign(faults)
        changed = row_of(held, written, meant)
        campaigns.change(changed)
        if meant is not None:
            campaigns.set_members(campaign_id, meant.members or ())
        said = ", ".join(name for name in CampaignPatch.__struct_fields__ if getattr(patch, name) is not UNSET)
        campaigns.note(campaign_id, Act.CHANGE, actor=party.actor, before=held.status, after=held.status, note=said)
    return Composed(_found(campaign_id), meant.rejected if meant else [], meant.rejected_count if meant else 0)


def act_for(party: Party, campaign_id: UUID, act: Act, *, now: datetime, note: str = "") -> CampaignRow:
    """Do what a party asks of a campaign; before a submit or a start its audience is counted anew.

    Raises `UnknownCampaign` for another's, and what `control.act_on` refuses.
    """
    campaign = campaigns.get(campaign_id)
    if campaign is None or not may_see(party, campaign):
        raise UnknownCampaign
    if act in (Act.SUBMIT, Act.START) and is_allowed(act, campaign.status):
        size = size_of(campaign.audience, campaign_id, now)
        campaigns.move(campaign_id, {"estimated": size.number if size is not None else None})
    return control.act_on(campaign_id, act, actor=party.actor, now=now, note=note)


def _merged(written: Written, patch: CampaignPatch) -> Written:
    blank = Written(name="", type="")
    asked: Mapping[str, Any] = {name: getattr(patch, name) for name in Written.__struct_fields__}
    changes = {
        name: getattr(blank, name) if value is None else value for name, value in asked.items() if value is not UNSET
    }
    return msgspec.structs.replace(written, **changes)


def _found(campaign_id: UUID) -> CampaignRow:
    campaign = campaigns.get(campaign_id)
    assert campaign is not None
    return campaign
