"""The words of the lowest layer: channels, platforms, messages, and what became of each.

Hot values are `msgspec.Struct`s that the garbage collector need not follow: a page builds hundreds of them.
"""

from __future__ import annotations

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
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    OPENED = "opened"
    CLICKED = "clicked"
    #: Genuine, kept, and not understood.
    UNKNOWN = "unknown"


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


class PushMessage(Envelope, frozen=True, kw_only=True, gc=False):
    """A push notification for one device."""

    #: Opaque to us; for the web, the browser's PushSubscription object as JSON text.
    token: str
    platform: Platform
    title: str = ""
    body: str = ""
    image_url: str = ""
    action_url: str = ""
    #: Extra keys for the app.
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
    #: Epoch seconds at which the request started.
    started_at: float = 0.0
    latency_ms: float = 0.0
    #: What other accounts answered before, in the same call; the first one first.
    earlier: tuple[SendResult, ...] = ()
