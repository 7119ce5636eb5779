"""Google's own SDK as the judge of what we tell FCM: equivalent messages must be the same JSON."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from firebase_admin import messaging

from channels.rules import fcm
from channels.vocabulary import Platform, PushMessage
from tests.providers.conformance import delivery_id

NOW = time.time()
ID = str(delivery_id(1))
LOOK = fcm.Look("orders", "#1a73e8", "https://example.com/icon.png")
RICH: dict[str, Any] = {
    "title": "Hello",
    "body": "plain words",
    "image_url": "https://example.com/i.png",
    "action_url": "https://example.com/o/1",
    "actions": [{"id": "track", "title": "Track"}],
    "data": {"order_id": "1"},
    "sound": "bell.caf",
    "badge": 3,
    "action_category": "ORDER",
    "collapse_key": "order-1",
    "urgent": True,
    "expires_at": NOW + 100.5,
}
DATA = {
    "order_id": "1",
    "carillon_id": ID,
    "action_url": "https://example.com/o/1",
    "actions": '[{"id":"track","title":"Track"}]',
}
NOTIFICATION = messaging.Notification(title="Hello", body="plain words", image="https://example.com/i.png")
ANDROID = messaging.AndroidConfig(
    priority="high",
    ttl=100,
    collapse_key="order-1",
    notification=messaging.AndroidNotification(
        sound="bell.caf",
        click_action="ORDER",
        channel_id="orders",
        color="#1a73e8",
        tag="order-1",
        notification_count=3,
    ),
)
APNS = messaging.APNSConfig(
    headers={
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": str(int(NOW + 100.5)),
        "apns-collapse-id": "order-1",
    },
    payload=messaging.APNSPayload(messaging.Aps(sound="bell.caf", badge=3, category="ORDER", mutable_content=True)),
    fcm_options=messaging.APNSFCMOptions(image="https://example.com/i.png"),
)
WEB = messaging.WebpushConfig(
    headers={"TTL": "100", "Urgency": "high", "Topic": "order-1"},
    notification=messaging.WebpushNotification(
        icon="https://example.com/icon.png",
        image="https://example.com/i.png",
        tag="order-1",
        actions=[messaging.WebpushNotificationAction("track", "Track")],
    ),
    fcm_options=messaging.WebpushFCMOptions(link="https://example.com/o/1"),
)


def ours(**changes: Any) -> dict[str, Any]:
    """What we send; the priority in the SDK's spelling, which the API takes as well as its own."""
    declared: dict[str, Any] = {"id": delivery_id(1), "token": "t0", "platform": Platform.ANDROID, **changes}
    body = fcm.body_of(PushMessage(**declared), look=LOOK, now=NOW)
    if "android" in body:
        body["android"]["priority"] = body["android"]["priority"].lower()
    return body


def theirs(**parts: Any) -> dict[str, Any]:
    """What the SDK makes of an equivalent message."""
    told: dict[str, Any] = json.loads(str(messaging.Message(**parts)))
    return told


@pytest.mark.filterwarnings("ignore:Message.token is deprecated:DeprecationWarning")
def test_the_sdk_tells_an_android_device_the_same() -> None:
    assert ours(**RICH) == theirs(token="t0", data=DATA, notification=NOTIFICATION, android=ANDROID)


@pytest.mark.filterwarnings("ignore:Message.token is deprecated:DeprecationWarning")
def test_the_sdk_tells_an_iphone_the_same() -> None:
    assert ours(**RICH, platform=Platform.IOS) == theirs(token="t0", data=DATA, notification=NOTIFICATION, apns=APNS)


@pytest.mark.filterwarnings("ignore:Message.token is deprecated:DeprecationWarning")
def test_the_sdk_tells_a_sleeping_app_the_same() -> None:
    sent = ours(data={"refresh": "1"}, platform=Platform.IOS)
    headers = {"apns-push-type": "background", "apns-priority": "5"}
    payload = messaging.APNSPayload(messaging.Aps(content_available=True))
    quiet = messaging.APNSConfig(headers=headers, payload=payload)
    assert sent == theirs(token="t0", data={"refresh": "1", "carillon_id": ID}, apns=quiet)


@pytest.mark.parametrize(
    ("token", "target"),
    [("/topics/news", {"topic": "/topics/news"}), ("'a' in topics", {"condition": "'a' in topics"})],
)
def test_the_sdk_tells_a_topic_the_same(token: str, target: dict[str, str]) -> None:
    sent = ours(**RICH, token=token)
    parts = {"notification": NOTIFICATION, "android": ANDROID, "apns": APNS, "webpush": WEB}
    assert sent == theirs(data=DATA, **parts, **target)
