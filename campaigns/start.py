"""One call of an application that tells many: a campaign is written and started at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction

from campaigns import control
from campaigns.drafts import Meant, faults_in, insert, meant_by
from campaigns.errors import InvalidCampaign
from campaigns.policy import FANOUT_COUNTED_TO
from campaigns.rules.access import Party
from campaigns.rules.checks import Places, audience_faults
from campaigns.rules.fingerprint import fingerprint
from campaigns.rules.requests import AudienceBody, BulkBody, FanoutBody, Written
from campaigns.store.campaigns import CampaignRow
from campaigns.vocabulary import Act, CampaignKind
from channels.errors import FieldError
from notify.conf import IDEMPOTENCY_HOURS
from notify.errors import IdempotencyConflict, RequestInProgress
from notify.store import intake
from preferences.store import topics

_encode = msgspec.json.Encoder().encode
_BULK = Places(whole="", user_ids="/user_ids", segment="/segment/filter", topic="/topic")
_FANOUT = Places(whole="", user_ids="", segment="", topic="/topic")
_SOURCE = Places(whole="", user_ids="", segment="", topic="/source_user_id")


class Started(msgspec.Struct, frozen=True):
    """The body of the 202, and whether an earlier call got it first."""

    body: bytes
    replayed: bool


def start_bulk(body: BulkBody, party: Party, *, key: str, now: datetime) -> Started:
    """Create a campaign and start it in one call; the same key and body again: the first answer again."""

    def write() -> bytes:
        written = Written(name=body.batch_id or "bulk", **_shared(body))
        audience = AudienceBody(
            user_ids=body.user_ids, segment=body.segment.filter if body.segment else None, topic=body.topic
        )
        meant = meant_by(audience, _BULK, faults_in(written, party, now), now)
        campaign = _start(written, meant, party, CampaignKind.BULK, now)
        return _encode(
            {
                "campaign_id": campaign.id,
                "batch_id": body.batch_id,
                "status": campaign.status,
                "estimated_count": meant.size,
                "is_estimate": meant.is_estimate,
                "rejected": meant.rejected,
                "rejected_count": meant.rejected_count,
            }
        )

    return _once(f"bulk:{key}", body, party, write, now)


def start_fanout(body: FanoutBody, party: Party, *, key: str | None, now: datetime) -> Started:
    """Tell a topic, or somebody's followers, at once; the people are counted only as far as costs nothing."""

    def write() -> bytes:
        topic = body.topic or f"user:{body.source_user_id}"
        written = Written(name=f"fan-out to {topic}", **_shared(body))
        meant = _followers(body, topic, faults_in(written, party, now))
        campaign = _start(written, meant, party, CampaignKind.FANOUT, now)
        return _encode(
            {
                "fanout_id": campaign.id,
                "campaign_id": campaign.id,
                "status": campaign.status,
                "total_recipients": meant.size,
                "is_estimate": meant.is_estimate,
            }
        )

    return _once(f"fanout:{key}", body, party, write, now) if key else Started(_whole(write), replayed=False)


def _once(key: str, body: BulkBody | FanoutBody, party: Party, write: Callable[[], bytes], now: datetime) -> Started:
    """Write and remember the answer in one transaction, or repeat it."""
    assert party.application_id is not None, "only applications start at once"
    mark = fingerprint(body)
    with transaction.atomic():
        if not intake.lock_key(party.application_id, key):
            raise RequestInProgress
        first = intake.answer_to(party.application_id, key, IDEMPOTENCY_HOURS)
        if first is not None:
            if first.fingerprint != mark:
                raise IdempotencyConflict
            return Started(first.response, replayed=True)
        answer = write()
        intake.remember_answer(party.application_id, key, intake.StoredAnswer(mark, answer), now)
    return Started(answer, replayed=False)


def _whole(write: Callable[[], bytes]) -> bytes:
    with transaction.atomic():
        return write()


def _start(written: Written, meant: Meant, party: Party, kind: CampaignKind, now: datetime) -> CampaignRow:
    """A campaign that is told at once; what it asks for was approved with the key."""
    campaign = insert(written, meant, party, kind, is_test=False, now=now)
    return control.act_on(campaign.id, Act.START, actor=party.actor, now=now)


def _followers(body: FanoutBody, topic: str, faults: Sequence[FieldError]) -> Meant:
    """The audience of a fan-out: a topic's size is read no further than `FANOUT_COUNTED_TO`."""
    if (body.topic is None) is (body.source_user_id is None):
        text = "Give exactly one of source_user_id, topic."
        raise InvalidCampaign([*faults, FieldError("", "invalid_audience", text)])
    topic_id = topics.topic_id_of(topic)
    asked = AudienceBody(topic=topic)
    places = _FANOUT if body.topic is not None else _SOURCE
    found = [*faults, *audience_faults(asked, places, topics=[topic] if topic_id is not None else [])]
    if found or topic_id is None:
        raise InvalidCampaign(found)
    size = topics.size_up_to(topic_id, FANOUT_COUNTED_TO)
    return Meant(kept={"topic": topic}, size=size, is_estimate=size >= FANOUT_COUNTED_TO)


def _shared(body: BulkBody | FanoutBody) -> dict[str, Any]:
    """The fields that are called the same everywhere."""
    names = ("type", "template_id", "priority", "variables", "channels", "throttle")
    return {name: getattr(body, name) for name in names}
