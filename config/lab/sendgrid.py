"""The SendGrid stand-in: Mail Send v3, its limits, and the signed event webhook.

Bodies are checked as SendGrid checks them: unknown fields, a thousand personalizations, an address once in a call, the
size of substitutions. These are applied before the ledger is written, so that its content is what the recipient reads.

A local part that begins with `lab-invalid` refuses the call; with a word of FATES it is taken, and the events tell the
rest. Events go to the address that `POST __webhook {"url": …}` names; without one, none are made.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.lab.callbacks import Callbacks, Outgoing
from config.lab.faults import Answer
from config.lab.ledger import Ledger, content_hash
from config.lab.standin import JSON, Call, StandIn, json_answer

API_KEY = "SG.lab-key.lab-secret"
_PATH = "/v3/mail/send"
_MOST, _BYTES, _SUBSTITUTION_BYTES, _SUBSTITUTIONS, _CUSTOM_ARGS_BYTES = 1000, 30_000_000, 10_000, 100, 10_000
_ADDRESS = re.compile(r"[!-?A-~]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\Z")
_OWN_HEADERS = frozenset(
    {
        "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
        "to", "from", "subject", "reply-to", "cc", "bcc",
    }
)  # fmt: skip

#: Word of a local part → the events after `processed`.
FATES: dict[str, list[dict[str, Any]]] = {
    "lab-bounce": [{"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 unknown user"}],
    "lab-blocked": [{"event": "bounce", "type": "blocked", "reason": "550 blocked, see our list"}],
    "lab-full": [{"event": "bounce", "type": "blocked", "status": "5.2.2", "reason": "552 5.2.2 mailbox full"}],
    "lab-policy": [{"event": "bounce", "type": "bounce", "status": "5.7.1", "reason": "554 5.7.1 refused"}],
    "lab-dropped": [{"event": "dropped", "reason": "Bounced Address"}],
    "lab-unsubscribed": [{"event": "dropped", "reason": "Unsubscribed Address"}],
    "lab-deferred": [{"event": "deferred", "response": "450 try later", "attempt": "1"}, {"event": "delivered"}],
    "lab-complaint": [{"event": "delivered"}, {"event": "spamreport"}],
    "lab-unsubscribe": [{"event": "delivered"}, {"event": "unsubscribe"}],
    "lab-reader": [
        {"event": "delivered"},
        {"event": "open", "sg_machine_open": True, "useragent": "a privacy proxy"},
        {"event": "open", "sg_machine_open": False},
        {"event": "click", "url": "https://example.com/"},
    ],
}
_DELIVERED = [{"event": "delivered", "response": "250 OK"}]


class _Person(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    email: str
    name: str = ""


class _Personalization(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    to: list[_Person]
    subject: str | None = None
    headers: dict[str, str] = {}
    substitutions: dict[str, str] = {}
    custom_args: dict[str, str] = {}


class _Content(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: str
    value: str


class _Send(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename={"sender": "from"}):
    personalizations: list[_Personalization]
    sender: _Person
    content: list[_Content]
    subject: str | None = None
    headers: dict[str, str] = {}
    categories: list[str] = []


_decode = msgspec.json.Decoder(_Send).decode


def _refusal(status: int, message: str, field: str | None = None, *headers: tuple[str, str]) -> Answer:
    """Errors in SendGrid's shape."""
    body = {"errors": [{"message": message, "field": field, "help": None}]}
    return Answer(status, [*JSON, *headers], orjson.dumps(body))


class SendGridStandIn(StandIn):
    """One API key, one ledger, one webhook."""

    name: ClassVar[str] = "sendgrid"
    answers: ClassVar[Mapping[str, Answer]] = {
        "unauthorized": _refusal(401, "The provided authorization grant is invalid, expired, or revoked"),
        "forbidden": _refusal(403, "The from address does not match a verified Sender Identity.", "from"),
        "bad_request": _refusal(400, "Bad Request"),
        "bad_from": _refusal(400, "The from email does not contain a valid address.", "from.email"),
        "too_large": _refusal(413, "Payload Too Large"),
        "rate_limited": _refusal(429, "too many requests", None, ("x-ratelimit-remaining", "0")),
        "server_error": _refusal(500, "Internal Server Error"),
        "unavailable": _refusal(503, "Service Unavailable"),
        "bad_gateway": Answer(502, [("content-type", "text/html")], b"<html>Bad Gateway</html>"),
        "empty": Answer(202, [], b""),
        "sandboxed": Answer(200, [("x-message-id", "sandbox")], b""),
    }

    def __init__(self, ledger: Ledger, callbacks: Callbacks) -> None:
        super().__init__(ledger, callbacks)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._webhook = ""
        self._controls["POST", "/__webhook"] = self._set_webhook

    def place(self, base_url: str, plain_url: str, folder: Path) -> dict[str, Any]:
        """Where it is, the file with its API key, and the key its events are verified with."""
        key_file = folder / "sendgrid-api-key"
        key_file.write_text(API_KEY)
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {
            "base_url": base_url,
            "plain_url": plain_url,
            "api_key_file": str(key_file),
            "webhook_public_key": base64.b64encode(public).decode(),
        }

    async def answer(self, call: Call) -> Answer | None:
        """Mail Send."""
        if (call.method, call.path) != ("POST", _PATH):
            return _refusal(404, "Not Found")
        if call.headers.get("authorization") != f"Bearer {API_KEY}":
            return self.refused("unauthorized")
        if len(call.body) > _BYTES:
            return self.refused("too_large")
        try:
            sent = _decode(call.body)
        except msgspec.MsgspecError as fault:
            self.ledger.refuse("malformed")
            return _refusal(400, f"Bad Request: {fault}")
        wrong = _fault_of(sent)
        return self._refuse(*wrong) if wrong else self._take(sent, call)

    def _refuse(self, field: str, message: str) -> Answer:
        self.ledger.refuse(re.sub(r"\.\d+", "", field))
        return _refusal(400, message, field)

    def _take(self, sent: _Send, call: Call) -> Answer | None:
        addresses = [to.email for one in sent.personalizations for to in one.to] if self.script.faults else []
        fault = next((struck for address in addresses if (struck := self.struck(address)) is not None), None)
        return self._accept(sent) if fault is None else self.suffer(fault, call, lambda: self._accept(sent))

    def _accept(self, sent: _Send) -> Answer:
        name = secrets.token_urlsafe(16)
        plain = next((part.value for part in sent.content if part.type == "text/plain"), "")
        for one in sent.personalizations:
            text = plain
            for tag, value in one.substitutions.items():
                text = text.replace(tag, value)
            address = one.to[0].email
            delivery_id = one.custom_args.get("delivery_id", address)
            self.ledger.accept(delivery_id, address, content_hash(one.subject or sent.subject or "", text))
        if self._webhook:
            self._tell(sent, name)
        return Answer(202, [("x-message-id", name)], b"")

    def _tell(self, sent: _Send, name: str) -> None:
        """The call's events, in batches: first what was processed, then what became of it, step by step."""
        steps: dict[int, list[dict[str, Any]]] = {}
        for number, one in enumerate(sent.personalizations):
            address = one.to[0].email
            fate = next((FATES[word] for word in FATES if address.startswith(f"{word}@")), _DELIVERED)
            for step, event in enumerate([{"event": "processed"}, *fate]):
                told = {
                    "email": address,
                    "timestamp": int(time.time()),
                    "sg_event_id": secrets.token_urlsafe(16),
                    "sg_message_id": f"{name}.recvd-lab-{number}.0",
                    **one.custom_args,
                    **event,
                }
                steps.setdefault(step, []).append(told)
        for step, events in steps.items():
            body = orjson.dumps(events) + b"\r\n"
            self.callbacks.send(self.name, partial(self._signed, body), step)

    def _signed(self, body: bytes) -> Outgoing:
        timestamp = str(int(time.time()))
        signature = base64.b64encode(self._key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))).decode()
        headers = {
            "Content-Type": "application/json;charset=utf-8",
            "X-Twilio-Email-Event-Webhook-Signature": signature,
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        }
        return Outgoing(self._webhook, headers, body)

    def _set_webhook(self, body: bytes) -> Answer:
        self._webhook = str(orjson.loads(body)["url"])
        return json_answer({})


def _fault_of(sent: _Send) -> tuple[str, str] | None:
    """The first field SendGrid would refuse, and its words."""
    if not 1 <= len(sent.personalizations) <= _MOST:
        return "personalizations", "The personalization block is limited to 1000 personalizations per API request."
    if not _ADDRESS.match(sent.sender.email):
        return "from.email", "The from email does not contain a valid address."
    if not sent.content or any(not part.value for part in sent.content):
        return "content", "The content value must be a string at least one character in length."
    if [part.type for part in sent.content] not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
        return "content.0.type", "If present, text/plain and text/html may only be provided once, plain first."
    seen: set[str] = set()
    for number, one in enumerate(sent.personalizations):
        wrong = _fault_of_one(one, sent.subject, seen)
        if wrong is not None:
            return f"personalizations.{number}{wrong[0]}", wrong[1]
    return None


def _fault_of_one(one: _Personalization, subject: str | None, seen: set[str]) -> tuple[str, str] | None:
    if len(one.to) != 1:
        return ".to", "The to array is required, and the lab takes one recipient for each personalization."
    address = one.to[0].email
    if not _ADDRESS.match(address) or address.startswith("lab-invalid"):
        return ".to.0.email", "Does not contain a valid address."
    if address.casefold() in seen:
        return "", "Each unique email address in the personalizations array should only be included once."
    seen.add(address.casefold())
    if not (one.subject or (one.subject is None and subject)):
        return ".subject", "The subject is required."
    return _fault_of_words(one)


def _fault_of_words(one: _Personalization) -> tuple[str, str] | None:
    if one.substitutions and _bytes_of(one.substitutions) > _SUBSTITUTION_BYTES:
        return ".substitutions", "Substitutions are limited to 10000 bytes per personalization block."
    if len(one.substitutions) > _SUBSTITUTIONS:
        return ".substitutions", "You are limited to 100 substitutions per personalization block."
    if _bytes_of(one.custom_args) >= _CUSTOM_ARGS_BYTES:
        return ".custom_args", "The custom_args may not exceed 10,000 bytes."
    reserved = [name for name, value in one.headers.items() if name.lower() in _OWN_HEADERS or not value.isascii()]
    return (f".headers.{reserved[0]}", "The header is reserved or holds other than ASCII.") if reserved else None


def _bytes_of(texts: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in texts.items())
