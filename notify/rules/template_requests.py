"""Bodies and answers of api.md section 5: types and templates."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from channels.rules.sms import Encoding
from channels.vocabulary import Channel
from notify.rules.cautions import Caution
from notify.rules.rich_fields import Written
from notify.rules.variables import Variables
from notify.vocabulary import OverCap, Priority, QuietHoursPolicy
from preferences.vocabulary import Category

#: Keys of types and ids of templates stand in paths: one spelling, no slash.
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$(?!\n)")]
Tag = Annotated[str, Meta(min_length=1, max_length=35)]
#: Version numbers are PostgreSQL integers.
MAX_NUMBER = 2_147_483_647
Number = Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")


class Cap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most so many to one recipient within so many seconds."""

    max: Annotated[int, Meta(ge=1, le=1_000_000)]
    per_seconds: Annotated[int, Meta(ge=1, le=31_536_000)]


class TypeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A notification type; what is left out is chosen by key and category (`type_defaults`)."""

    category: Category
    priority: Priority | None = None
    channels: Annotated[list[Channel], Meta(min_length=1, max_length=8)] | None = None
    exempt_from_caps: bool | None = None
    caps: Annotated[list[Cap], Meta(max_length=10)] | None = None
    quiet_hours: QuietHoursPolicy | None = None
    digestible: bool = False
    over_cap: OverCap | None = None
    mandatory: bool = False
    ttl_seconds: Annotated[int, Meta(ge=1, le=2_592_000)] | None = None
    #: No longer than the log is kept.
    retention_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None
    #: Off unless asked for: both tell somebody else when a person reads.
    track_opens: bool = False
    track_clicks: bool = False
    template_id: Key | None = None


class VersionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new wording of a template that exists."""

    channels: Written
    variables: Variables = {}
    #: As the template has it, or left out; it is changed by PATCH.
    default_locale: Tag | None = None
    publish: bool = False


class TemplateBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new template with its first version."""

    template_id: Key
    type: Key
    channels: Written
    default_locale: Tag = "en"
    variables: Variables = {}
    publish: bool = True


class TemplatePatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a template itself may change; words change by a new version."""

    type: Key | msgspec.UnsetType = msgspec.UNSET
    default_locale: Tag | msgspec.UnsetType = msgspec.UNSET


class PreviewBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose eyes to look through; everything may be left out."""

    channel: Channel | None = None
    locale: Tag | None = None
    variables: dict[str, Any] = {}
    user_id: str | None = None
    #: A version's number; left out: the published one, else the latest.
    version: Number | None = None


class VersionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A version in the list of its template's."""

    number: int
    is_published: bool
    created_by: str
    created_at: datetime
    #: When it was last published; null: never.
    published_at: datetime | None
    published_by: str


class TemplateLine(msgspec.Struct, frozen=True, kw_only=True):
    """A template in a list."""

    template_id: str
    type: str
    default_locale: str
    published_version: int | None
    latest_version: int
    channels: list[str]
    created_at: datetime
    updated_at: datetime


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A template with the words of one version."""

    template_id: str
    type: str
    default_locale: str
    published_version: int | None
    #: The version whose words these are.
    version: int
    channels: Written
    variables: dict[str, Any]
    versions: list[VersionLine]
    created_at: datetime
    updated_at: datetime
    #: What its author should know of these words; nothing is refused for it.
    warnings: list[Caution] = []


class SmsCount(msgspec.Struct, frozen=True, kw_only=True):
    """A text message as it is billed, with the values of this preview (docs/sms.md)."""

    encoding: Encoding
    characters: int
    #: Septets of GSM-7, code units of UCS-2.
    units: int
    segments: int
    #: Characters that turn what would be GSM-7 into UCS-2, each once: mostly a quotation mark nobody meant.
    not_gsm: list[str]
    #: Whether it was too long, and ends in an ellipsis.
    is_cut: bool


class PreviewedChannel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One channel's words as they would go out."""

    #: The language that was found for the wish.
    locale: str
    title: str = ""
    subject: str = ""
    body: str = ""
    html_body: str = ""
    image_url: str = ""
    action_url: str = ""
    actions: list[dict[str, str]] = []
    data: dict[str, str] = {}
    sound: str = ""
    badge: int | None = None
    category: str = ""
    #: Of `sms` alone.
    sms: SmsCount | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A version as one person would get it."""

    template_id: str
    version: int
    channels: dict[str, PreviewedChannel]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs between two versions; null: not there."""

    channel: str
    locale: str
    field: str
    before: str | None
    after: str | None


def is_key(text: str) -> bool:
    """Whether a path's segment can be the key of a type or the id of a template."""
    return bool(_KEY.fullmatch(text))
