"""A campaign is told to a few beforehand, every wording of it: real messages, which no campaign counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import transaction

from campaigns.drafts import variables_of
from campaigns.policy import OURSELVES
from campaigns.rules.access import Party
from campaigns.store.campaigns import CampaignRow, Variant
from notify.accept import accept
from notify.rules.intake import Call, Rejection
from notify.rules.requests import RecipientItem, SendRequest
from notify.store import keys
from notify.vocabulary import Scope


class Rehearsed(msgspec.Struct, frozen=True):
    """One person's notification."""

    id: UUID
    user_id: str


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """One wording, and who gets it."""

    #: Empty where there is one.
    variant: str = ""
    notifications: list[Rehearsed]
    rejected: list[Rejection]


_decode = msgspec.json.Decoder(Rehearsal).decode


def rehearse(
    campaign: CampaignRow,
    user_ids: Sequence[str],
    party: Party,
    *,
    key: str,
    request_id: str,
    trace_id: str,
    now: datetime,
) -> list[Rehearsal]:
    """Send every wording to these people, all of them or none; the same key and people again send nothing.

    Preferences, hours and caps hold as for any notification. Raises what `accept` refuses.
    """
    variants = campaign.variants or [Variant(name="", template_id=campaign.template_id, weight=1)]
    application_id = campaign.application_id or party.application_id or keys.application_named(OURSELVES)
    with transaction.atomic():
        answers = [
            accept(
                Call(
                    request=_request(campaign, variant, user_ids),
                    key=f"campaign-test:{campaign.id}:{variant.name}:{key}",
                    application_id=application_id,
                    # It was asked for when the campaign was written.
                    scopes=frozenset({Scope.SEND_CRITICAL.value}),
                    is_test=campaign.test or party.is_test,
                    request_id=request_id,
                    trace_id=trace_id,
                    now=now,
                )
            )
            for variant in variants
        ]
    return [
        msgspec.structs.replace(_decode(answer.body), variant=variant.name)
        for variant, answer in zip(variants, answers, strict=True)
    ]


def _request(campaign: CampaignRow, variant: Variant, user_ids: Sequence[str]) -> SendRequest:
    metadata = {"campaign_id": str(campaign.id), "test_send": True}
    return SendRequest(
        type=campaign.type_key,
        recipients=[RecipientItem(user_id=one) for one in user_ids],
        variables=variables_of(campaign),
        template_id=variant.template_id or None,
        priority=campaign.priority,
        channels=campaign.channels,
        metadata=metadata | ({"variant": variant.name} if variant.name else {}),
    )
