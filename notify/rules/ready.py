"""Rendered deliveries on their way to dispatch, and the messages made of them."""

from __future__ import annotations

from uuid import UUID

import msgspec
import zstandard

from channels.vocabulary import (
    Channel,
    EmailMessage,
    InAppMessage,
    Message,
    Platform,
    PushMessage,
    SmsMessage,
)
from notify.vocabulary import Content, ReasonCode


class Ready(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A delivery with its words: what a dispatch message carries, sealed."""

    id: UUID
    type_key: str
    category: str
    mandatory: bool
    test: bool
    collapse_key: str
    #: Whether fallback channels are left if this one fails.
    has_fallback: bool
    content: Content
    #: Its batch, where that may be stopped as a whole.
    batch_id: UUID | None = None


class Unsendable(msgspec.Struct, frozen=True, gc=False):
    """A delivery that ended before anybody could be asked to send it."""

    delivery_id: UUID
    reason: ReasonCode
    detail: str


class Reach(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What dispatch adds at the last moment: where to, as it is now."""

    notification_id: UUID
    recipient_id: int
    #: E-mail address, number or push token; empty for in-app.
    address: str
    platform: Platform | None
    #: The inbox entry under the recipient's key; empty on other channels.
    sealed: bytes
    urgent: bool
    expires_at: float | None
    trace_id: str
    #: Where the reader of an e-mail says no; empty where there is nothing to say no to.
    unsubscribe_url: str = ""


_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decode = msgspec.msgpack.Decoder(list[Ready]).decode


def entry_place(delivery_id: UUID) -> bytes:
    """What binds a sealed inbox entry to its row."""
    return b"inbox.sealed:" + delivery_id.bytes


def batch_place(batch_id: UUID) -> bytes:
    """What binds the variables that a batch shares to its row."""
    return b"batch:" + batch_id.bytes


def pack(ready: list[Ready]) -> bytes:
    """A page of rendered deliveries as compressed bytes, to be sealed before it leaves the process."""
    return zstandard.compress(_encode(ready), 1)


def unpack(packed: bytes) -> list[Ready]:
    """What `pack` was given."""
    return _decode(zstandard.decompress(packed))


def message_for(channel: Channel, ready: Ready, reach: Reach) -> Message:
    """The message of a delivery on its channel."""
    if channel is Channel.PUSH:
        return _push(ready, reach)
    if channel is Channel.EMAIL:
        return _email(ready, reach)
    if channel is Channel.SMS:
        return SmsMessage(
            id=ready.id,
            test=ready.test,
            category=ready.category,
            trace_id=reach.trace_id,
            expires_at=reach.expires_at,
            to=reach.address,
            text=ready.content.body,
        )
    return InAppMessage(
        id=ready.id,
        test=ready.test,
        category=ready.category,
        trace_id=reach.trace_id,
        expires_at=reach.expires_at,
        recipient_id=reach.recipient_id,
        notification_id=reach.notification_id,
        type=ready.type_key,
        sealed=reach.sealed,
        collapse_key=ready.collapse_key,
    )


def _push(ready: Ready, reach: Reach) -> PushMessage:
    content = ready.content
    return PushMessage(
        id=ready.id,
        test=ready.test,
        category=ready.category,
        trace_id=reach.trace_id,
        expires_at=reach.expires_at,
        token=reach.address,
        platform=reach.platform or Platform.ANDROID,
        title=content.title,
        body=content.body,
        image_url=content.image_url,
        action_url=content.action_url,
        actions=content.actions,
        data=content.data,
        sound=content.sound,
        badge=content.badge,
        action_category=content.category,
        collapse_key=ready.collapse_key,
        urgent=reach.urgent,
    )


def _email(ready: Ready, reach: Reach) -> EmailMessage:
    content = ready.content
    return EmailMessage(
        id=ready.id,
        test=ready.test,
        category=ready.category,
        trace_id=reach.trace_id,
        expires_at=reach.expires_at,
        to=reach.address,
        subject=content.subject or content.title,
        text=content.body,
        html=content.html_body,
        headers=_headers(reach),
    )


def _headers(reach: Reach) -> dict[str, str]:
    """Our name for the mail, and the one click of RFC 8058; DKIM must cover both lines of it."""
    headers = {"X-Notification-ID": str(reach.notification_id)}
    if reach.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{reach.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
