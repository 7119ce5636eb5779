"""The body of `POST /v1/notifications`, as api.md section 2 fixes it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from channels.vocabulary import Channel
from notify.policy import MAX_ACTIONS, MAX_BADGE, MAX_DATA_KEYS
from notify.rules.rich_fields import ACTION_ID
from notify.vocabulary import Priority

UserId = Annotated[str, Meta(min_length=1, max_length=255)]
Word = Annotated[str, Meta(min_length=1, max_length=255)]


class RecipientItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recipient of a send, with what is theirs alone."""

    user_id: UserId
    channels: Annotated[list[Channel], Meta(min_length=1)] | None = None
    variables: dict[str, Any] = {}


class ActionItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A button of a push."""

    #: What the app is told when it is pressed.
    id: Annotated[str, Meta(pattern=ACTION_ID)]
    title: Annotated[str, Meta(min_length=1, max_length=255)]
    #: Where it leads; left out: the app decides.
    url: Annotated[str, Meta(max_length=2_048)] = ""


class InlineContent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Words given with the call instead of a template."""

    title: Annotated[str, Meta(max_length=1_000)] = ""
    subject: Annotated[str, Meta(max_length=1_000)] = ""
    body: Annotated[str, Meta(max_length=100_000)] = ""
    html_body: Annotated[str, Meta(max_length=500_000)] = ""
    image_url: Annotated[str, Meta(max_length=2_048)] = ""
    action_url: Annotated[str, Meta(max_length=2_048)] = ""
    actions: Annotated[list[ActionItem], Meta(max_length=MAX_ACTIONS)] = []
    data: Annotated[dict[str, str], Meta(max_length=MAX_DATA_KEYS)] = {}
    sound: Annotated[str, Meta(max_length=255)] = ""
    badge: Annotated[int, Meta(ge=0, le=MAX_BADGE)] | None = None
    category: Annotated[str, Meta(max_length=255)] = ""


class LocalSchedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wall-clock time, in the recipient's zone or a named one."""

    #: As 2027-03-28T09:00, seconds at will, without an offset.
    local_time: Annotated[str, Meta(max_length=40)]
    #: "recipient", or an IANA zone.
    timezone: Word = "recipient"

    def wall_clock(self) -> datetime:
        """The time as it stands on the wall; raises `ValueError` for what is none, or has an offset."""
        parsed = datetime.fromisoformat(self.local_time)
        if parsed.tzinfo is not None:
            raise ValueError("a local time has no offset")
        return parsed


class SendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happened to whom."""

    type: Word
    user_id: UserId | None = None
    recipients: Annotated[list[RecipientItem], Meta(min_length=1)] | None = None
    variables: dict[str, Any] = {}
    template_id: Word | None = None
    content: InlineContent | None = None
    priority: Priority | None = None
    channels: Annotated[list[Channel], Meta(min_length=1)] | None = None
    fallback_channels: list[Channel] = []
    schedule_at: datetime | LocalSchedule | None = None
    expires_at: datetime | None = None
    collapse_key: Annotated[str, Meta(max_length=255)] | None = None
    metadata: dict[str, Any] | None = None
    idempotency_key: str | None = None
    notification_id: str | None = None

    def people(self) -> list[RecipientItem]:
        """The recipients; `user_id` at the top level stands for a list of one."""
        if self.recipients is not None:
            return self.recipients
        return [RecipientItem(user_id=self.user_id)] if self.user_id is not None else []
