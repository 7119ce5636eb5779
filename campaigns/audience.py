"""Who a campaign means, as a query, and how many they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from campaigns.store import slices
from preferences.errors import SegmentTooSlow
from preferences.rules.segment import parse
from preferences.store import audience, topics
from preferences.store.audience import Counted, Members


def members_of(
    meant: Mapping[str, Any], campaign_id: UUID, now: datetime, *, with_zone: bool = False
) -> Members | None:
    """The people of a campaign's audience; None: its topic is not there any more.

    `meant` is as `Campaign.audience` keeps it; relative dates of a segment are as seen from `now`.
    """
    if "segment" in meant:
        return audience.of_segment(parse(meant["segment"]), now, with_zone=with_zone)
    if "topic" in meant:
        topic_id = topics.topic_id_of(meant["topic"])
        return audience.of_topic(topic_id, with_zone=with_zone) if topic_id is not None else None
    return Members(*slices.members(campaign_id))


def size_of(meant: Mapping[str, Any], campaign_id: UUID, now: datetime) -> Counted | None:
    """How many people that is, counted or estimated within two seconds; None: not even that could be said in time."""
    if "user_ids" in meant:
        return Counted(int(meant["user_ids"]), is_estimate=False)
    members = members_of(meant, campaign_id, now)
    if members is None:
        return Counted(0, is_estimate=False)
    try:
        return audience.count(members)
    except SegmentTooSlow:
        return None
