"""What FCM is told: the body of one message, for Android, for iOS through APNs, and for all that follow a topic.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from channels.rules import apns, web_push
from channels.rules.topics import target_of
from channels.vocabulary import Platform, PushMessage

#: Bytes of names and values in `notification` and `data`: to one device, and to a topic or condition.
PAYLOAD_BYTES, TOPIC_PAYLOAD_BYTES = 4096, 2048
#: The longest FCM keeps a message, 28 days.
_LONGEST_TTL_SECONDS = 2_419_200


class Look(NamedTuple):
    """What all messages of an account have in common."""

    #: Android's notification channel; the app must have made it.
    channel_id: str = ""
    #: Of the small icon on Android, `#rrggbb`.
    color: str = ""
    #: URL of the icon browsers show.
    web_icon: str = ""


def body_of(message: PushMessage, *, look: Look, now: float) -> dict[str, Any]:
    """The `message` of a request.

    A device gets its platform's block; a topic may be followed from all platforms, and gets all of them.
    """
    target, value = target_of(message.token)
    to_group = target != "token"
    body: dict[str, Any] = {target: value, "data": _data(message)}
    if _has_words(message):
        shown = {"title": message.title, "body": message.body, "image": message.image_url}
        body["notification"] = _filled(shown)
    if to_group or message.platform is Platform.ANDROID:
        body["android"] = _android(message, look, now)
    if to_group or message.platform is Platform.IOS:
        body["apns"] = _apns(message, now)
    if to_group:
        body["webpush"] = _webpush(message, look, now)
    return body


def is_too_large(body: dict[str, Any], encoded: bytes) -> bool:
    """Whether FCM is certain to refuse it; what is close to the limit, it counts for itself."""
    limit = PAYLOAD_BYTES if "token" in body else TOPIC_PAYLOAD_BYTES
    if len(encoded) <= limit:
        return False
    told = {**body.get("notification", {}), **body["data"]}
    return sum(len(name.encode()) + len(text.encode()) for name, text in told.items()) > limit


def _data(message: PushMessage) -> dict[str, str]:
    # Our id travels in the data, so that an app which gets a message twice can tell (R086).
    data = {**message.data, "carillon_id": str(message.id)}
    if message.action_url:
        data["action_url"] = message.action_url
    if message.actions:
        data["actions"] = orjson.dumps(message.actions).decode()
    if message.image_url and not _has_words(message):
        data["image_url"] = message.image_url
    return data


def _android(message: PushMessage, look: Look, now: float) -> dict[str, Any]:
    block: dict[str, Any] = {"priority": "HIGH" if message.urgent else "NORMAL"}
    if message.expires_at is not None:
        block["ttl"] = f"{min(_LONGEST_TTL_SECONDS, max(0, int(message.expires_at - now)))}s"
    if message.collapse_key:
        block["collapse_key"] = message.collapse_key
    if not _has_words(message):
        return block  # anything under `notification` would make it one that is shown
    shown: dict[str, Any] = {
        "sound": message.sound,
        "click_action": message.action_category,
        "channel_id": look.channel_id,
        "color": look.color,
        # `collapse_key` replaces what has not arrived yet, `tag` what is shown already.
        "tag": message.collapse_key,
    }
    shown = _filled(shown)
    if message.badge is not None:
        shown["notification_count"] = message.badge
    if shown:
        block["notification"] = shown
    return block


def _apns(message: PushMessage, now: float) -> dict[str, Any]:
    headers = apns.headers_of(message, kind="", now=now)
    if message.expires_at is None:
        del headers["apns-expiration"]
    aps = apns.aps_of(message)
    aps.pop("alert", None)  # FCM makes it of the notification
    block: dict[str, Any] = {"headers": headers}
    if aps:
        block["payload"] = {"aps": aps}
    if message.image_url and _has_words(message):
        block["fcm_options"] = {"image": message.image_url}
    return block


def _webpush(message: PushMessage, look: Look, now: float) -> dict[str, Any]:
    block: dict[str, Any] = {"headers": web_push.headers_of(message, now=now)}
    if not _has_words(message):
        return block
    actions = [{"action": one.get("id", ""), "title": one.get("title", "")} for one in message.actions]
    shown = {"icon": look.web_icon, "image": message.image_url, "tag": message.collapse_key, "actions": actions}
    if any(shown.values()):
        block["notification"] = _filled(shown)
    if message.action_url.startswith("https://"):  # FCM takes no other link
        block["fcm_options"] = {"link": message.action_url}
    return block


def _has_words(message: PushMessage) -> bool:
    return bool(message.title or message.body)


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
