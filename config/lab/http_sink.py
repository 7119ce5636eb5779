"""A gateway as a team would write one for the `http` adapter, by the contract of docs/adding-a-channel.md.

A word in the address says what comes of a message, as with the sandbox: `lab-opened@example.com`, a token with
`lab-bounced` in it, and of phone numbers the last two digits of +1 500 555 01NN (`MAGIC`, in its order).
"""

from __future__ import annotations

import base64
import re
import time
from functools import partial
from pathlib import Path
from secrets import token_bytes
from typing import Any, NamedTuple

import msgspec
import orjson

from channels.rules import standard_webhooks
from config.lab.callbacks import Callbacks, Outgoing
from config.lab.faults import Answer
from config.lab.ledger import Ledger, content_hash
from config.lab.standin import Call, StandIn, json_answer

ANSWERS: dict[str, Answer] = {
    "bad_signature": json_answer({"code": "unauthorized"}, 401),
    "bad_body": json_answer({"code": "rejected"}, 422),
    "invalid_recipient": json_answer({"code": "invalid_recipient"}, 422),
    "opted_out": json_answer({"code": "opted_out"}, 422),
    "rejected": json_answer({"code": "rejected"}, 422),
    "not_here": json_answer({"code": "not_here"}, 422),
    "unauthorized": json_answer({"code": "unauthorized"}, 403),
    "throttled": json_answer({"code": "throttled"}, 429),
    "unavailable": json_answer({"code": "unavailable"}, 503),
    "own_word": json_answer({"code": "moon_too_low"}, 400),
    "indiscreet": json_answer({"code": "+15005550100 is unknown"}, 400),
    "html": Answer(200, [("content-type", "text/html")], b"<html>Welcome to the hotel's Wi-Fi</html>"),
    "no_id": json_answer({"ok": True}),
}


class Fate(NamedTuple):
    """Refused at once with an answer, or taken with these events to follow."""

    answer: str = ""
    events: tuple[str, ...] = ("delivered",)


MAGIC: dict[str, Fate] = {
    "delivered": Fate(),
    "accepted": Fate(events=()),
    "bounced": Fate(events=("bounced",)),
    "soft-bounced": Fate(events=("soft_bounced",)),
    "failed": Fate(events=("failed",)),
    "complained": Fate(events=("delivered", "complained")),
    "unsubscribed": Fate(events=("delivered", "unsubscribed")),
    "opened": Fate(events=("delivered", "opened")),
    "clicked": Fate(events=("delivered", "opened", "clicked")),
    "invalid": Fate("invalid_recipient"),
    "opted-out": Fate("opted_out"),
    "rejected": Fate("rejected"),
    "not-here": Fate("not_here"),
}
_WORD = re.compile(r"lab-(" + "|".join(sorted(MAGIC, key=len, reverse=True)) + r")(?![a-z])")
_BY_NUMBER = {f"+150055501{number:02}": word for number, word in enumerate(MAGIC)}


class _Message(msgspec.Struct, gc=False):
    """What every message has; the rest is the channel's, and is only looked at for the ledger."""

    id: str
    channel: str
    to: str
    receipts_url: str
    title: str = ""
    subject: str = ""
    body: str = ""
    text: str = ""


_decode = msgspec.json.Decoder(_Message).decode


class HttpStandIn(StandIn):
    """One gateway with two secrets: we sign with the one, it signs with the other."""

    name = "http"
    answers = ANSWERS

    def __init__(self, ledger: Ledger, callbacks: Callbacks) -> None:
        super().__init__(ledger, callbacks)
        self._signing, self._receipts = (f"whsec_{base64.b64encode(token_bytes(32)).decode()}" for _ in range(2))
        self._key = standard_webhooks.key_of(self._signing)
        self._receipts_key = standard_webhooks.key_of(self._receipts)

    def place(self, base_url: str, plain_url: str, folder: Path) -> dict[str, Any]:
        """The files of both secrets."""
        files = {"signing_secret": self._signing, "receipts_secret": self._receipts}
        for name, secret in files.items():
            file = folder / f"http-{name}"
            file.touch(mode=0o600)
            file.write_text(secret)
        paths = {f"{name}_file": str(folder / f"http-{name}") for name in files}
        return {"base_url": base_url, "plain_url": plain_url, **paths}

    async def answer(self, call: Call) -> Answer | None:
        """What became of one message."""
        headers = {name: call.headers.get(name) or "" for name in _SIGNED}
        if standard_webhooks.refusal([self._key], headers, call.body, now=time.time()):
            return self.refused("bad_signature")
        try:
            message = _decode(call.body)
        except msgspec.MsgspecError:
            return self.refused("bad_body")
        if message.id != headers["webhook-id"]:
            return self.refused("bad_body")
        fate = _fate_of(message.to)
        if fate.answer:
            return self.refused(fate.answer)
        content = content_hash(message.title or message.subject, message.body or message.text)
        accept = partial(self.ledger.accept, message.id, message.to, content)
        struck = self.struck(message.to)
        if struck is not None:
            return self.suffer(struck, call, accept)
        times = accept()
        self._tell(message, fate)
        return json_answer({"id": f"gw-{message.id}-{times}"}, 202)

    def _tell(self, message: _Message, fate: Fate) -> None:
        if message.receipts_url:
            for step, event in enumerate(fate.events):
                self.callbacks.send(self.name, partial(self._signed, message, event), step)

    def _signed(self, message: _Message, event: str) -> Outgoing:
        """Signed when it is sent: the signature covers that time."""
        now = int(time.time())
        told = {"id": f"{message.id}-{event}", "delivery_id": message.id, "event": event, "occurred_at": now}
        body = orjson.dumps({"events": [told]})
        call_id = f"msg-{message.id}-{event}"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": call_id,
            "webhook-timestamp": str(now),
            "webhook-signature": standard_webhooks.signature(self._receipts_key, call_id, now, body),
        }
        return Outgoing(url=message.receipts_url, headers=headers, body=body)


_SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")
_DELIVERED = Fate()


def _fate_of(address: str) -> Fate:
    found = _WORD.search(address)
    word = found[1] if found else _BY_NUMBER.get(address, "")
    return MAGIC.get(word, _DELIVERED)
