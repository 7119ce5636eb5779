"""The SES stand-in: SendEmail of API v2 with AWS's signature checked, and events published by an SNS topic of its own.

A local part that begins with a word of FATES decides what the events say; `lab-rejected@…` and `lab-unverified@…` are
refused at once. `POST __webhook {"url": …}` subscribes an address to the topic: it is asked to confirm, as by SNS, and
gets events from then on; `GET __webhook` says whether it has.
"""

from __future__ import annotations

import base64
import datetime as dt
import secrets
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import msgspec
import orjson
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from channels.rules.sns_envelope import NOTIFICATION, SUBSCRIPTION, Envelope
from config.lab.callbacks import Callbacks, Outgoing
from config.lab.faults import Answer
from config.lab.ledger import Ledger, content_hash
from config.lab.sigv4 import Identity
from config.lab.standin import JSON, Call, StandIn, json_answer

REGION, ACCESS_KEY_ID = "eu-central-1", "AKIALABLABLABLABLAB2"
TOPIC_ARN = f"arn:aws:sns:{REGION}:123456789012:carillon-lab"
_PATH, _CERTIFICATE_PATH = "/v2/email/outbound-emails", "/SimpleNotificationService-lab.pem"
_MOST_HEADERS, _HEADER_LENGTH = 15, 996


def _bounced(kind: str, subtype: str, status: str) -> dict[str, Any]:
    return {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": [{"status": status}]}


#: Word of a local part → the events after `Send`, with their details.
FATES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "lab-bounce": [("Bounce", _bounced("Permanent", "General", "5.1.1"))],
    "lab-full": [("Bounce", _bounced("Transient", "MailboxFull", "5.2.2"))],
    "lab-listed": [("Bounce", _bounced("Permanent", "OnAccountSuppressionList", "5.1.1"))],
    "lab-large": [("Bounce", _bounced("Transient", "MessageTooLarge", "5.3.4"))],
    "lab-virus": [("Reject", {"reason": "Bad content"})],
    "lab-deferred": [("DeliveryDelay", {"delayType": "MailboxFull"}), ("Delivery", {"smtpResponse": "250 OK"})],
    "lab-complaint": [("Delivery", {}), ("Complaint", {"complaintFeedbackType": "abuse"})],
    "lab-reader": [("Delivery", {}), ("Open", {"userAgent": "a reader"}), ("Click", {"link": "https://example.com"})],
}
_DELIVERED: list[tuple[str, dict[str, Any]]] = [("Delivery", {"smtpResponse": "250 2.0.0 OK"})]
#: Event → the member that holds its details.
_MEMBERS = {"DeliveryDelay": "deliveryDelay"}


class _Words(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", gc=False):
    data: str
    charset: str = "us-ascii"


class _Body(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", gc=False):
    text: _Words | None = None
    html: _Words | None = None


class _Pair(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", gc=False):
    name: str
    value: str


class _Simple(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", gc=False):
    subject: _Words
    body: _Body
    headers: list[_Pair] = []


class _Content(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", gc=False):
    simple: _Simple


class _Destination(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", gc=False):
    to_addresses: list[str]


class _Send(msgspec.Struct, forbid_unknown_fields=True, rename="pascal", gc=False):
    from_email_address: str
    destination: _Destination
    content: _Content
    email_tags: list[_Pair] = []
    configuration_set_name: str = ""


_decode = msgspec.json.Decoder(_Send).decode


def _error(status: int, kind: str, message: str) -> Answer:
    """Errors in the shape of AWS's REST services."""
    headers = [*JSON, ("x-amzn-errortype", f"{kind}:http://internal.amazon.com/coral/com.amazon.ses/")]
    return Answer(status, headers, orjson.dumps({"message": message}))


class SesStandIn(StandIn):
    """One account in one region, and its topic."""

    name: ClassVar[str] = "ses"
    answers: ClassVar[Mapping[str, Answer]] = {
        "MissingAuthenticationToken": _error(403, "MissingAuthenticationTokenException", "Missing token"),
        "InvalidClientTokenId": _error(403, "UnrecognizedClientException", "The security token is invalid."),
        "SignatureDoesNotMatch": _error(403, "InvalidSignatureException", "The request signature does not match."),
        "RequestExpired": _error(403, "InvalidSignatureException", "Signature expired"),
        "AccessDenied": _error(403, "AccessDeniedException", "Not authorized to perform ses:SendEmail"),
        "TooManyRequests": _error(429, "TooManyRequestsException", "Maximum sending rate exceeded."),
        "DailyQuota": _error(429, "TooManyRequestsException", "Daily message quota exceeded."),
        "LimitExceeded": _error(400, "LimitExceededException", "The limit is exceeded."),
        "AccountSuspended": _error(400, "AccountSuspendedException", "The account is suspended."),
        "SendingPaused": _error(400, "SendingPausedException", "Sending is paused."),
        "MailFromDomainNotVerified": _error(400, "MailFromDomainNotVerifiedException", "Not verified."),
        "NotFound": _error(404, "NotFoundException", "Configuration set does not exist."),
        "MessageRejected": _error(400, "MessageRejected", "Virus found."),
        "NotVerified": _error(400, "MessageRejected", "Email address is not verified."),
        "BadRequest": _error(400, "BadRequestException", "Bad request."),
        "InternalFailure": _error(500, "InternalFailure", "Internal failure."),
        "ServiceUnavailable": _error(503, "ServiceUnavailable", "Unavailable."),
        "SomethingNew": _error(400, "SomethingNewException", "Something new."),
        "html": Answer(200, [("content-type", "text/html")], b"<html>Welcome to the hotel's Wi-Fi</html>"),
    }

    def __init__(self, ledger: Ledger, callbacks: Callbacks) -> None:
        super().__init__(ledger, callbacks)
        self._secret = secrets.token_hex(20)
        self._identity = Identity(ACCESS_KEY_ID, self._secret, region=REGION, service="ses", prefix="/ses")
        self._topic = _Topic()
        self._controls["POST", "/__webhook"] = self._subscribe
        self._controls["GET", "/__webhook"] = lambda _: json_answer({"confirmed": self._topic.is_confirmed})
        self._controls["POST", "/__publish"] = self._publish_words
        self._controls["GET", _CERTIFICATE_PATH] = lambda _: Answer(200, [], self._topic.certificate)

    def place(self, base_url: str, plain_url: str, folder: Path) -> dict[str, Any]:
        """Region, key, topic, and the file of the secret key."""
        self._topic.base_url = base_url
        file = folder / "ses-secret-access-key"
        file.touch(mode=0o600)
        file.write_text(self._secret)
        return {
            "base_url": base_url,
            "plain_url": plain_url,
            "region": REGION,
            "access_key_id": ACCESS_KEY_ID,
            "secret_access_key_file": str(file),
            "topic_arn": TOPIC_ARN,
        }

    async def answer(self, call: Call) -> Answer | None:
        """SendEmail; and what SNS serves to its subscribers."""
        if call.method == "GET":
            return self._topic.confirmed(call.query)
        wrong = self._identity.refusal(call, now=time.time())
        if wrong:
            return self.refused(wrong)
        if call.path != _PATH:
            return _error(404, "NotFoundException", "There is no such operation here.")
        try:
            sent = _decode(call.body)
        except msgspec.MsgspecError as fault:
            self.ledger.refuse("malformed")
            return _error(400, "BadRequestException", str(fault))
        word = _fault_of(sent)
        if word:
            return self.refused(word)
        struck = self.struck(sent.destination.to_addresses[0])
        return self._accept(sent) if struck is None else self.suffer(struck, call, lambda: self._accept(sent))

    def _accept(self, sent: _Send) -> Answer:
        simple, address = sent.content.simple, sent.destination.to_addresses[0]
        tags = {tag.name: [tag.value] for tag in sent.email_tags}
        text = simple.body.text.data if simple.body.text else ""
        delivery_id = tags.get("delivery_id", [address])[0]
        self.ledger.accept(delivery_id, address, content_hash(simple.subject.data, text))
        name = f"0107{secrets.token_hex(8)}-{uuid.uuid4()}-000000"  # noqa: TID251 - SES's kind of name
        if self._topic.is_confirmed:
            self._publish(address, {"messageId": name, "destination": [address], "tags": tags})
        return json_answer({"MessageId": name})

    def _publish(self, address: str, mail: dict[str, Any]) -> None:
        fate = next((FATES[word] for word in FATES if address.startswith(f"{word}@")), _DELIVERED)
        for step, (event, details) in enumerate([("Send", {}), *fate]):
            told = {**details, "timestamp": _now()}
            for list_name in ("bouncedRecipients", "complainedRecipients"):
                if list_name in details or (event, list_name) == ("Complaint", "complainedRecipients"):
                    told[list_name] = [{"emailAddress": address, **(details.get(list_name) or [{}])[0]}]
            body = {"eventType": event, "mail": mail, _MEMBERS.get(event, event.lower()): told}
            make = self._topic.notification(orjson.dumps(body).decode())
            self.callbacks.send(self.name, make, step)

    def _publish_words(self, body: bytes) -> Answer:
        """Any message at all, as somebody else who may publish to the topic could."""
        self.callbacks.send(self.name, self._topic.notification(str(orjson.loads(body)["message"])))
        return json_answer({})

    def _subscribe(self, body: bytes) -> Answer:
        self._topic.subscribe(str(orjson.loads(body)["url"]))
        if self._topic.url:
            self.callbacks.send(self.name, self._topic.invitation)
        return json_answer({})


class _Topic:
    """An SNS topic with one subscriber, which signs what it posts."""

    def __init__(self) -> None:
        self.base_url = self.url = ""
        self.is_confirmed = False
        self._token = ""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = _self_signed(self._key)

    def subscribe(self, url: str) -> None:
        """Another subscriber, not confirmed yet."""
        self.url, self.is_confirmed, self._token = url, False, secrets.token_hex(32)

    def confirmed(self, query: str) -> Answer:
        """ConfirmSubscription."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        wanted = {"Action": "ConfirmSubscription", "TopicArn": TOPIC_ARN, "Token": self._token}
        if not self._token or asked != wanted:
            return Answer(403, [("content-type", "text/xml")], b"<ErrorResponse/>")
        self.is_confirmed = True
        return Answer(200, [("content-type", "text/xml")], b"<ConfirmSubscriptionResponse/>")

    def invitation(self) -> Outgoing:
        """What SNS posts to a new subscriber."""
        confirm = f"{self.base_url}/?Action=ConfirmSubscription&TopicArn={TOPIC_ARN}&Token={self._token}"
        return self._signed(SUBSCRIPTION, "You have chosen to subscribe.", subscribe_url=confirm, token=self._token)

    def notification(self, message: str) -> Any:
        """What makes the post of one event: signed when it goes out, with one id however often."""
        message_id = str(uuid.uuid4())  # noqa: TID251 - SNS's kind of id
        return lambda: self._signed(NOTIFICATION, message, message_id=message_id)

    def _signed(self, kind: str, message: str, **more: str) -> Outgoing:
        envelope = Envelope(
            type=kind,
            message_id=more.pop("message_id", str(uuid.uuid4())),  # noqa: TID251 - as above
            topic_arn=TOPIC_ARN,
            message=message,
            timestamp=_now(),
            signature_version="2",
            signature="",
            signing_cert_url=f"{self.base_url}{_CERTIFICATE_PATH}",
            **more,
        )
        signature = self._key.sign(envelope.signed_text, padding.PKCS1v15(), SHA256())
        signed = msgspec.structs.replace(envelope, signature=base64.b64encode(signature).decode())
        told = {name: value for name, value in msgspec.to_builtins(signed).items() if value is not None}
        headers = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": kind}
        return Outgoing(self.url, headers, orjson.dumps(told))


def _self_signed(key: rsa.RSAPrivateKey) -> bytes:
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.lab.localhost")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fault_of(sent: _Send) -> str:
    """The word for what SES refuses about a mail; empty when it is taken."""
    to, simple = sent.destination.to_addresses, sent.content.simple
    if len(to) != 1 or "@" not in to[0] or not to[0].isascii():
        return "BadRequest"
    if to[0].startswith(("lab-rejected@", "lab-unverified@")):
        return "MessageRejected" if to[0].startswith("lab-rejected@") else "NotVerified"
    parts = [part for part in (simple.body.text, simple.body.html) if part]
    words = [*parts, simple.subject]
    if not parts or not all(part.charset == "UTF-8" or part.data.isascii() for part in words):
        return "BadRequest"
    lengths = [len(pair.name) + len(pair.value) for pair in simple.headers]
    values = "".join(pair.value for pair in simple.headers)
    bad = len(lengths) > _MOST_HEADERS or any(length > _HEADER_LENGTH for length in lengths)
    return "BadRequest" if bad or not (values.isascii() and (values.isprintable() or not values)) else ""
