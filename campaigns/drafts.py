"""A campaign as it is written: checked against types, templates and people, and turned into a row and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from campaigns import conf
from campaigns.audience import size_of
from campaigns.errors import InvalidCampaign
from campaigns.policy import REJECTED_SHOWN, RESOLVE_PAGE
from campaigns.rules.access import Party
from campaigns.rules.checks import Known, Places, audience_faults, faults_of, template_ids
from campaigns.rules.requests import AudienceBody, Recurrence, Throttle, VariantBody, Written
from campaigns.store import campaigns
from campaigns.store.campaigns import CampaignRow, Variant
from campaigns.vocabulary import Act, CampaignKind, CampaignStatus
from channels.errors import FieldError
from notify.errors import MissingScope
from notify.rules.ids import ENTROPY, new_ids
from notify.rules.intake import Rejection
from notify.store import templates, types
from notify.vocabulary import Priority, Scope
from preferences import store as people
from preferences.store import topics
from preferences.vocabulary import RecipientStatus

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Meant(msgspec.Struct, frozen=True, kw_only=True):
    """An audience, looked up and counted."""

    #: As `Campaign.audience` keeps it.
    kept: dict[str, Any]
    #: The people of a list; None: there is no list.
    members: list[int] | None = None
    rejected: list[Rejection] = []
    rejected_count: int = 0
    #: None: nobody knows.
    size: int | None = None
    is_estimate: bool = False


def faults_in(written: Written, party: Party, now: datetime) -> list[FieldError]:
    """Every fault of what is written; the rows that it takes are read here."""
    if written.priority is Priority.CRITICAL and not party.may_be_critical:
        raise MissingScope(Scope.SEND_CRITICAL)
    kind = types.type_for(written.type)
    named = {one: templates.published(one) for one in template_ids(written, kind)}
    known = Known(kind=kind, templates={one: version for one, version in named.items() if version is not None})
    return faults_of(written, known, now=now)


def meant_by(audience: AudienceBody, places: Places, faults: Sequence[FieldError], now: datetime) -> Meant:
    """The audience, looked up and counted; raises `InvalidCampaign` with its faults behind those found before."""
    exists = audience.topic is not None and topics.topic_id_of(audience.topic) is not None
    found = [*faults, *audience_faults(audience, places, topics=[audience.topic] if audience.topic and exists else [])]
    if found:
        raise InvalidCampaign(found)
    if audience.user_ids is not None:
        return _listed(audience.user_ids, places)
    kept = {"segment": audience.segment} if audience.segment is not None else {"topic": audience.topic}
    size = size_of(kept, UUID(int=0), now)
    return Meant(kept=kept, size=size.number if size else None, is_estimate=size is None or size.is_estimate)


def insert(
    written: Written, meant: Meant, party: Party, kind: CampaignKind, *, is_test: bool, now: datetime
) -> CampaignRow:
    """Write a draft that was found in order, with its list; belongs into a transaction."""
    bare = CampaignRow(
        id=new_ids(1, now=now, entropy=os.urandom(ENTROPY))[0],
        kind=kind,
        name="",
        application_id=party.application_id,
        test=is_test or party.is_test,
        type_key="",
        audience={},
        created_by=party.actor,
        created_at=now,
        updated_at=now,
    )
    campaign = row_of(bare, written, meant)
    campaigns.insert(campaign)
    if meant.members is not None:
        campaigns.set_members(campaign.id, meant.members)
    campaigns.note(campaign.id, Act.CREATE, actor=party.actor, before="", after=CampaignStatus.DRAFT)
    return campaign


def row_of(campaign: CampaignRow, written: Written, meant: Meant | None) -> CampaignRow:
    """A campaign with what is written about it; without `meant` it tells whom it told before."""
    recurrence, throttle = written.recurrence, written.throttle
    sealed = conf.KEYRING.seal_blob(_encode(written.variables), b"campaign:" + campaign.id.bytes)
    audience = {} if meant is None else {"audience": meant.kept, "estimated": meant.size}
    return msgspec.structs.replace(
        campaign,
        name=written.name,
        type_key=written.type,
        template_id=written.template_id or "",
        priority=written.priority,
        sealed=sealed,
        channels=written.channels,
        max_per_second=throttle.max_per_second,
        window_hours=throttle.window_hours,
        schedule_at=written.schedule_at,
        local_time=written.local_time or "",
        recurrence=recurrence.cron if recurrence is not None else "",
        timezone=(recurrence.timezone if recurrence is not None else written.timezone) or "UTC",
        variants=[Variant(name=one.name, template_id=one.template_id, weight=one.weight) for one in written.variants],
        holdout_percent=written.holdout_percent,
        **audience,
    )


def written_of(campaign: CampaignRow) -> Written:
    """What is written about a campaign, from its row."""
    again, zone = campaign.recurrence, campaign.timezone
    return Written(
        name=campaign.name,
        type=campaign.type_key,
        template_id=campaign.template_id or None,
        variables=variables_of(campaign),
        channels=campaign.channels,
        priority=campaign.priority,
        throttle=Throttle(max_per_second=campaign.max_per_second, window_hours=campaign.window_hours),
        schedule_at=campaign.schedule_at,
        local_time=campaign.local_time or None,
        timezone=None if again or zone == "UTC" else zone,
        recurrence=Recurrence(cron=again, timezone=zone) if again else None,
        variants=[
            VariantBody(name=one.name, template_id=one.template_id, weight=one.weight) for one in campaign.variants
        ],
        holdout_percent=campaign.holdout_percent,
    )


def variables_of(campaign: CampaignRow) -> dict[str, Any]:
    """The shared variables in clear: for whoever may change them, and for rendering."""
    if not campaign.sealed:
        return {}
    return _decode(conf.KEYRING.unseal_blob(campaign.sealed, b"campaign:" + campaign.id.bytes))


def _listed(user_ids: Sequence[str], places: Places) -> Meant:
    """The people of a list, by the page; who is named twice is told once."""
    asked = list(dict.fromkeys(user_ids))
    members: list[int] = []
    unknown: list[str] = []
    for at in range(0, len(asked), RESOLVE_PAGE):
        page = asked[at : at + RESOLVE_PAGE]
        known = {name: ref for name, ref in people.resolve(page).items() if ref.status is not RecipientStatus.ERASED}
        members += [ref.id for ref in known.values()]
        unknown += [name for name in page if name not in known]
    if not members:
        text = "None of these users is known; create them with PUT /v1/users."
        raise InvalidCampaign([FieldError(places.user_ids, "unknown_user", text)])
    text = "There is no user with this id; create it with PUT /v1/users."
    return Meant(
        kept={"user_ids": len(members)},
        members=members,
        rejected=[Rejection(name, "unknown_user", text) for name in unknown[:REJECTED_SHOWN]],
        rejected_count=len(unknown),
        size=len(members),
    )
