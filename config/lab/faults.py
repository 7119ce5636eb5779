"""What a stand-in does wrong when it is told to: scripted for all, or by a magic word in a token."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import msgspec
import orjson

from config.lab.callbacks import ReceiptScript

Headers = list[tuple[str, str]]
_JSON: Headers = [("content-type", "application/json; charset=UTF-8")]
_HTML: Headers = [("content-type", "text/html; charset=UTF-8")]
_HUGE_BYTES = 10 * 1024 * 1024


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: Headers
    body: bytes


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One scripted fault; the first that strikes is the one."""

    #: A key of ANSWERS, or `hang`, `reset_before`, `reset_after` (acceptance).
    answer: str
    #: Of the requests it could strike, this share.
    share: float = 1.0
    #: How many it strikes before it is over; None: no end.
    count: int | None = None
    #: Only tokens that begin so.
    token_prefix: str = ""
    #: Value of a Retry-After header.
    retry_after: str | None = None


class Script(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All that is wrong at the moment; posting another replaces it, posting {} heals everything."""

    latency_ms: float = 0.0
    faults: list[Fault] = []
    #: `refuse` (invalid_grant), `down` (503); else tokens are granted.
    grants: str = ""
    #: Access tokens granted so far are not taken any more.
    revoke: bool = False
    #: Life of tokens granted from now on.
    token_seconds: int = 3600
    receipts: ReceiptScript = msgspec.field(default_factory=ReceiptScript)

    def strike(self, token: str, chance: Random) -> Fault | None:
        """The fault that hits this request, if any."""
        for fault in self.faults:
            if fault.count == 0 or not token.startswith(fault.token_prefix) or chance.random() >= fault.share:
                continue
            if fault.count is not None:
                fault.count -= 1
            return fault
        return None


def error(status: int, word: str, message: str, code: str = "", fields: str = "") -> Answer:
    """An error as Google words it; `code` is FCM's own, `fields` the field that is to blame."""
    details: list[dict[str, object]] = []
    if code:
        details.append({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    if fields:
        violation = {"field": fields, "description": message}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})
    body = {"error": {"code": status, "message": message, "status": word, "details": details}}
    return Answer(status, _JSON, orjson.dumps(body))


ANSWERS: dict[str, Answer] = {
    "unregistered": error(404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"),
    "wrong_project": error(404, "NOT_FOUND", "Requested entity was not found."),
    "invalid_token": error(
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        "INVALID_ARGUMENT",
        "message.token",
    ),
    "invalid_argument": error(400, "INVALID_ARGUMENT", "Invalid value", "INVALID_ARGUMENT", "message.android.ttl"),
    "sender_mismatch": error(403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH"),
    "forbidden": error(403, "PERMISSION_DENIED", "Firebase Cloud Messaging API has not been used in project"),
    "unauthenticated": error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "apns_key_refused": error(401, "UNAUTHENTICATED", "Auth error from APNS", "THIRD_PARTY_AUTH_ERROR"),
    "quota": error(429, "RESOURCE_EXHAUSTED", "Quota exceeded", "QUOTA_EXCEEDED"),
    "unavailable": error(503, "UNAVAILABLE", "The service is currently unavailable.", "UNAVAILABLE"),
    "internal": error(500, "INTERNAL", "Internal error encountered.", "INTERNAL"),
    "bad_gateway": Answer(502, _HTML, b"<html><title>Error 502 (Server Error)!!1</title></html>"),
    "unavailable_html": Answer(503, _HTML, b"<html><title>Error 503 (Service Unavailable)!!1</title></html>"),
    "html": Answer(200, _HTML, b"<html>Welcome to the hotel's Wi-Fi</html>"),
    "empty": Answer(202, [], b""),
    "null": Answer(200, _JSON, b"null"),
    "wrong_types": Answer(200, _JSON, b'{"name": {"a": [1]}, "error": 7}'),
    "wrong_error": Answer(400, _JSON, b'{"error": {"details": {"a": 1}, "status": 5, "message": null}}'),
    "huge": Answer(200, _JSON, b'{"name": "' + b"x" * _HUGE_BYTES + b'"}'),
    "unknown_code": error(400, "FAILED_PRECONDITION", "Something new", "SOMETHING_NEW"),
}
