"""What SNS posts to a subscriber: an envelope, and the text its signature covers.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html - signature version 2 (RSA, SHA-256);
version 1 is SHA-1 and refused. Nothing in an envelope is believed before its signature is, but for the two things that
decide whether it is worth looking at: the topic and the host of the certificate.
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from channels.errors import NotGenuine

NOTIFICATION, SUBSCRIPTION = "Notification", "SubscriptionConfirmation"
_CONFIRMATIONS = frozenset({SUBSCRIPTION, "UnsubscribeConfirmation"})
_SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "TopicArn", "Type")
_SIGNED_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_AMAZON = re.compile(r"sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?\Z")
_HTTPS = 443


class Envelope(msgspec.Struct, frozen=True, rename="pascal", gc=False):
    """The fields of a notification or a confirmation."""

    type: str
    message_id: str
    topic_arn: str
    message: str
    timestamp: str
    signature_version: str
    signature: str
    signing_cert_url: str = msgspec.field(name="SigningCertURL")
    subject: str | None = None
    subscribe_url: str | None = msgspec.field(default=None, name="SubscribeURL")
    token: str | None = None

    @property
    def signed_text(self) -> bytes:
        """What the signature covers: names and values, a line each; a field that is missing is left out."""
        names = _SIGNED_CONFIRMATION if self.type in _CONFIRMATIONS else _SIGNED
        fields = {
            "Message": self.message,
            "MessageId": self.message_id,
            "Subject": self.subject,
            "SubscribeURL": self.subscribe_url,
            "Timestamp": self.timestamp,
            "Token": self.token,
            "TopicArn": self.topic_arn,
            "Type": self.type,
        }
        return "".join(f"{name}\n{fields[name]}\n" for name in names if fields[name] is not None).encode()

    def age_seconds(self, now: float) -> float:
        """Since it was sent, by Amazon's clock; raises NotGenuine when that cannot be told."""
        try:
            sent = datetime.fromisoformat(self.timestamp)
            return now - sent.timestamp() if sent.tzinfo else _no_time()
        except (ValueError, OverflowError, OSError):
            return _no_time()


_decode = msgspec.json.Decoder(Envelope).decode


def envelope_of(body: bytes) -> Envelope:
    """The envelope of a callback; raises NotGenuine when it is none that could be verified."""
    try:
        envelope = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotGenuine("no envelope of SNS") from None
    if envelope.type != NOTIFICATION and envelope.type not in _CONFIRMATIONS:
        raise NotGenuine("no type SNS knows")
    if envelope.signature_version != "2":
        raise NotGenuine("signature version 1 is SHA-1: set SignatureVersion 2 on the topic")
    return envelope


def is_amazons(url: str, *, own_host: str = "") -> bool:
    """Whether SNS may ask us to fetch this: https, from its own hosts.

    `own_host` (`https://127.0.0.1:9443`) is one more, for a stand-in.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if not url.isascii() or not url.isprintable() or parts.username or parts.password or parts.scheme != "https":
        return False
    if own_host and f"{parts.scheme}://{parts.netloc}" == own_host:
        return True
    return port in {None, _HTTPS} and bool(_AMAZON.match(parts.hostname or ""))


def _no_time() -> float:
    raise NotGenuine("no time it was sent at")
