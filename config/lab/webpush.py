"""The Web Push stand-in: a push service and the browsers that read from it.

It hands out subscriptions with keys of their own, verifies VAPID, and really decrypts (RFC 8291): the ledger holds what
a service worker would have been shown. `POST __subscribe` makes a browser; errors have Mozilla's shape and numbers.
"""

from __future__ import annotations

import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any, ClassVar

import http_ece
import jwt
import msgspec
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from config.lab.callbacks import Callbacks
from config.lab.faults import Answer
from config.lab.ledger import Ledger, content_hash
from config.lab.standin import JSON, Call, StandIn, json_answer

_PUSH = "/push/"
_MAGIC = "lab-"
_BODY_BYTES = 4096
_LONGEST_TOKEN_SECONDS = 86_400
_VAPID = re.compile(r"vapid t=([\w.-]+), ?k=([\w-]+)\Z", re.IGNORECASE)
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")
_URGENCIES = {None, "very-low", "low", "normal", "high"}


def _refusal(status: int, errno: int, message: str, *headers: tuple[str, str]) -> Answer:
    body = {"code": status, "errno": errno, "error": message, "message": message}
    return Answer(status, [*JSON, *headers], orjson.dumps(body))


class _Subscribe(msgspec.Struct, forbid_unknown_fields=True):
    #: The key the page subscribes with (`applicationServerKey`): another one's messages are refused. Empty: any.
    application_server_key: str = msgspec.field(default="", name="applicationServerKey")
    #: A word of `answers`: what every message to this browser gets.
    answer: str = ""


class _Browser(msgspec.Struct, frozen=True):
    key: ec.EllipticCurvePrivateKey
    auth: bytes
    application_server_key: str = ""


class _Shown(msgspec.Struct, gc=False):
    """What our service worker reads."""

    id: str
    title: str = ""
    body: str = ""


_decode = msgspec.json.Decoder(_Shown).decode
_decode_subscribe = msgspec.json.Decoder(_Subscribe).decode


class WebPushStandIn(StandIn):
    """One push service."""

    name: ClassVar[str] = "webpush"
    answers: ClassVar[dict[str, Answer]] = {
        "bad_request": _refusal(400, 111, "Missing TTL header"),
        "bad_crypto": _refusal(400, 110, "Invalid crypto headers"),
        "bad_topic": _refusal(400, 113, "Invalid topic"),
        "unauthorized": _refusal(401, 109, "Invalid authentication"),
        "forbidden": Answer(403, [("content-type", "text/plain")], b"the VAPID credentials do not correspond"),
        "not_found": _refusal(404, 102, "Not Found"),
        "gone": _refusal(410, 105, "Subscription expired"),
        "no_bridge_user": _refusal(410, 106, "Unsubscribed"),
        "too_large": _refusal(413, 104, "Payload too large"),
        "too_many": _refusal(429, 201, "Too many requests"),
        "backoff": _refusal(503, 201, "Use exponential back-off"),
        "retry": _refusal(503, 202, "Please retry"),
        "bridge": _refusal(502, 901, "Bridge unavailable"),
        "server_error": _refusal(500, 999, "Internal Server Error"),
        "bad_gateway": Answer(502, [("content-type", "text/html")], b"<html>Bad Gateway</html>"),
        "redirect": Answer(307, [("location", "http://169.254.169.254/latest/meta-data")], b""),
        "accepted_later": Answer(202, [("location", "/m/later")], b""),
        "html": Answer(200, [("content-type", "text/html")], b"<html>Welcome to the hotel's Wi-Fi</html>"),
    }

    def __init__(self, ledger: Ledger, callbacks: Callbacks) -> None:
        super().__init__(ledger, callbacks)
        self._browsers: dict[str, _Browser] = {}
        self._base_url = ""
        #: VAPID headers that verified, and until when they are good.
        self._verified: dict[str, float] = {}
        self._controls["POST", "/__subscribe"] = self._subscribe

    def place(self, base_url: str, plain_url: str, folder: Path) -> dict[str, Any]:
        """The account; its VAPID key is made for it, as any application server makes its own."""
        self._base_url = base_url
        key = ec.generate_private_key(ec.SECP256R1())
        file = folder / "vapid.pem"
        file.touch(mode=0o600)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return {
            "plain_url": plain_url,
            "allow_hosts": [base_url.split("/")[2]],
            "subject": "mailto:lab@example.com",
            "vapid_private_key_file": str(file),
            "application_server_key": _text(_point(key)),
        }

    async def answer(self, call: Call) -> Answer | None:
        """What the push service would answer."""
        name = call.path[len(_PUSH) :]
        if call.method != "POST" or not call.path.startswith(_PUSH):
            return self.refused("not_found")
        browser = self._browsers.get(name)
        wrong = _fault_of_headers(call) or self._fault_of_vapid(call) or _fault_of_endpoint(name, browser, call)
        if wrong or browser is None:
            return self.refused(wrong)
        shown = _read(call.body, browser)
        if shown is None:
            return self.refused("bad_crypto")
        struck = self.struck(name)
        return (
            self._accept(shown, name)
            if struck is None
            else self.suffer(struck, call, lambda: self._accept(shown, name))
        )

    def _accept(self, shown: _Shown, name: str) -> Answer:
        times = self.ledger.accept(shown.id, name, content_hash(shown.title, shown.body))
        return Answer(201, [("location", f"{self._base_url}/m/{shown.id}-{times}")], b"")

    def _fault_of_vapid(self, call: Call) -> str:
        header = call.headers.get("authorization") or ""
        if self._verified.get(header, 0.0) > time.time():
            return ""
        found = _VAPID.match(header)
        if found is None:
            return "unauthorized"
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(found[2]))
            origin = f"{call.scheme}://{call.host}"
            claims = jwt.decode(
                found[1], key, algorithms=["ES256"], audience=origin, options={"require": ["exp", "sub"]}
            )
        except (jwt.InvalidTokenError, ValueError):
            return "unauthorized"
        is_contact = str(claims["sub"]).startswith(("mailto:", "https://"))
        if not is_contact or claims["exp"] > time.time() + _LONGEST_TOKEN_SECONDS:
            return "unauthorized"
        self._verified[header] = claims["exp"]
        return ""

    def _subscribe(self, body: bytes) -> Answer:
        """A browser's PushSubscription, as its page would post it."""
        try:
            wish = _decode_subscribe(body or b"{}")
        except msgspec.MsgspecError as fault:
            return json_answer({"error": str(fault)}, 400)
        if wish.answer and wish.answer not in self.answers:
            return json_answer({"error": f"unknown answer; known are {', '.join(self.answers)}"}, 400)
        name = f"{_MAGIC}{wish.answer}-{secrets.token_urlsafe(12)}" if wish.answer else secrets.token_urlsafe(24)
        key, auth = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16)
        self._browsers[name] = _Browser(key, auth, wish.application_server_key)
        keys = {"p256dh": _text(_point(key)), "auth": _text(auth)}
        return json_answer({"endpoint": f"{self._base_url}{_PUSH}{name}", "expirationTime": None, "keys": keys})


def _fault_of_headers(call: Call) -> str:
    """What RFC 8030 asks of the headers."""
    topic, ttl = call.headers.get("topic"), call.headers.get("ttl") or ""
    if not ttl.isdecimal():
        return "bad_request"
    if topic is not None and not _TOPIC.match(topic):
        return "bad_topic"
    if call.headers.get("urgency") not in _URGENCIES or call.headers.get("content-encoding") != "aes128gcm":
        return "bad_crypto"
    return "too_large" if len(call.body) > _BODY_BYTES else ""


def _fault_of_endpoint(name: str, browser: _Browser | None, call: Call) -> str:
    """The magic word of an endpoint, or what speaks against writing to it with this key."""
    word = name[len(_MAGIC) :].partition("-")[0] if name.startswith(_MAGIC) else ""
    if word in WebPushStandIn.answers:
        return word
    if browser is None:
        return "not_found"
    return "" if browser.application_server_key in {"", _key_of(call)} else "forbidden"


def _key_of(call: Call) -> str:
    found = _VAPID.match(call.headers.get("authorization") or "")
    return found[2] if found else ""


def _read(body: bytes, browser: _Browser) -> _Shown | None:
    """What the service worker gets; None where the browser could not read it."""
    try:
        plain = http_ece.decrypt(body, private_key=browser.key, auth_secret=browser.auth, version="aes128gcm")
        return _decode(plain)
    except (http_ece.ECEException, ValueError, msgspec.MsgspecError):
        return None


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
