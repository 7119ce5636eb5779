"""What APNs is told: payload and headers of a message.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from channels.vocabulary import PushMessage

#: Bytes of a payload; VoIP has its own limit.
PAYLOAD_BYTES, VOIP_PAYLOAD_BYTES = 4096, 5120
#: Bytes of a collapse id.
_COLLAPSE_ID_BYTES = 64
#: The longest APNs keeps a message.
_LONGEST_SECONDS = 30 * 86_400

#: Push types with a topic of their own: the app's bundle id and this.
_TYPE_OF_TOPIC = {
    ".voip": "voip",
    ".voip-ptt": "pushtotalk",
    ".complication": "complication",
    ".location-query": "location",
    ".pushkit.fileprovider": "fileprovider",
    ".push-type.liveactivity": "liveactivity",
    ".push-type.widgets": "widgets",
    ".push-type.controls": "controls",
}


def type_of_topic(topic: str) -> str:
    """The push type a topic stands for; empty for an app's own, where alert or background is the message's."""
    return next((kind for suffix, kind in _TYPE_OF_TOPIC.items() if topic.endswith(suffix)), "")


def payload_of(message: PushMessage) -> bytes:
    """The JSON body; empty when the texts are no Unicode (lone surrogates)."""
    # Our id travels with it, so that an app which gets a message twice can tell (R086).
    own: dict[str, Any] = {
        "carillon_id": str(message.id),
        "action_url": message.action_url,
        "image_url": message.image_url,
        "actions": message.actions,
        "data": message.data,
    }
    try:
        return orjson.dumps({"aps": aps_of(message), **{key: value for key, value in own.items() if value}})
    except TypeError:
        return b""


def aps_of(message: PushMessage) -> dict[str, Any]:
    """Apple's own part of the payload; FCM hands the same to APNs."""
    aps: dict[str, Any] = {}
    alert = {key: text for key, text in (("title", message.title), ("body", message.body)) if text}
    if alert:
        aps["alert"] = alert
    if message.badge is not None:
        aps["badge"] = message.badge
    if message.sound:
        aps["sound"] = message.sound
    if message.action_category:
        aps["category"] = message.action_category
    if alert and (message.image_url or message.actions):
        aps["mutable-content"] = 1  # lets the app's extension fetch the image, and add the buttons, before it is shown
    if is_background(message):
        aps["content-available"] = 1
    return aps


def is_background(message: PushMessage) -> bool:
    """Nothing to show, to hear or to count: it wakes the app, and must say so."""
    return not (message.title or message.body or message.sound) and message.badge is None


def headers_of(message: PushMessage, *, kind: str, now: float) -> dict[str, str]:
    """The headers that are the message's own; `kind` is the topic's push type, where it has one."""
    background = not kind and is_background(message)
    headers = {
        "apns-push-type": kind or ("background" if background else "alert"),
        "apns-priority": "10" if message.urgent and not background else "5",
        "apns-expiration": expiration_of(message, now),
    }
    if message.collapse_key:
        headers["apns-collapse-id"] = collapse_id(message.collapse_key)
    return headers


def expiration_of(message: PushMessage, now: float) -> str:
    """Epoch seconds until which APNs keeps trying; 0 for what is too late to be kept."""
    longest = now + _LONGEST_SECONDS
    until = longest if message.expires_at is None else min(message.expires_at, longest)
    return str(int(until)) if until > now else "0"


def collapse_id(key: str) -> str:
    """The key as APNs takes it: as it is where it fits a header of 64 bytes, else its hash.

    Cut off instead, keys with a common beginning would replace each other's messages.
    """
    if len(key) <= _COLLAPSE_ID_BYTES and key.isascii() and key.isprintable() and " " not in key:
        return key
    return sha256(key.encode(errors="surrogatepass")).hexdigest()
