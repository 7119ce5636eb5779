"""The Vonage stand-in: the SMS API, its answer for each part, and delivery receipts that are signed.

Refusals come with HTTP 200, as Vonage's do. Numbers +4479460NNNNN choose what comes of a message: `MAGIC`.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from channels.rules import vonage
from channels.rules.sms import Encoding, segments
from config.lab.callbacks import Callbacks, Outgoing
from config.lab.faults import Answer
from config.lab.ledger import Ledger, content_hash
from config.lab.standin import JSON, Call, StandIn, json_answer

API_KEY = "1ab2c3d4"
_NUMBER = re.compile(r"[1-9][0-9]{6,14}\Z")
_SENDER = re.compile(r"\+?[0-9]{3,15}\Z|[A-Za-z0-9 ]{1,11}\Z")
_SKEW_SECONDS = 3600
_LONGEST_TEXT = 3200


def _refusal(status: str, text: str) -> Answer:
    return json_answer({"message-count": "1", "messages": [{"status": status, "error-text": text}]})


ANSWERS: dict[str, Answer] = {
    "throttled": _refusal("1", "Throughput Rate Exceeded - please wait [ 250 ] and retry"),
    "missing": _refusal("2", "Missing to param"),
    "invalid": _refusal("3", "Invalid value for parameter"),
    "bad_credentials": _refusal("4", "Bad Credentials"),
    "internal": _refusal("5", "Internal Error"),
    "unroutable": _refusal("6", "Unroutable message - rejected"),
    "barred": _refusal("7", "Number barred"),
    "account_barred": _refusal("8", "Partner account barred"),
    "quota": _refusal("9", "Quota Exceeded - rejected"),
    "too_many_binds": _refusal("10", "Too many existing binds"),
    "not_enabled": _refusal("11", "Account not enabled for REST"),
    "too_long": _refusal("12", "Message too long"),
    "bad_signature": _refusal("14", "Invalid Signature"),
    "bad_sender": _refusal("15", "Illegal Sender Address - rejected"),
    "bad_network": _refusal("22", "Invalid network code"),
    "bad_callback": _refusal("23", "Invalid callback URL"),
    "not_whitelisted": _refusal("29", "Non White-listed Destination - rejected"),
    "signature_and_secret": _refusal("32", "Signature and API secret disallowed"),
    "deactivated": _refusal("33", "Number de-activated"),
    "unknown_status": _refusal("77", "Something new"),
    "not_found": Answer(404, JSON, b"{}"),
    "unavailable": Answer(503, JSON, b"{}"),
    "bad_gateway": Answer(502, [("content-type", "text/html")], b"<html><h1>502 Bad Gateway</h1></html>"),
    "html": Answer(200, [("content-type", "text/html")], b"<html>Welcome to the hotel's Wi-Fi</html>"),
    "mixed": json_answer(
        {"message-count": "2", "messages": [{"status": "0", "message-id": "0A0000"}, {"status": "1"}]},
    ),
    "no_parts": json_answer({"message-count": "0", "messages": []}),
}


class Fate(NamedTuple):
    """What the receipts of a message say."""

    #: Refused at once with this answer.
    answer: str = ""
    status: str = "delivered"
    error: str = "0"
    #: What the phone's owner answers.
    reply: str = ""


_DELIVERED = Fate()
MAGIC: dict[str, Fate] = {
    "447946000006": Fate("unroutable"),
    "447946000007": Fate("barred"),
    "447946000033": Fate("deactivated"),
    "447946010001": Fate(status="failed", error="1"),
    "447946010002": Fate(status="failed", error="2"),
    "447946010003": Fate(status="failed", error="3"),
    "447946010004": Fate(status="failed", error="4"),
    "447946010006": Fate(status="rejected", error="6"),
    "447946010009": Fate(status="rejected", error="9"),
    "447946010099": Fate(status="expired", error="99"),
    "447946020000": Fate(status="accepted"),
    "447946020001": Fate(reply="Stop."),
}


class _Message(msgspec.Struct, frozen=True, gc=False):
    to: str
    sender: str
    client_ref: str
    callback: str
    ids: tuple[str, ...]


class VonageStandIn(StandIn):
    """One account whose signature method is SHA-256 HMAC."""

    name = "vonage"
    answers = ANSWERS

    def __init__(self, ledger: Ledger, callbacks: Callbacks) -> None:
        super().__init__(ledger, callbacks)
        self._secret, self._signing = token_hex(8), token_hex(16)

    def place(self, base_url: str, plain_url: str, folder: Path) -> dict[str, Any]:
        """API key, and the files of both secrets."""
        files = {"api_secret": self._secret, "signature_secret": self._signing}
        for name, secret in files.items():
            file = folder / f"vonage-{name}"
            file.touch(mode=0o600)
            file.write_text(secret)
        paths = {f"{name}_file": str(folder / f"vonage-{name}") for name in files}
        return {"base_url": base_url, "plain_url": plain_url, "api_key": API_KEY, "from": "Carillon", **paths}

    async def answer(self, call: Call) -> Answer | None:
        """What became of one POST to /sms/json."""
        if (call.method, call.path) != ("POST", "/sms/json"):
            return self.refused("not_found")
        form = dict(call.form)
        fate = MAGIC.get(form.get("to", ""), _DELIVERED)
        wrong = self._fault_of_credentials(form) or _fault_of(form) or fate.answer
        if wrong:
            return self.refused(wrong)
        parts = segments(form["text"]).count
        message = _Message(
            form["to"],
            form["from"],
            form.get("client-ref", ""),
            form.get("callback", ""),
            tuple(token_hex(8).upper() for _ in range(parts)),
        )
        delivery_id = message.client_ref or message.ids[0]
        accept = partial(self.ledger.accept, delivery_id, f"+{message.to}", content_hash("", form["text"]))
        struck = self.struck(f"+{message.to}")
        if struck is not None:
            return self.suffer(struck, call, accept)
        accept()
        self._tell(message, fate)
        return _taken(message)

    def _fault_of_credentials(self, form: Mapping[str, str]) -> str:
        if form.get("api_key") != API_KEY:
            return "bad_credentials"
        given = form.get("sig")
        if given is None:
            return "" if form.get("api_secret") == self._secret else "bad_credentials"
        if "api_secret" in form:
            return "signature_and_secret"
        signed = [(name, value) for name, value in form.items() if name != "sig"]
        at = form.get("timestamp", "0")
        fresh = at.isdecimal() and abs(time.time() - int(at)) < _SKEW_SECONDS
        right = vonage.signature(self._signing, signed)
        return "" if fresh and hmac.compare_digest(right, given.lower()) else "bad_signature"

    def _tell(self, message: _Message, fate: Fate) -> None:
        """A receipt for each part, and what is answered."""
        if not message.callback:
            return
        for part in message.ids:
            fields = _receipt_fields(message, part, fate)
            self.callbacks.send(self.name, partial(self._signed, message.callback, fields))
        if fate.reply:
            inbound = urlsplit(message.callback)._replace(query="").geturl()
            self.callbacks.send(self.name, partial(self._signed, inbound, _reply_fields(message, fate.reply)), 1)

    def _signed(self, url: str, fields: Mapping[str, str]) -> Outgoing:
        """Signed when it is sent: the signature covers that time."""
        stamped = {**fields, "nonce": token_hex(8), "timestamp": str(int(time.time()))}
        everything = {**dict(parse_qsl(urlsplit(url).query)), **stamped}
        stamped["sig"] = vonage.signature(self._signing, everything.items()).upper()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Outgoing(url=url, headers=headers, body=urlencode(stamped).encode())


def _fault_of(form: Mapping[str, str]) -> str:
    """The word for what Vonage refuses about a request; empty when it is taken."""
    if not all(form.get(name) for name in ("to", "from", "text")):
        return "missing"
    if not _NUMBER.match(form["to"]) or not _fits(form.get("ttl", "20000"), 20_000, 604_800_000):
        return "invalid"
    # What is no GSM-7 arrives as question marks unless it is said to be Unicode.
    if form.get("type", "text") == "text" and segments(form["text"]).encoding is Encoding.UCS2:
        return "invalid"
    if not _SENDER.match(form["from"]):
        return "bad_sender"
    if len(form["text"]) > _LONGEST_TEXT:
        return "too_long"
    return "" if form.get("callback", "https://").startswith(("https://", "http://")) else "bad_callback"


def _fits(number: str, least: int, most: int) -> bool:
    return number.isdecimal() and least <= int(number) <= most


def _taken(message: _Message) -> Answer:
    parts = [
        {
            "to": message.to,
            "message-id": part,
            "status": "0",
            "remaining-balance": "15.53590000",
            "message-price": "0.03330000",
            "network": "23410",
            "client-ref": message.client_ref,
        }
        for part in message.ids
    ]
    return Answer(200, JSON, msgspec.json.encode({"message-count": str(len(parts)), "messages": parts}))


def _receipt_fields(message: _Message, part: str, fate: Fate) -> dict[str, str]:
    return {
        "msisdn": message.to,
        "to": message.sender,
        "network-code": "23410",
        "messageId": part,
        "price": "0.03330000",
        "status": fate.status,
        "scts": time.strftime("%y%m%d%H%M", time.gmtime()),
        "err-code": fate.error,
        "api-key": API_KEY,
        "client-ref": message.client_ref,
        "message-timestamp": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
    }


def _reply_fields(message: _Message, text: str) -> dict[str, str]:
    return {
        "msisdn": message.to,
        "to": message.sender,
        "messageId": token_hex(8).upper(),
        "text": text,
        "type": "text",
        "keyword": text.split(maxsplit=1)[0].upper(),
        "api-key": API_KEY,
        "message-timestamp": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
    }
