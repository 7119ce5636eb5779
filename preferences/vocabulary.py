"""The words of this app: who a recipient is, how they can be reached, and what they allow."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, UnsetType

from channels.vocabulary import Channel, Platform

#: Up to 128 visible ASCII characters without "/": one segment of a path, with one spelling only.
ID_PATTERN = r"^(?!\.{1,2}$)[!-.0-~]{1,128}$(?!\n)"
#: The owner's name for a recipient.
UserId = Annotated[str, Meta(pattern=ID_PATTERN)]
#: The app's own name for one of its installations.
DeviceId = Annotated[str, Meta(pattern=ID_PATTERN)]
#: The same for a topic, which may hold a user's id: the followers of user X are the topic `user:X`.
TOPIC_PATTERN = r"^(?!\.{1,2}$)[!-.0-~]{1,200}$(?!\n)"
#: The owner's name for what people subscribe to.
TopicKey = Annotated[str, Meta(pattern=TOPIC_PATTERN)]


class RecipientStatus(StrEnum):
    """Whether a recipient may be sent to at all."""

    ACTIVE = "active"
    #: Nothing is sent; the data stays until it is erased, and a new PUT makes the recipient active again.
    DELETED = "deleted"
    #: Nothing is sent ever again; the data key is destroyed.
    ERASED = "erased"


class Category(StrEnum):
    """What a notification type is about; opt-outs and marketing consent are by category."""

    SECURITY = "security"
    TRANSACTION = "transaction"
    SOCIAL = "social"
    REMINDER = "reminder"
    MARKETING = "marketing"


class ContactKind(StrEnum):
    """The addresses of which a recipient has at most one each."""

    EMAIL = "email"
    PHONE = "phone"


class ContactStatus(StrEnum):
    """What became of an address at its last use."""

    ACTIVE = "active"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    INVALID = "invalid"


class SuppressionReason(StrEnum):
    """Why nothing is sent to an address on a channel any more, whoever it belongs to."""

    HARD_BOUNCE = "hard_bounce"
    #: Temporary failures over weeks, and no delivery between them.
    SOFT_BOUNCE = "soft_bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    #: The provider says that no such address exists.
    INVALID = "invalid"
    #: An operator's decision.
    MANUAL = "manual"
    #: Whoever had it was erased: whoever has it now gets no marketing.
    ERASURE = "erasure"


class ConsentScope(StrEnum):
    """What a person allowed or forbade."""

    GLOBAL = "global"
    MARKETING = "marketing"
    #: One channel; with a category, that category on it; with a type, that type on it.
    CHANNEL = "channel"
    CATEGORY = "category"
    TYPE = "type"
    #: Text messages beyond the channel's switch: `SmsPreference.NEVER`.
    SMS = "sms"
    #: An address on a channel, whoever has it: what the suppression list says.
    ADDRESS = "address"


class ConsentState(StrEnum):
    """What was said of it."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"
    #: Given, and to be confirmed by mail before it counts.
    REQUESTED = "requested"


class ConsentMeans(StrEnum):
    """How we know."""

    API = "api"
    PREFERENCE_PAGE = "preference_page"
    UNSUBSCRIBE_LINK = "unsubscribe_link"
    COMPLAINT = "complaint"
    STOP = "stop"
    IMPORT = "import"
    ADMIN = "admin"
    DOUBLE_OPT_IN = "double_opt_in"
    ERASURE = "erasure"


class ConsentActor(StrEnum):
    """Who told us."""

    APPLICATION = "application"
    STAFF = "staff"
    PERSON = "person"
    PROVIDER = "provider"


class Origin(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a word about consent comes from: what makes an entry of the ledger a proof."""

    means: ConsentMeans
    actor: ConsentActor
    #: Our number of the application or of the member of staff, or the provider account's name.
    actor_id: str = ""
    #: Which wording the person saw.
    text_version: str = ""
    #: When they saw and said it, if that was before we were told.
    said_at: datetime | None = None
    #: In clear on its way; kept sealed.
    ip_address: str = ""
    #: The message whose link was followed.
    delivery_id: UUID | None = None
    #: 32 hex digits of the W3C trace.
    trace: str = ""


class InactiveReason(StrEnum):
    """Why a device is not sent to any more."""

    #: The provider says that nobody has this token any more.
    REJECTED = "provider_rejected_token"
    #: The token was replaced by, or registered under, another device of the same or of another person.
    MOVED = "moved"
    #: Removed by its owner.
    REMOVED = "removed"
    #: Not seen for as long as policy says.
    STALE = "stale"


class SmsPreference(StrEnum):
    """What a person allows of text messages, beyond the channel's switch."""

    DEFAULT = "default"
    NEVER = "never"


class DigestFrequency(StrEnum):
    """How often a person wants to hear of what can wait."""

    REALTIME = "realtime"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


class QuietHours(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Local wall-clock window: start inclusive, end exclusive, over midnight if start > end."""

    start: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]
    end: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]


#: Characters of a type's key in a person's preferences.
LONGEST_TYPE_KEY = 100
#: Key of a notification type as it may stand in a person's preferences, whether or not the type exists (yet).
TypeKey = Annotated[str, Meta(min_length=1, max_length=LONGEST_TYPE_KEY)]


class Preferences(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """The document of `api.md` section 3. What is not said is on, except marketing, which needs a yes.

    Stored without what equals the default: most people's document is a few bytes.
    """

    channels: dict[Channel, bool] = {}
    categories: dict[Category, dict[Channel, bool]] = {}
    types: dict[TypeKey, dict[Channel, bool]] = {}
    global_opt_out: bool = False
    #: None: never said; then the installation's default counts (off, unless it says otherwise).
    marketing_opt_in: bool | None = None
    channel_order: tuple[Channel, ...] = ()
    critical_channel: Channel | None = None
    sms_preference: SmsPreference = SmsPreference.DEFAULT
    quiet_hours: QuietHours | None = None
    #: Wins over the recipient's own, when given.
    timezone: str | None = None
    #: Wins over the recipient's own, when given.
    locale: str | None = None
    digest_frequency: DigestFrequency = DigestFrequency.REALTIME
    #: Number of writes so far; 0: never written. Kept in its own column.
    version: int = 0


class RecipientRef(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A recipient by our own id, for those who only need to name and to seal."""

    id: int
    user_id: str
    status: RecipientStatus
    #: Empty once the recipient is erased.
    wrapped_key: bytes


class ContactFact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An e-mail address or phone number, sealed under the recipient's data key."""

    id: int
    sealed: bytes
    #: Blind index of the normalised address.
    index: bytes
    #: What may be shown of it.
    hint: str
    #: False once it bounced or proved invalid, or its owner sent a STOP.
    usable: bool


class DeviceFact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An active device and its push token, sealed under the recipient's data key."""

    id: int
    platform: Platform
    sealed: bytes
    index: bytes
    hint: str


class RecipientFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """All that is decided upon for one recipient. Packed without names: it is unpacked with every page."""

    id: int
    user_id: str
    status: RecipientStatus
    #: The recipient's own; what stands in `preferences` wins. Empty: unknown.
    locale: str
    timezone: str
    country_code: str
    attributes: dict[str, Any]
    preferences: Preferences
    email: ContactFact | None
    phone: ContactFact | None
    devices: tuple[DeviceFact, ...]
    #: Channels whose address of this moment is on the suppression list.
    suppressed: frozenset[Channel]
    wrapped_key: bytes
    #: Channels whose address of this moment is closed to marketing alone: its owner complained.
    unwanted: frozenset[Channel] = frozenset()


class DenyReason(StrEnum):
    """The `reason_code` words of `api.md` section 2 that concern the person."""

    USER_ERASED = "user_erased"
    USER_DELETED = "user_deleted"
    USER_OPTED_OUT = "user_opted_out"
    CATEGORY_OPTED_OUT = "category_opted_out"
    SUPPRESSED_ADDRESS = "suppressed_address"
    NO_ADDRESS = "no_address"
    NO_DEVICE = "no_device"


class Ground(StrEnum):
    """Which rule refused: finer than the reason code, for whoever asks why. In the order in which they speak."""

    ERASED = "erased"
    DELETED = "deleted"
    GLOBAL_OPT_OUT = "global_opt_out"
    ADDRESS_SUPPRESSED = "address_suppressed"
    CHANNEL_OFF = "channel_off"
    SMS_NEVER = "sms_never"
    TYPE_OFF = "type_off"
    CATEGORY_OFF = "category_off"
    NO_MARKETING_CONSENT = "no_marketing_consent"
    NO_EMAIL = "no_email"
    NO_PHONE = "no_phone"
    NO_DEVICE = "no_device"


class Allow(msgspec.Struct, frozen=True, gc=False):
    """It may go out on this channel."""

    #: The first rule that objected, and was not heeded because the type is mandatory.
    despite: Ground | None = None


class Deny(msgspec.Struct, frozen=True, gc=False):
    """It may not, for this reason."""

    reason: DenyReason
    ground: Ground


Verdict = Allow | Deny


class Profile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A recipient as the owner describes them, checked and normalised, in clear. Never logged."""

    #: As it is sent to, or None.
    email: str | None
    #: E.164, or None.
    phone: str | None
    #: Empty: unknown; so too the next two.
    locale: str
    timezone: str
    country_code: str
    #: A JSON object.
    attributes: str


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True):
    """The fields to change, checked and normalised; unset ones stay as they are."""

    email: str | UnsetType | None
    phone: str | UnsetType | None
    locale: str | UnsetType
    timezone: str | UnsetType
    country_code: str | UnsetType
    #: A merge patch of the attributes; None removes them all.
    attributes: dict[str, Any] | UnsetType | None


class UserRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A user in full, addresses in clear: for the owner's own system. Never logged."""

    user_id: str
    status: RecipientStatus
    email: str | None
    phone: str | None
    locale: str | None
    timezone: str | None
    country_code: str | None
    attributes: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class DeviceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A device as its owner may see it: never the token."""

    device_id: str
    platform: Platform
    #: The end of the token.
    token: str
    app_version: str
    active: bool
    #: Null while active.
    inactive_reason: InactiveReason | None
    registered_at: datetime
    last_seen_at: datetime
