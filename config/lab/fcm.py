"""The FCM stand-in: HTTP v1 with its token endpoint, a ledger, and faults on request.

As faithful as our side can tell: the bearer token and the body are checked the way Google checks them (unknown names,
reserved data keys, 4,096 bytes of payload), and errors have Google's shape. An RSGI application, because this must not
be the bottleneck of a benchmark.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Any
from urllib.parse import parse_qs

import jwt
import msgspec
import orjson

from channels.rules.topics import is_condition
from config.lab.connections import cut_connection
from config.lab.faults import ANSWERS, Answer, Fault, Script, error
from config.lab.identities import CLIENT_EMAIL, PROJECT_ID
from config.lab.ledger import Ledger, content_hash

_SEND_PATH = f"/v1/projects/{PROJECT_ID}/messages:send"
_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_PAYLOAD_BYTES, _TOPIC_PAYLOAD_BYTES = 4096, 2048
#: The token `lab-unregistered-1` gets that answer, and so for every word of ANSWERS.
_MAGIC = "lab-"
_JSON_HEADERS = [("content-type", "application/json; charset=UTF-8")]
_BYTES_HEADERS = [("content-type", "application/octet-stream")]
_RESERVED = ("google", "gcm")


class _Notification(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    title: str = ""
    body: str = ""
    image: str = ""


class _Message(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    token: str = ""
    topic: str = ""
    condition: str = ""
    data: dict[str, str] = {}
    notification: _Notification | None = None
    android: dict[str, Any] = {}
    apns: dict[str, Any] = {}
    webpush: dict[str, Any] = {}
    fcm_options: dict[str, Any] = {}

    @property
    def address(self) -> str:
        """Whom it is for, as our devices' tokens write it."""
        return self.token or (f"/topics/{self.topic}" if self.topic else self.condition)


class _Send(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    message: _Message
    validate_only: bool = False


_decode = msgspec.json.Decoder(_Send).decode
_decode_script = msgspec.json.Decoder(Script).decode


class FcmStandIn:
    """One project, its granted tokens, its ledger."""

    def __init__(self, ledger: Ledger, *, public_key: bytes, make_account: Callable[[], tuple[Path, bytes]]) -> None:
        """`make_account` writes another service account: its path and the public half of its key."""
        self.ledger = ledger
        self.script = Script()
        #: Authorization header → epoch seconds until which it is taken.
        self._granted: dict[str, float] = {}
        self._public_key = public_key
        self._make_account = make_account
        self._chance = SystemRandom()
        self._controls = {
            ("GET", "/__ledger"): lambda _: Answer(200, _JSON_HEADERS, self.ledger.dump()),
            ("GET", "/__ledger/summary"): lambda _: _json(self.ledger.summary()),
            ("GET", "/__ledger/short"): lambda _: Answer(200, _BYTES_HEADERS, self.ledger.short()),
            ("GET", "/__ledger/refusals"): lambda _: Answer(200, _JSON_HEADERS, self.ledger.instants()),
            ("POST", "/__faults"): self._set_script,
            ("POST", "/__reset"): self._reset,
            ("POST", "/__rotate"): self._rotate,
            ("POST", "/token"): self._grant,
        }

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer one request."""
        body = await proto()
        if scope.path != _SEND_PATH:
            control = self._controls.get((scope.method, scope.path))
            status, headers, answer = control(body) if control else error(404, "NOT_FOUND", "Not Found")
            proto.response_bytes(status, headers, answer)
            return
        if self.script.latency_ms:
            await asyncio.sleep(self.script.latency_ms / 1000)
        answered = self._send(scope, body)
        if answered is None:
            await asyncio.Event().wait()  # hang: the peer's patience ends first
        elif answered.status:
            proto.response_bytes(*answered)

    def _send(self, scope: Any, body: bytes) -> Answer | None:
        """What becomes of one message; None: no answer ever, status 0: the connection is gone."""
        if self._granted.get(scope.headers.get("authorization"), 0.0) < time.time():
            return self._refuse("unauthenticated")
        try:
            message = _decode(body).message
        except msgspec.MsgspecError as fault:
            self.ledger.refuse("malformed")
            return error(400, "INVALID_ARGUMENT", f"Invalid JSON payload received. {fault}")
        wrong = _fault_of(message, len(body))
        if wrong is not None:
            self.ledger.refuse("invalid")
            return wrong
        if message.token.startswith(_MAGIC):
            word = message.token.split("-", 2)[1]
            if word in ANSWERS:
                return self._refuse(word)
        struck = self.script.strike(message.address, self._chance) if self.script.faults else None
        return self._accept(message) if struck is None else self._strike(struck, message, scope)

    def _accept(self, message: _Message) -> Answer:
        shown = message.notification or _Notification()
        delivery_id = message.data.get("carillon_id", message.address)
        times = self.ledger.accept(delivery_id, message.address, content_hash(shown.title, shown.body))
        name = f'{{"name":"projects/{PROJECT_ID}/messages/0:{delivery_id}-{times}"}}'
        return Answer(200, _JSON_HEADERS, name.encode())

    def _strike(self, fault: Fault, message: _Message, scope: Any) -> Answer | None:
        if fault.answer == "hang":
            self._accept(message)
            return None
        if fault.answer in {"reset_before", "reset_after"}:
            if fault.answer == "reset_after":
                self._accept(message)
            cut_connection(scope.client)
            return Answer(0, [], b"")
        status, headers, body = self._refuse(fault.answer)
        if fault.retry_after is not None:
            headers = [*headers, ("retry-after", fault.retry_after)]
        return Answer(status, headers, body)

    def _refuse(self, word: str) -> Answer:
        self.ledger.refuse(word)
        return ANSWERS[word]

    def _grant(self, body: bytes) -> Answer:
        """The JWT-bearer grant (RFC 7523): an assertion signed by the service account for an access token."""
        if self.script.grants == "down":
            return error(503, "UNAVAILABLE", "The service is currently unavailable.")
        form = parse_qs(body.decode("latin-1"))
        try:
            claims = jwt.decode(
                form["assertion"][0], self._public_key, algorithms=["RS256"], options={"verify_aud": False}, leeway=10
            )
        except (jwt.InvalidTokenError, KeyError):
            return _json({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400)
        if self.script.grants == "refuse" or claims["iss"] != CLIENT_EMAIL or _SCOPE not in claims.get("scope", ""):
            return _json({"error": "invalid_grant", "error_description": "Account not found."}, 400)
        token = f"ya29.{secrets.token_urlsafe(110)}"
        self._granted[f"Bearer {token}"] = time.time() + self.script.token_seconds
        return _json({"access_token": token, "expires_in": self.script.token_seconds, "token_type": "Bearer"})

    def _rotate(self, body: bytes) -> Answer:
        """Revoke the service account's key and whatever was granted for it; answer where there is another account."""
        del body
        path, self._public_key = self._make_account()
        self._granted.clear()
        return _json({"service_account_file": str(path)})

    def _set_script(self, body: bytes) -> Answer:
        try:
            script = _decode_script(body)
        except msgspec.MsgspecError as fault:
            return error(400, "INVALID_ARGUMENT", str(fault))
        known = {*ANSWERS, "hang", "reset_before", "reset_after"}
        strange = [fault.answer for fault in script.faults if fault.answer not in known]
        if strange:
            return error(400, "INVALID_ARGUMENT", f"unknown answer {strange[0]}; known are {', '.join(sorted(known))}")
        if script.revoke:
            self._granted.clear()
        self.script = script
        return _json({})

    def _reset(self, body: bytes) -> Answer:
        del body
        self.ledger.reset()
        self.script = Script()
        return _json({})


def _fault_of(message: _Message, body_bytes: int) -> Answer | None:
    """What Google refuses about a message for its own sake."""
    targets = [one for one in (message.token, message.topic, message.condition) if one]
    if len(targets) != 1:
        words = "Recipient of the message is not set." if not targets else "oneof field 'target' is already set."
        return error(400, "INVALID_ARGUMENT", words, "INVALID_ARGUMENT", "message")
    if message.topic.startswith("/topics/") or (message.condition and not is_condition(message.condition)):
        return error(400, "INVALID_ARGUMENT", "Invalid topic or condition", "INVALID_ARGUMENT", "message.topic")
    for key in message.data:
        if key == "from" or key.startswith(_RESERVED):
            return error(
                400, "INVALID_ARGUMENT", f"Invalid data payload key: {key}", "INVALID_ARGUMENT", "message.data"
            )
    limit = _PAYLOAD_BYTES if message.token else _TOPIC_PAYLOAD_BYTES
    if body_bytes > limit and _payload_bytes(message) > limit:
        return error(400, "INVALID_ARGUMENT", "Android message is too big", "INVALID_ARGUMENT", "message.data")
    return None


def _payload_bytes(message: _Message) -> int:
    shown = msgspec.structs.asdict(message.notification or _Notification())
    return sum(
        len(name.encode()) + len(text.encode()) for name, text in (*shown.items(), *message.data.items()) if text
    )


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, _JSON_HEADERS, orjson.dumps(value))
