"""The bodies callers send, as they are allowed to look; what they mean is checked in `rules.intake`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from channels.vocabulary import Channel, Platform
from preferences.policy import MAX_SUBSCRIBERS
from preferences.vocabulary import (
    Category,
    DeviceId,
    DigestFrequency,
    Preferences,
    SmsPreference,
    SuppressionReason,
    TypeKey,
    UserId,
)

_AppVersion = Annotated[str, Meta(max_length=64)]
#: Longer than any locale, zone, e-mail address (254) or phone number.
_Short = Annotated[str, Meta(max_length=320)]


class UserBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is known of a user; what is left out is unknown."""

    email: _Short | None = None
    phone: _Short | None = None
    locale: _Short | None = None
    timezone: _Short | None = None
    country_code: _Short | None = None
    attributes: dict[str, Any] = {}


class BulkUser(UserBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One user of a bulk upsert."""

    user_id: UserId


class BulkUsers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bulk upsert as it is documented."""

    users: Annotated[list[BulkUser], Meta(max_length=1_000)]


class BulkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bulk upsert; each user is decoded on their own, so that a bad one does not sink the others."""

    users: list[msgspec.Raw]


class UserPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON merge patch (RFC 7396) of a user: null removes, what is left out stays."""

    email: _Short | UnsetType | None = UNSET
    phone: _Short | UnsetType | None = UNSET
    locale: _Short | UnsetType | None = UNSET
    timezone: _Short | UnsetType | None = UNSET
    country_code: _Short | UnsetType | None = UNSET
    attributes: dict[str, Any] | UnsetType | None = UNSET


class QuietHoursPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A merge patch of the quiet hours."""

    start: _Short | UnsetType | None = UNSET
    end: _Short | UnsetType | None = UNSET


class PreferencesPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A JSON merge patch (RFC 7396) of the preferences: null puts back the default."""

    channels: dict[Channel, bool | None] | UnsetType | None = UNSET
    categories: dict[Category, dict[Channel, bool | None] | None] | UnsetType | None = UNSET
    types: dict[TypeKey, dict[Channel, bool | None] | None] | UnsetType | None = UNSET
    global_opt_out: bool | UnsetType | None = UNSET
    marketing_opt_in: bool | UnsetType | None = UNSET
    channel_order: list[Channel] | UnsetType | None = UNSET
    critical_channel: Channel | UnsetType | None = UNSET
    sms_preference: SmsPreference | UnsetType | None = UNSET
    quiet_hours: QuietHoursPatch | UnsetType | None = UNSET
    timezone: _Short | UnsetType | None = UNSET
    locale: _Short | UnsetType | None = UNSET
    digest_frequency: DigestFrequency | UnsetType | None = UNSET
    #: Read-only; taken and ignored, so that what was read may be sent back. `If-Match` is what locks.
    version: int | UnsetType | None = UNSET
    evidence: Evidence | UnsetType | None = UNSET


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What proves a word about consent, as far as the caller knows it; kept in the ledger, not in the document."""

    #: How the caller learnt of it.
    means: Literal["api", "import", "preference_page"] = "api"
    #: Which wording the person saw.
    text_version: Annotated[str, Meta(max_length=100)] = ""
    #: When they said it, where that is not now.
    said_at: Annotated[datetime, Meta(tz=True)] | None = None
    #: From where they said it.
    ip_address: Annotated[str, Meta(max_length=45, pattern=r"^[0-9A-Fa-f:.]*$(?!\n)")] = ""


class PreferencesBody(Preferences, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The preferences to put, and the proof of them."""

    evidence: Evidence | None = None

    def document(self) -> Preferences:
        """The preferences alone."""
        return Preferences(**{name: getattr(self, name) for name in Preferences.__struct_fields__})


class DeviceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device to register."""

    device_id: DeviceId
    platform: Platform
    #: A string; of a browser, its PushSubscription object.
    token: str | dict[str, Any]
    app_version: _AppVersion = ""


class DevicePatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device seen again: register it, refresh it, or exchange its token for the next one."""

    device_id: DeviceId | UnsetType = UNSET
    platform: Platform | UnsetType = UNSET
    token: str | dict[str, Any] | UnsetType = UNSET
    app_version: _AppVersion | UnsetType = UNSET
    #: The token that `token` replaces.
    old_token: str | dict[str, Any] | UnsetType = UNSET


class SuppressionQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries of the suppression list are wanted."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(max_length=64)] = ""
    channel: Channel | None = None
    reason: SuppressionReason | None = None


class SuppressedAddress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address to close, or to open again: in clear, or by the hash that the list shows."""

    channel: Literal["email", "sms"]
    address: _Short = ""
    address_hash: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$(?!\n)")] = ""


class TopicQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which topics are wanted."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(max_length=400)] = ""


class SubscribersBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who joins a topic, and who leaves it."""

    add: Annotated[list[UserId], Meta(max_length=MAX_SUBSCRIBERS)] = []
    remove: Annotated[list[UserId], Meta(max_length=MAX_SUBSCRIBERS)] = []
