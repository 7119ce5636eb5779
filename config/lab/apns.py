"""The APNs stand-in: HTTP/2 with token authentication, Apple's reasons, a ledger, and faults on request.

As faithful as our side can tell: the provider token's signature, issuer and age, how often it changes on a connection,
every header, the shape of the device token and the size of the payload are checked the way Apple's pages tell. Device
tokens are hexadecimal; `lab-Unregistered-1` gets that answer, and so for every reason.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import jwt
import msgspec
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config.lab.callbacks import Callbacks
from config.lab.faults import Answer
from config.lab.ledger import Ledger, content_hash
from config.lab.standin import JSON, Call, StandIn

KEY_ID, TEAM_ID, TOPIC = "LABKEY0001", "LABTEAM001", "com.example.carillon"
_SEND = "/3/device/"
_MAGIC = "lab-"
_DEVICE_TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){4,100}\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_PAYLOAD_BYTES, _VOIP_PAYLOAD_BYTES = 4096, 5120
_COLLAPSE_ID_BYTES = 64
#: Seconds a provider token is good for, and seconds between two of them on one connection.
_TOKEN_SECONDS, _TOKEN_PAUSE_SECONDS = 3600, 1200
#: Seconds by which its clock may be ahead of ours.
_CLOCK_SECONDS = 60
#: Push types and what their topic ends in; alert and background have the app's own.
_SUFFIXES = {
    "alert": "",
    "background": "",
    "voip": ".voip",
    "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider",
    "location": ".location-query",
    "liveactivity": ".push-type.liveactivity",
    "pushtotalk": ".voip-ptt",
    "widgets": ".push-type.widgets",
    "controls": ".push-type.controls",
}
_EXPIRED = "ExpiredProviderToken"
_PRIORITIES = {None, "10", "5", "1"}


def _refusal(status: int, reason: str) -> Answer:
    return Answer(status, JSON, orjson.dumps({"reason": reason}))


_REASONS: dict[str, int] = {
    "BadCollapseId": 400,
    "BadDeviceToken": 400,
    "BadExpirationDate": 400,
    "BadMessageId": 400,
    "BadPriority": 400,
    "BadTopic": 400,
    "DeviceTokenNotForTopic": 400,
    "DuplicateHeaders": 400,
    "IdleTimeout": 400,
    "InvalidPushType": 400,
    "MissingDeviceToken": 400,
    "MissingTopic": 400,
    "PayloadEmpty": 400,
    "TopicDisallowed": 400,
    "BadCertificate": 403,
    "BadCertificateEnvironment": 403,
    _EXPIRED: 403,
    "Forbidden": 403,
    "InvalidProviderToken": 403,
    "MissingProviderToken": 403,
    "BadPath": 404,
    "MethodNotAllowed": 405,
    "ExpiredToken": 410,
    "Unregistered": 410,
    "PayloadTooLarge": 413,
    "TooManyProviderTokenUpdates": 429,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
    "Shutdown": 503,
}
#: What the stand-in answers and Apple does not.
_STRANGE = {
    "SomethingNew": _refusal(400, "SomethingNew"),
    "html": Answer(200, [("content-type", "text/html")], b"<html>Welcome to the hotel's Wi-Fi</html>"),
    "empty": Answer(200, [], b""),
    "null": Answer(400, JSON, b"null"),
    "wrong_types": Answer(400, JSON, b'{"reason": {"a": [1]}, "timestamp": "soon"}'),
}


class _Payload(msgspec.Struct, gc=False):
    aps: dict[str, Any]
    carillon_id: str = ""


class _Connection(msgspec.Struct, gc=False):
    """What one connection has shown: its token, since when, and whether it changed too soon."""

    authorization: str
    since: float
    spoilt: bool = False


_decode = msgspec.json.Decoder(_Payload).decode


class ApnsStandIn(StandIn):
    """One app of one team."""

    name: ClassVar[str] = "apns"
    answers: ClassVar[dict[str, Answer]] = {
        **{reason: _refusal(status, reason) for reason, status in _REASONS.items()},
        **_STRANGE,
    }

    def __init__(self, ledger: Ledger, callbacks: Callbacks) -> None:
        super().__init__(ledger, callbacks)
        self._key = ec.generate_private_key(ec.SECP256R1())
        #: Authorization header → epoch seconds at which it was issued; those that verified.
        self._verified: dict[str, int] = {}
        self._connections: dict[str, _Connection] = {}

    def place(self, base_url: str, plain_url: str, folder: Path) -> dict[str, Any]:
        """The account; its signing key is written as Apple hands it out, in PKCS 8."""
        file = folder / "apns.p8"
        file.touch(mode=0o600)
        file.write_bytes(self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return {
            "base_url": base_url,
            "plain_url": plain_url,
            "key_id": KEY_ID,
            "team_id": TEAM_ID,
            "topic": TOPIC,
            "private_key_file": str(file),
        }

    def scripted(self) -> None:
        """A new script is a new day: what connections showed before is forgotten."""
        self._connections.clear()

    async def answer(self, call: Call) -> Answer | None:
        """What Apple would answer."""
        token = call.path[len(_SEND) :]
        wrong = self._fault_of_token(call) or _fault_of_path(call, token)
        if wrong:
            return self._refused(wrong, call)
        if token.startswith(_MAGIC):
            reason, _, detail = token[len(_MAGIC) :].partition("-")
            if reason in self.answers:
                return self._refused(reason, call, detail)
        wrong = _fault_of_headers(call.headers) or _fault_of_body(call)
        if wrong:
            return self._refused(wrong, call)
        struck = self.struck(token)
        if struck is None:
            return self._accept(call, token)
        if struck.answer == _EXPIRED:
            self._connections.pop(call.client, None)  # as below
        return self.suffer(struck, call, lambda: self._accept(call, token))

    def _accept(self, call: Call, token: str) -> Answer:
        payload = _decode(call.body)
        alert = payload.aps.get("alert")
        alert = alert if isinstance(alert, dict) else {}
        apns_id = call.headers.get("apns-id") or payload.carillon_id
        content = content_hash(alert.get("title", ""), alert.get("body", ""))
        self.ledger.accept(payload.carillon_id or apns_id, token, content)
        return Answer(200, [("apns-id", apns_id)], b"")

    def _refused(self, reason: str, call: Call, detail: str = "") -> Answer:
        """One of Apple's refusals; Gone says since when."""
        answer = self.refused(reason)
        if reason == _EXPIRED:
            self._connections.pop(call.client, None)  # another token is asked for, and will not be too soon
        if answer.status == 410:  # noqa: PLR2004 - HTTP: Gone
            # `lab-Unregistered-at1700000000-7`: invalid since then; else since now.
            since = int(found[1]) if (found := re.match(r"at(\d+)", detail)) else int(time.time())
            answer = answer._replace(body=orjson.dumps({"reason": reason, "timestamp": since * 1000}))
        return answer

    def _fault_of_token(self, call: Call) -> str:
        """What is wrong with the provider token, by itself and on this connection."""
        authorization = call.headers.get("authorization") or ""
        issued_at = self._verified.get(authorization)
        if issued_at is None:
            issued_at = self._issued_at(authorization)
            if issued_at is None:
                return "InvalidProviderToken" if authorization else "MissingProviderToken"
            self._verified[authorization] = issued_at
        now = time.time()
        if not -_CLOCK_SECONDS <= now - issued_at < _TOKEN_SECONDS:
            return _EXPIRED
        known = self._connections.get(call.client)
        if known is None:
            self._connections[call.client] = _Connection(authorization, now)
        elif known.authorization != authorization:
            known.spoilt = known.spoilt or now - known.since < _TOKEN_PAUSE_SECONDS
            known.authorization, known.since = authorization, now
        return "TooManyProviderTokenUpdates" if known is not None and known.spoilt else ""

    def _issued_at(self, authorization: str) -> int | None:
        """When a token was issued; None where it is no token of our team's key."""
        scheme, _, token = authorization.partition(" ")
        try:
            claims = jwt.decode(
                token, self._key.public_key(), algorithms=["ES256"], issuer=TEAM_ID, options={"verify_iat": False}
            )
            is_ours = scheme.lower() == "bearer" and jwt.get_unverified_header(token).get("kid") == KEY_ID
            return int(claims["iat"]) if is_ours else None
        except (jwt.InvalidTokenError, KeyError, ValueError):
            return None


def _fault_of_path(call: Call, token: str) -> str:
    if call.method != "POST":
        return "MethodNotAllowed"
    if not call.path.startswith(_SEND):
        return "BadPath"
    if not token:
        return "MissingDeviceToken"
    return "" if _DEVICE_TOKEN.match(token) or token.startswith(_MAGIC) else "BadDeviceToken"


def _fault_of_headers(headers: Any) -> str:
    """The first of Apple's headers that is wrong."""
    wrong = _fault_of_type(headers.get("apns-push-type"), headers.get("apns-topic"), headers.get("apns-priority"))
    if wrong:
        return wrong
    expiration, collapse_id, apns_id = (headers.get(f"apns-{name}") for name in ("expiration", "collapse-id", "id"))
    if expiration is not None and not expiration.isdecimal():
        return "BadExpirationDate"
    if collapse_id is not None and len(collapse_id.encode()) > _COLLAPSE_ID_BYTES:
        return "BadCollapseId"
    return "BadMessageId" if apns_id is not None and not _UUID.match(apns_id) else ""


@lru_cache
def _fault_of_type(kind: str | None, topic: str | None, priority: str | None) -> str:
    """What is wrong between push type, topic and priority."""
    kind = kind or "alert"
    checks = (
        ("InvalidPushType", kind in _SUFFIXES),
        ("MissingTopic", topic),
        ("TopicDisallowed", topic == TOPIC + _SUFFIXES.get(kind, "")),
        ("BadPriority", priority in _PRIORITIES and not (kind == "background" and priority == "10")),
    )
    return next((reason for reason, is_right in checks if not is_right), "")


def _fault_of_body(call: Call) -> str:
    voip = (call.headers.get("apns-push-type") or "") == "voip"
    if len(call.body) > (_VOIP_PAYLOAD_BYTES if voip else _PAYLOAD_BYTES):
        return "PayloadTooLarge"
    try:
        return "" if _decode(call.body).aps else "PayloadEmpty"
    except msgspec.MsgspecError:
        return "PayloadEmpty"
