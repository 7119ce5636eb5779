"""What a browser is told: the subscription it gave, the words for its service worker, the headers around them.

RFC 8030 (delivery), RFC 8291 (encryption), RFC 8292 (VAPID).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import http_ece
import msgspec
import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from channels.vocabulary import PushMessage

#: What every push service must take: 4,096 bytes of body, less 86 of header and 17 of padding and tag.
PLAINTEXT_BYTES = 3993
#: Where browsers' subscriptions point to: Chrome and others, Firefox, Safari, Edge.
PUSH_SERVICES = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
#: Seconds a push service keeps a message for a browser that is closed, at most and where nothing else is said.
_LONGEST_TTL_SECONDS = 28 * 86_400
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")
_HTTPS_PORT = 443


class _Keys(msgspec.Struct, gc=False):
    p256dh: str
    auth: str


class _Subscription(msgspec.Struct, gc=False):
    endpoint: str
    keys: _Keys


class Subscription(NamedTuple):
    """Where one browser is reached, and what it reads with."""

    endpoint: str
    #: Scheme and host: the audience of a VAPID token.
    origin: str
    host: str
    port: int
    #: Uncompressed P-256 point.
    public_key: bytes
    auth: bytes


class Host(NamedTuple):
    """One entry of an allow-list: a host, `*.` before it for all below, and its port."""

    name: str
    port: int

    @property
    def is_literal(self) -> bool:
        """An address instead of a name, or this machine: whoever wrote it knows where it leads."""
        return self.name == "localhost" or is_address(self.name)


_decode = msgspec.json.Decoder(_Subscription).decode


def subscription_of(token: str) -> Subscription:
    """A device's token, taken apart; raises ValueError when it is no subscription."""
    try:
        found = _decode(token)
    except msgspec.MsgspecError as fault:
        raise ValueError(str(fault)) from None
    parts = urlsplit(found.endpoint)
    host, port = parts.hostname or "", parts.port or _HTTPS_PORT
    # What two parsers of URLs might read differently is no host name, so that ours decides for libcurl's.
    is_plain = found.endpoint.isascii() and found.endpoint.isprintable() and " " not in found.endpoint
    if (
        not is_plain
        or parts.scheme != "https"
        or "@" in parts.netloc
        or not (is_address(host) or _HOST_NAME.match(host))
    ):
        raise ValueError("the endpoint is no https URL")
    return Subscription(
        found.endpoint,
        f"https://{parts.netloc.lower()}".removesuffix(f":{_HTTPS_PORT}"),
        host,
        port,
        _bytes(found.keys.p256dh),
        _bytes(found.keys.auth),
    )


def host_of(entry: str) -> Host:
    """An entry `host`, `*.host` or `host:port` of an allow-list; raises ValueError for anything else."""
    parts = urlsplit(f"//{entry}")
    name = (parts.hostname or "").removeprefix("*.")
    if parts.netloc != entry or "@" in entry or not (is_address(name) or _HOST_NAME.match(name)):
        raise ValueError("is no host name")
    return Host(parts.hostname or "", parts.port or _HTTPS_PORT)


def is_allowed(subscription: Subscription, hosts: Sequence[Host]) -> bool:
    """Whether the list names where a subscription points to."""
    return any(one.port == subscription.port and _covers(one.name, subscription.host) for one in hosts)


def payload_of(message: PushMessage) -> bytes:
    """The JSON a service worker reads; empty when the texts are no Unicode (lone surrogates)."""
    told: dict[str, Any] = {
        "id": str(message.id),
        "title": message.title,
        "body": message.body,
        "image": message.image_url,
        "url": message.action_url,
        "actions": message.actions,
        "data": message.data,
        "tag": message.collapse_key,
    }
    shown = {key: value for key, value in told.items() if value}
    if message.badge is not None:
        shown["badge"] = message.badge
    try:
        return orjson.dumps(shown)
    except TypeError:
        return b""


def headers_of(message: PushMessage, *, now: float) -> dict[str, str]:
    """The headers that are the message's own."""
    headers = {"TTL": str(ttl_of(message, now)), "Urgency": "high" if message.urgent else "normal"}
    if message.collapse_key:
        headers["Topic"] = topic_of(message.collapse_key)
    return headers


def ttl_of(message: PushMessage, now: float) -> int:
    """Seconds the push service may keep the message; 0: deliver now or not at all."""
    if message.expires_at is None:
        return _LONGEST_TTL_SECONDS
    return min(_LONGEST_TTL_SECONDS, max(0, int(message.expires_at - now)))


def topic_of(key: str) -> str:
    """The collapse key as RFC 8030 5.4 allows a topic: as it is where it fits, else its hash."""
    if _TOPIC.match(key):
        return key
    return urlsafe_b64encode(sha256(key.encode(errors="surrogatepass")).digest()[:24]).decode()


def encrypted(plain: bytes, subscription: Subscription, *, own: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """The body (RFC 8291): one record, under a key and a salt that are used once.

    Raises ValueError for a subscription whose public key is no point of the curve.
    """
    body: bytes = http_ece.encrypt(
        plain,
        salt=salt,
        private_key=own,
        dh=subscription.public_key,
        auth_secret=subscription.auth,
        version="aes128gcm",
    )
    return body


_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")


def _covers(name: str, host: str) -> bool:
    return host.endswith(name[1:]) if name.startswith("*.") else host == name


def is_address(name: str) -> bool:
    """Whether a host is an IP address rather than a name."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
