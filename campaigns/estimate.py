"""What a campaign would come to, before anybody is told: drawn from a sample by the rules that will decide."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from campaigns import conf
from campaigns.audience import members_of, size_of
from campaigns.drafts import variables_of
from campaigns.policy import ESTIMATE_SAMPLE, USUAL_RATE
from campaigns.rules.dealing import is_held_out, variant_of
from campaigns.rules.estimation import Judged, Pace, judged, pace
from campaigns.rules.occurrences import day_of, first_occurrence
from campaigns.rules.pace import lowest
from campaigns.rules.segment_requests import PersonInSegment, Preview
from campaigns.store.campaigns import CampaignRow, Variant
from channels.scorecard import rate_of
from channels.vocabulary import Channel
from notify.policy import MAX_SCHEDULE_AHEAD
from notify.rules.intake import Call
from notify.rules.requests import LocalSchedule, RecipientItem, SendRequest
from notify.rules.simulation import SimulatedRecipient
from notify.simulate import simulate
from notify.store import types
from notify.vocabulary import Scope
from preferences.errors import SegmentTooSlow
from preferences.rules.segment import parse
from preferences.store import audience

_HOUR = 3_600.0
#: People of a segment who are shown.
_SHOWN = 5
_WHOLE = 100


class Control(msgspec.Struct, frozen=True):
    """Who is told nothing, to see what telling changes."""

    percent: float
    people: int


class Estimate(Judged, frozen=True, kw_only=True):
    """What a campaign would come to now: `people` are told, but for those whom the rules leave out."""

    campaign_id: UUID
    #: The audience, and without its control group.
    audience: int
    people: int
    #: Whether the audience was estimated too, because counting it would take too long.
    is_estimate: bool
    holdout: Control
    pace: Pace
    #: Whether somebody else must approve it.
    needs_approval: bool


def estimate(campaign: CampaignRow, *, now: datetime) -> Estimate:
    """The audience of a campaign, and what its rules, its wordings and its pace make of it; nothing is written.

    Raises `SegmentTooSlow`, and what a send of its type, template and variables would be refused with.
    """
    size = size_of(campaign.audience, campaign.id, now)
    if size is None:
        raise SegmentTooSlow
    members = members_of(campaign.audience, campaign.id, now)
    drawn = audience.draw(members, ESTIMATE_SAMPLE) if members is not None else {}
    told = {one: name for one, name in drawn.items() if not is_held_out(campaign.id, campaign.holdout_percent, one)}
    everybody = max(size.number, len(drawn))
    held_out = round(everybody * campaign.holdout_percent / _WHOLE)
    people = everybody - held_out if everybody > len(drawn) else len(told)
    starts_at = campaign.next_at or first_occurrence(campaign, now)
    found = judged(_decided(campaign, told, starts_at, now), people)
    return Estimate(
        **msgspec.structs.asdict(found),
        campaign_id=campaign.id,
        audience=everybody,
        people=people,
        is_estimate=size.is_estimate,
        holdout=Control(campaign.holdout_percent, everybody - people),
        pace=_pace(campaign, people, starts_at),
        needs_approval=everybody > conf.APPROVAL_ABOVE,
    )


def preview(segment: str, *, now: datetime) -> Preview:
    """How many people a segment means, and some of them; raises `InvalidSegment` and `SegmentTooSlow`."""
    members = audience.of_segment(parse(segment), now)
    counted = audience.count(members)
    people = audience.sample(members, _SHOWN) if counted.number or counted.is_estimate else []
    return Preview(
        count=max(counted.number, len(people)),
        is_estimate=counted.is_estimate,
        sample=[PersonInSegment(*one) for one in people],
    )


def _decided(
    campaign: CampaignRow, drawn: Mapping[int, str], starts_at: datetime | None, now: datetime
) -> list[SimulatedRecipient]:
    """What would become of everybody who was drawn, each with their own wording: a simulation for each of these."""
    variants = campaign.variants or [Variant(name="", template_id=campaign.template_id, weight=1)]
    weights = [one.weight for one in variants]
    dealt: dict[int, list[str]] = {}
    for recipient_id, user_id in drawn.items():
        dealt.setdefault(variant_of(campaign.id, weights, recipient_id), []).append(user_id)
    decided: list[SimulatedRecipient] = []
    for place, user_ids in dealt.items():
        request = _request(campaign, variants[place], user_ids, _schedule(campaign, starts_at, now))
        decided += simulate(_call(campaign, request, now)).recipients
    return decided


def _request(
    campaign: CampaignRow, variant: Variant, user_ids: list[str], schedule: datetime | LocalSchedule | None
) -> SendRequest:
    return SendRequest(
        type=campaign.type_key,
        recipients=[RecipientItem(user_id=one) for one in user_ids],
        variables=variables_of(campaign),
        template_id=variant.template_id or None,
        priority=campaign.priority,
        channels=campaign.channels,
        schedule_at=schedule,
    )


def _call(campaign: CampaignRow, request: SendRequest, now: datetime) -> Call:
    return Call(
        request=request,
        key="",
        application_id=campaign.application_id or 0,
        # It was asked for when the campaign was written.
        scopes=frozenset({Scope.SEND_CRITICAL.value}),
        is_test=campaign.test,
        request_id="",
        trace_id="",
        now=now,
    )


def _schedule(campaign: CampaignRow, starts_at: datetime | None, now: datetime) -> datetime | LocalSchedule | None:
    """The instant it is decided for: nights fall differently at another one. None: now, or too far away to say."""
    if campaign.local_time:
        day = max(day_of(campaign, starts_at or now), (now + timedelta(days=1)).date())
        return LocalSchedule(local_time=f"{min(day, _furthest(now).date())}T{campaign.local_time}")
    return starts_at if starts_at is not None and now < starts_at < _furthest(now) else None


def _furthest(now: datetime) -> datetime:
    return now + MAX_SCHEDULE_AHEAD - timedelta(days=1)


def _pace(campaign: CampaignRow, people: int, starts_at: datetime | None) -> Pace:
    """By the same limits as `pace.rate`, as if no other campaign ran."""
    window = campaign.window_hours * _HOUR if campaign.window_hours else None
    limits = {
        "max_per_second": campaign.max_per_second,
        "window_hours": people / window if window else None,
        "all_campaigns": conf.RATE,
        "providers": None if campaign.test else lowest(rate_of(one) for one in _channels(campaign)),
    }
    return pace(people, limits, usual=USUAL_RATE, window_seconds=window, starts_at=starts_at)


def _channels(campaign: CampaignRow) -> list[Channel]:
    if campaign.channels is not None:
        return campaign.channels
    kind = types.type_for(campaign.type_key)
    return [Channel(word) for word in kind.channels] if kind is not None else []
