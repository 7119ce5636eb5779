"""The bodies callers send about campaigns, as they are allowed to look; what they mean is checked in `rules.checks`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from campaigns.policy import BUCKETS, MAX_TESTERS, MAX_VARIANTS
from channels.vocabulary import Channel
from notify.rules.requests import Word
from notify.vocabulary import Priority
from preferences.vocabulary import UserId

#: Longer than any zone, hour or cron expression.
_Short = Annotated[str, Meta(max_length=255)]
_Segment = Annotated[str, Meta(min_length=1)]
_Channels = Annotated[list[Channel], Meta(min_length=1)]


class Throttle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast people are told at most, and for how long at most."""

    #: People, not messages.
    max_per_second: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    #: The audience is spread over so many hours; who is left then waits for a resume.
    window_hours: Annotated[float, Meta(gt=0, le=720)] | None = None


class AudienceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told: exactly one of the three."""

    user_ids: list[UserId] | None = None
    segment: _Segment | None = None
    topic: Word | None = None


class VariantBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One wording of several."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    template_id: Word
    #: Its share among the weights of all.
    weight: Annotated[int, Meta(ge=1, le=BUCKETS)] = 1


class Recurrence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When it comes again and again."""

    #: Five fields: minute, hour, day of the month, month, day of the week.
    cron: _Short
    timezone: _Short = "UTC"


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written about a campaign, but for whom it tells."""

    name: Word
    type: Word
    template_id: Word | None = None
    variables: dict[str, Any] = {}
    channels: _Channels | None = None
    priority: Priority = Priority.LOW
    throttle: Throttle = Throttle()
    schedule_at: datetime | None = None
    local_time: _Short | None = None
    #: Of `schedule_at` where a local time makes a day of it; a recurrence has its own.
    timezone: _Short | None = None
    recurrence: Recurrence | None = None
    variants: Annotated[list[VariantBody], Meta(max_length=MAX_VARIANTS)] = []
    holdout_percent: Annotated[float, Meta(ge=0, le=50)] = 0


class CampaignBody(Written, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A campaign to create."""

    audience: AudienceBody
    #: Reaches the sandbox only; what a test key creates always does.
    test: bool = False


class CampaignPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merge patch of a draft: null puts back the default, what is left out stays; an object is replaced whole."""

    name: Word | UnsetType = UNSET
    type: Word | UnsetType = UNSET
    template_id: Word | UnsetType | None = UNSET
    variables: dict[str, Any] | UnsetType | None = UNSET
    channels: _Channels | UnsetType | None = UNSET
    priority: Priority | UnsetType | None = UNSET
    throttle: Throttle | UnsetType | None = UNSET
    schedule_at: datetime | UnsetType | None = UNSET
    local_time: _Short | UnsetType | None = UNSET
    timezone: _Short | UnsetType | None = UNSET
    recurrence: Recurrence | UnsetType | None = UNSET
    variants: Annotated[list[VariantBody], Meta(max_length=MAX_VARIANTS)] | UnsetType | None = UNSET
    holdout_percent: Annotated[float, Meta(ge=0, le=50)] | UnsetType | None = UNSET
    audience: AudienceBody | UnsetType = UNSET


class SegmentFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A segment as a bulk send names it."""

    filter: _Segment


class BulkBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell many people now, in one call."""

    #: The caller's own id of it, and its idempotency key where no header gives one.
    batch_id: Word | None = None
    type: Word
    template_id: Word | None = None
    priority: Priority = Priority.LOW
    segment: SegmentFilter | None = None
    user_ids: list[UserId] | None = None
    topic: Word | None = None
    variables: dict[str, Any] = {}
    channels: _Channels | None = None
    throttle: Throttle = Throttle()
    idempotency_key: Word | None = None


class FanoutBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell the followers of somebody, or the subscribers of a topic, now."""

    #: The followers of user X are the topic `user:X`.
    source_user_id: UserId | None = None
    topic: Word | None = None
    type: Word
    template_id: Word | None = None
    priority: Priority = Priority.LOW
    variables: dict[str, Any] = {}
    channels: _Channels | None = None
    throttle: Throttle = Throttle()
    idempotency_key: Word | None = None


class TestBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who gets a campaign beforehand, every wording of it."""

    #: The name looks like a test's to pytest, and is none.
    __test__ = False

    user_ids: Annotated[list[UserId], Meta(min_length=1, max_length=MAX_TESTERS)]


class ActBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept with an act."""

    #: Why, for whoever reads the log.
    note: Annotated[str, Meta(max_length=1_000)] = ""
