"""The pipeline's words. Every member is explained in docs/glossary.md, and a test holds the two together."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class Priority(StrEnum):
    """How urgent a notification is; each has queues and a worker pool of its own."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def is_urgent(self) -> bool:
        """Urgent pages run plan, render and dispatch without a queue hop between them."""
        return self in (Priority.CRITICAL, Priority.HIGH)


class Step(StrEnum):
    """The Celery tasks of the pipeline; a member's value is the task's name and part of the wire contract."""

    PLAN = "notify.plan"
    RENDER = "notify.render"
    DISPATCH = "notify.dispatch"
    RECEIVE = "notify.receive"
    SWEEP = "notify.sweep"
    COLLECT_DUE = "notify.collect_due"
    DIGEST = "notify.digest"
    MAINTAIN = "notify.maintain"
    HEARTBEAT = "notify.heartbeat"
    WATCH_LOAD = "notify.watch_load"


class PageStep(StrEnum):
    """What a page of work waits for. Dispatch is no value: a lost dispatch message is rendered again."""

    PLAN = "plan"
    FALLBACK = "fallback"
    SEND = "send"


class NotificationStatus(StrEnum):
    """Where a notification as a whole stands, rolled up from its deliveries."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    DEFERRED = "deferred"
    PROCESSING = "processing"
    SENT = "sent"
    DELIVERED = "delivered"
    PARTIALLY_DELIVERED = "partially_delivered"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class DeliveryStatus(StrEnum):
    """Where one delivery (recipient, channel, endpoint) stands; the allowed changes are in rules/lifecycle.py."""

    PLANNED = "planned"
    DEFERRED = "deferred"
    SENDING = "sending"
    RETRYING = "retrying"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DEAD = "dead"


class ReasonCode(StrEnum):
    """Why a delivery ended otherwise than delivered; shown to callers, so the words never change."""

    USER_OPTED_OUT = "user_opted_out"
    CATEGORY_OPTED_OUT = "category_opted_out"
    SUPPRESSED_ADDRESS = "suppressed_address"
    NO_ADDRESS = "no_address"
    NO_DEVICE = "no_device"
    USER_DELETED = "user_deleted"
    USER_ERASED = "user_erased"
    DUPLICATE = "duplicate"
    FREQUENCY_CAP = "frequency_cap"
    BUDGET_EXHAUSTED = "budget_exhausted"
    SMS_NOT_JUSTIFIED = "sms_not_justified"
    SYSTEM_MODE = "system_mode"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    INVALID_RECIPIENT = "invalid_recipient"
    INVALID_PAYLOAD = "invalid_payload"
    PROVIDER_REJECTED = "provider_rejected"
    RETRIES_EXHAUSTED = "retries_exhausted"
    OUTCOME_UNKNOWN = "outcome_unknown"
    NO_PROVIDER = "no_provider"
    SUPERSEDED = "superseded"
    QUIET_HOURS = "quiet_hours"


#: In the place of a provider account, where it is ourselves who noticed. No account can be called so.
OURSELVES = "@carillon"


class EventKind(StrEnum):
    """What happened to a notification beside its ordinary way; `/trace` shows them in order."""

    SCHEDULED = "scheduled"
    DEFERRED = "deferred"
    OVERRULED = "overruled"
    DIGESTED = "digested"
    SUPERSEDED = "superseded"
    RETRY = "retry"
    SNOOZED = "snoozed"
    RESCUED = "rescued"
    REFUSED_AT_CLAIM = "refused_at_claim"
    FALLBACK = "fallback"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DEAD = "dead"
    REPLAYED = "replayed"
    RESENT = "resent"
    RECEIPT = "receipt"
    DEVICE_DEACTIVATED = "device_deactivated"
    UNSUBSCRIBED = "unsubscribed"


class ReceiptOutcome(StrEnum):
    """What came of a receipt."""

    #: It changed its delivery.
    APPLIED = "applied"
    #: It belongs to its delivery and said nothing new; what it says of the address counts all the same.
    NOTED = "noted"
    #: It concerns an address, not a delivery.
    ADDRESS = "address"
    #: It names a delivery that this account never had.
    FOREIGN = "foreign"
    #: There is no such delivery, or it did not come to rest in time.
    ORPHANED = "orphaned"
    #: Genuine, kept, and of no use: nothing says what it is about.
    UNKNOWN = "unknown"


class QuietHoursPolicy(StrEnum):
    """What becomes of a notification of this type inside the recipient's quiet hours."""

    BYPASS = "bypass"
    DEFER = "defer"
    DIGEST = "digest"
    DROP = "drop"


class SystemMode(StrEnum):
    """What the whole system may do, as its operator says."""

    NORMAL = "normal"
    DEGRADED = "degraded"
    CRITICAL = "critical"


class Halt(StrEnum):
    """How a batch was stopped as a whole."""

    #: Until it is let go.
    HELD = "held"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What is decided for one recipient on one channel."""

    SEND = "send"
    DEFER = "defer"
    DIGEST = "digest"
    SUPPRESS = "suppress"
    EXPIRE = "expire"


class Rule(StrEnum):
    """What we ask after the person, the address and the law had their say (`Ground`); in the order of asking."""

    BUDGET = "budget"
    SMS_COST = "sms_cost"
    PAUSED = "paused"
    SYSTEM_MODE = "system_mode"
    DIGEST = "digest"
    QUIET_HOURS = "quiet_hours"
    FREQUENCY_CAP = "frequency_cap"


class OverCap(StrEnum):
    """What becomes of a notification of this type where its recipient has had enough for now."""

    DIGEST = "digest"
    DEFER = "defer"
    SUPPRESS = "suppress"


class Scope(StrEnum):
    """What an API key may do."""

    SEND = "send"
    SEND_CRITICAL = "send:critical"
    BULK = "bulk"
    USERS = "users"
    TEMPLATES = "templates"
    OPERATE = "operate"
    READ = "read"


class Tier(StrEnum):
    """How often an API key may call."""

    STANDARD = "standard"
    BULK = "bulk"
    INTERNAL = "internal"


class Content(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Rendered words for one delivery; which fields count depends on the channel."""

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


class TypeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A notification type: the policy a notification is told by."""

    key: str
    category: str
    priority: str
    channels: list[str]
    mandatory: bool
    exempt_from_caps: bool
    caps: list[dict[str, int]]
    quiet_hours: str
    digestible: bool
    #: What becomes of it over a cap.
    over_cap: str = OverCap.DEFER.value
    #: Days after which its words go, in log and inbox; None: when the log does.
    retention_days: int | None = None
    ttl_seconds: int | None
    #: Whether it is noticed that an e-mail was opened, or a link in it followed.
    track_opens: bool = False
    track_clicks: bool = False
    template_id: str | None


class PinnedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The published version of a template: what a new notification is bound to."""

    version_id: int
    template_id: str
    number: int
    type_key: str
    default_locale: str
    variables: dict[str, Any]


class ClaimedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of work this process holds until its lease ends."""

    page_id: UUID
    step: PageStep
    priority: Priority
    #: None while the page is to be planned.
    channel: str | None
    #: Empty where the claim did not ask for them: a dispatch message says itself what it carries.
    ids: list[UUID]
    #: How many ids the page holds.
    size: int
    #: The fencing token: a later claim of the same page carries another.
    claims: int
    trace_id: str
    claimed_until: datetime


class PageRef(msgspec.Struct, frozen=True, kw_only=True):
    """A page by name, with what decides its queue."""

    page_id: UUID
    priority: Priority
    channel: str | None = None
