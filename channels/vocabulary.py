"""The words of the lowest layer: channels, platforms, messages, and what became of each.

Hot values are `msgspec.Struct`s that the garbage collector need not follow: a page builds hundreds of them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Channel(StrEnum):
    """A way to reach a person."""

    PUSH = "push"
    EMAIL = "email"
    SMS = "sms"
    IN_APP = "in_app"


class Platform(StrEnum):
    """What a push token belongs to."""

    IOS = "ios"
    ANDROID = "android"
    WEB = "web"


class SendOutcome(StrEnum):
    """What a provider's answer means for us; every answer of every provider falls into exactly one."""

    #: The provider took the message (class OK).
    ACCEPTED = "accepted"
    #: Not sent because of a rate limit, ours or theirs: wait, no attempt is consumed (class THR).
    THROTTLED = "throttled"
    #: Definitely not accepted, by the provider's fault: retry or another provider (class TRN).
    TRANSIENT = "transient"
    #: Nobody knows whether it was accepted: time-out or reset after the request was written (class AMB).
    AMBIGUOUS = "ambiguous"
    #: The address will never receive: deactivate the endpoint (class RCPT).
    BAD_RECIPIENT = "bad_recipient"
    #: This message is refused for what it is; the endpoint is fine (class REQ).
    BAD_MESSAGE = "bad_message"
    #: Our credentials or settings are wrong: stop the account, alert, hold its traffic (class AUTH).
    MISCONFIGURED = "misconfigured"


class ReceiptKind(StrEnum):
    """What a provider tells about a message after (or while) it was accepted."""

    DELIVERED = "delivered"
    #: Permanent: the address is suppressed.
    BOUNCED = "bounced"
    #: Temporary: counted, and only many of them suppress.
    SOFT_BOUNCED = "soft_bounced"
    #: The provider is still trying.
    DEFERRED = "deferred"
    #: The provider gave up, and the address is not to blame: another route may do better.
    FAILED = "failed"
    #: On its way; changes nothing that we did not know.
    PROGRESS = "progress"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OPENED = "opened"
    CLICKED = "clicked"
    #: Wiped away unread, as the app noticed.
    DISMISSED = "dismissed"
    #: Genuine, kept, and not understood.
    UNKNOWN = "unknown"


class InboxMark(StrEnum):
    """What readers do with an entry of their inbox."""

    READ = "read"
    UNREAD = "unread"
    #: Not shown any more.
    ARCHIVE = "archive"


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every message carries beside its content."""

    #: The delivery's id: the key by which providers, ledgers and apps recognise a repeat.
    id: UUID
    #: A test message reaches the built-in sandbox only.
    test: bool = False
    #: Category of the notification type (security, marketing …); decides nothing here.
    category: str = ""
    trace_id: str = ""
    #: Epoch seconds after which the message is worthless, or None.
    expires_at: float | None = None
    #: Twice is better than never: an attempt whose fate is unknown may be repeated, elsewhere too.
    may_repeat: bool = False
    #: ISO 3166 code of the country the recipient is in, as far as it is known: accounts may serve some only.
    country: str = ""
    #: Account to ask last: it took the message before, and failed to deliver it.
    avoid: str = ""


class PushMessage(Envelope, frozen=True, kw_only=True, gc=False):
    """A push notification for one device."""

    #: Opaque to us; for the web, the browser's PushSubscription object as JSON text.
    token: str
    platform: Platform
    title: str = ""
    body: str = ""
    image_url: str = ""
    action_url: str = ""
    #: Buttons: `id`, `title`, and a `url` where one opens a page.
    actions: list[dict[str, str]] = []
    #: Extra keys for the app; a push of nothing but data wakes the app without showing anything.
    data: dict[str, str] = {}
    sound: str = ""
    badge: int | None = None
    action_category: str = ""
    #: A later message with the same key replaces this one on the device.
    collapse_key: str = ""
    #: Wake the device now (critical and high), at the cost of its battery.
    urgent: bool = False


class EmailMessage(Envelope, frozen=True, kw_only=True, gc=False):
    """One e-mail to one address; the sender is the provider account's."""

    to: str
    subject: str = ""
    text: str = ""
    #: Empty: a text-only mail.
    html: str = ""
    #: Extra headers, such as List-Unsubscribe.
    headers: dict[str, str] = {}


class SmsMessage(Envelope, frozen=True, kw_only=True, gc=False):
    """One text message to one E.164 number."""

    to: str
    text: str


class InAppMessage(Envelope, frozen=True, kw_only=True, gc=False):
    """One entry of a recipient's inbox, already sealed under the recipient's key."""

    recipient_id: int
    notification_id: UUID
    #: Key of the notification type.
    type: str
    sealed: bytes
    #: A later entry with the same key takes the place of this one.
    collapse_key: str = ""


class TouchedEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry of a broadcast that its reader has touched: from now on it is a row like any other."""

    #: The delivery's.
    id: UUID
    recipient_id: int
    notification_id: UUID
    broadcast_id: UUID
    type: str
    sealed: bytes
    #: When it was told: touching it moves nothing.
    created_at: datetime
    expires_at: datetime | None
    #: Whether it cannot be shown: then it is not to be counted either.
    is_hidden: bool = False


MESSAGE_TYPES: dict[Channel, type[Envelope]] = {
    Channel.PUSH: PushMessage,
    Channel.EMAIL: EmailMessage,
    Channel.SMS: SmsMessage,
    Channel.IN_APP: InAppMessage,
}

Message = PushMessage | EmailMessage | SmsMessage | InAppMessage


class SendResult(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of one message in one call."""

    #: The message's id.
    id: UUID
    outcome: SendOutcome
    #: Name of the provider account that answered; empty when none was asked.
    provider: str = ""
    provider_message_id: str = ""
    #: The provider's own code (or ours: `page_deadline`, `no_provider` …); empty when accepted.
    code: str = ""
    #: For people; never holds personal data.
    detail: str = ""
    #: How long the provider asked us to wait, where it did.
    retry_after_seconds: float | None = None
    #: What the provider already knows at once.
    receipt: ReceiptKind | None = None
    #: Said of this address only, whatever it is: the account as a whole may go on, and is not judged by it.
    address_only: bool = False
    #: Of a bad recipient: epoch seconds since when the provider has known, where it says so. A registration newer
    #: than that is another one.
    gone_since: float | None = None
    #: Text messages this one is billed as; 0 where the provider does not say.
    segments: int = 0
    #: Epoch seconds at which the request started.
    started_at: float = 0.0
    latency_ms: float = 0.0
    #: What other accounts answered before, in the same call; the first one first.
    earlier: tuple[SendResult, ...] = ()


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event of a provider about one message, read from a callback that has been found genuine."""

    #: Unique for the account: the provider's own event id, or made of what makes this event this one.
    event_id: str
    kind: ReceiptKind
    #: Echoed by the provider; None where it only tells its own id or an address.
    delivery_id: UUID | None = None
    provider_message_id: str = ""
    #: Whom it is about, where the event concerns the address rather than one message (STOP, complaint). In clear, and
    #: therefore never stored.
    address: str = ""
    #: The provider's own code.
    code: str = ""
    #: For people; never holds personal data.
    detail: str = ""
    #: Epoch seconds by the provider's clock, where it says.
    occurred_at: float | None = None
    #: Opened or clicked by a program (a mail scanner, a privacy proxy), not by a person.
    by_machine: bool = False


class ReceiptCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A provider's callback as it came in."""

    #: As the provider knows it: built on the public URL, not on what a proxy made of it; with the query.
    url: str
    #: By lower-case name.
    headers: dict[str, str]
    #: Raw: signatures cover bytes.
    body: bytes
    query: list[tuple[str, str]] = []
