"""The Twilio stand-in: the Messages resource, its magic numbers, and status callbacks that are signed.

Errors are worded as Twilio words them. From +15005550001 and +15005550007, +15005550008 and to +15005550001 … 0009 are
Twilio's own test numbers (https://www.twilio.com/docs/iam/test-credentials); ours are +1500555NNNN, where NNNN is the
end of the error code that the status callback brings, or of the answer (`MAGIC`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from email.utils import formatdate
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from channels.rules.sms import segments
from config.lab.callbacks import Callbacks, Outgoing
from config.lab.faults import Answer
from config.lab.ledger import Ledger, content_hash
from config.lab.standin import JSON, Call, StandIn, json_answer

ACCOUNT_SID = "AC" + "1ab" * 10 + "0d"
#: Of the messaging service whose pool has one number.
SERVICE_SID = "MG" + "5e7" * 10 + "f1"
FROM = "+15005550006"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_SENDER = re.compile(r"\+[1-9][0-9]{6,14}\Z|[0-9]{3,6}\Z|(?=.*[A-Za-z])[A-Za-z0-9 +&_-]{1,11}\Z")
_BODY_CHARACTERS = 1600
_VALIDITY_SECONDS = 36_000
#: Twilio passes over what it does not know; here a misspelt name is found out.
_KNOWN = frozenset({"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"})


def _error(status: int, code: int, message: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json_answer({"code": code, "message": message, "more_info": more, "status": status}, status)


ANSWERS: dict[str, Answer] = {
    "unauthenticated": _error(401, 20003, "Authenticate"),
    "suspended": _error(403, 20403, "Forbidden"),
    "too_many": _error(429, 20429, "Too Many Requests"),
    "not_found": _error(404, 20404, "The requested resource was not found"),
    "internal": _error(500, 20500, "An internal server error has occurred"),
    "unavailable": _error(503, 20503, "Service Unavailable"),
    "unknown_code": _error(400, 21999, "Something new"),
    "bad_gateway": Answer(502, [("content-type", "text/html")], b"<html><h1>502 Bad Gateway</h1></html>"),
    "html": Answer(200, [("content-type", "text/html")], b"<html>Welcome to the hotel's Wi-Fi</html>"),
    "no_recipient": _error(400, 21604, "A 'To' phone number is required."),
    "no_sender": _error(400, 21603, "A 'From' phone number is required."),
    "no_body": _error(400, 21602, "Message body is required."),
    "body_too_long": _error(400, 21617, "The concatenated message body exceeds the 1600 character limit"),
    "bad_parameter": _error(400, 20001, "Unknown parameter"),
    "bad_validity": _error(400, 90007, "Invalid validity period value"),
    "bad_callback": _error(400, 21609, "The StatusCallback URL is not a valid URL."),
    "bad_sender": _error(400, 21212, "The 'From' number is not a valid phone number, shortcode, or alphanumeric id"),
    "not_my_sender": _error(400, 21606, "The 'From' phone number is not a valid, message-capable Twilio number"),
    "queue_full": _error(429, 21611, "The 'From' number has exceeded the maximum number of queued messages"),
    "bad_service": _error(400, 21701, "The Messaging Service does not exist"),
    "invalid_number": _error(400, 21211, "Invalid 'To' Phone Number"),
    "unroutable": _error(400, 21612, "Message cannot be sent with the current combination of 'To' and 'From'"),
    "no_permission": _error(400, 21408, "Permission to send an SMS has not been enabled for the region"),
    "opted_out": _error(400, 21610, "Attempt to send to unsubscribed recipient"),
    "not_mobile": _error(400, 21614, "'To' number is not a valid mobile number"),
}
_BY_SENDER = {"+15005550001": "bad_sender", "+15005550007": "not_my_sender", "+15005550008": "queue_full"}
_BY_RECIPIENT = {
    "+15005550001": "invalid_number",
    "+15005550002": "unroutable",
    "+15005550003": "no_permission",
    "+15005550004": "opted_out",
    "+15005550009": "not_mobile",
}


class Fate(NamedTuple):
    """What the callbacks of a message say after `queued` and `sent`."""

    status: str = "delivered"
    error: str = ""
    #: What the phone's owner answers.
    reply: str = ""


_DELIVERED = Fate()
#: Numbers of ours: what comes of a message to them.
MAGIC: dict[str, Fate] = {
    "+15005553001": Fate("failed", "30001"),
    "+15005553003": Fate("undelivered", "30003"),
    "+15005553005": Fate("undelivered", "30005"),
    "+15005553006": Fate("undelivered", "30006"),
    "+15005553007": Fate("undelivered", "30007"),
    "+15005553008": Fate("undelivered", "30008"),
    "+15005553034": Fate("failed", "30034"),
    "+15005553410": Fate("failed", "30410"),
    "+15005554000": Fate("sent"),
    "+15005554001": Fate("delivered", reply="STOP"),
    "+15005554002": Fate("delivered", reply="Start"),
    "+15005554003": Fate("delivered", reply="thanks a lot"),
}


class _Message(msgspec.Struct, frozen=True, gc=False):
    sid: str
    to: str
    sender: str
    callback: str


class TwilioStandIn(StandIn):
    """One account with one number and one messaging service."""

    name = "twilio"
    answers = ANSWERS

    def __init__(self, ledger: Ledger, callbacks: Callbacks) -> None:
        super().__init__(ledger, callbacks)
        self._token = token_hex(16)
        basic = base64.b64encode(f"{ACCOUNT_SID}:{self._token}".encode()).decode()
        self._authorization = f"Basic {basic}"

    def place(self, base_url: str, plain_url: str, folder: Path) -> dict[str, Any]:
        """Account SID, numbers, and the file that holds the auth token."""
        file = folder / "twilio-auth-token"
        file.touch(mode=0o600)
        file.write_text(self._token)
        return {
            "base_url": base_url,
            "plain_url": plain_url,
            "account_sid": ACCOUNT_SID,
            "from": FROM,
            "messaging_service_sid": SERVICE_SID,
            "auth_token_file": str(file),
        }

    async def answer(self, call: Call) -> Answer | None:
        """What became of one POST to Messages.json."""
        if call.headers.get("authorization") != self._authorization:
            return self.refused("unauthenticated")
        if (call.method, call.path) != ("POST", f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"):
            return self.refused("not_found")
        form = dict(call.form)
        wrong = _fault_of(form)
        if wrong:
            return self.refused(wrong)
        message = _Message(f"SM{token_hex(16)}", form["To"], form.get("From", FROM), form.get("StatusCallback", ""))
        delivery_id = _delivery_of(message)
        accept = partial(self.ledger.accept, delivery_id, message.to, content_hash("", form["Body"]))
        struck = self.struck(message.to)
        if struck is not None:
            return self.suffer(struck, call, accept)
        accept()
        self._tell(message)
        return _created(message, form)

    def _tell(self, message: _Message) -> None:
        """Its callbacks: on its way, what came of it, and what is answered."""
        if not message.callback:
            return
        fate = MAGIC.get(message.to, _DELIVERED)
        steps = [("sent", ""), (fate.status, fate.error)] if fate.status != "sent" else [("sent", "")]
        for step, (status, error) in enumerate(steps):
            fields = _status_fields(message, status, error)
            self.callbacks.send(self.name, partial(self._signed, message.callback, fields), step)
        if fate.reply:
            inbound = urlsplit(message.callback)._replace(query="").geturl()
            fields = _reply_fields(message, fate.reply)
            self.callbacks.send(self.name, partial(self._signed, inbound, fields), len(steps))

    def _signed(self, url: str, fields: Mapping[str, str]) -> Outgoing:
        return Outgoing(
            url=url,
            headers={
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                "User-Agent": "TwilioProxy/1.1",
                "X-Twilio-Signature": signature(self._token, url, fields.items()),
            },
            body=urlencode(fields).encode(),
        )


def signature(token: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """`X-Twilio-Signature` of a form."""
    text = url + "".join(name + value for name, value in sorted(fields))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


def _fault_of(form: Mapping[str, str]) -> str:
    """The word for what Twilio refuses about a request; empty when it is taken."""
    if not form.keys() <= _KNOWN:
        return "bad_parameter"
    return _fault_of_sender(form) or _fault_of_recipient(form.get("To", "")) or _fault_of_rest(form)


def _fault_of_sender(form: Mapping[str, str]) -> str:
    service = form.get("MessagingServiceSid")
    if service is not None:
        return "" if service == SERVICE_SID else "bad_service"
    sender = form.get("From", "")
    if not sender:
        return "no_sender"
    return _BY_SENDER.get(sender) or ("" if _SENDER.match(sender) else "bad_sender")


def _fault_of_recipient(to: str) -> str:
    if not to:
        return "no_recipient"
    return _BY_RECIPIENT.get(to) or ("" if _E164.match(to) else "invalid_number")


def _fault_of_rest(form: Mapping[str, str]) -> str:
    body, validity = form.get("Body", ""), form.get("ValidityPeriod", "1")
    if not body:
        return "no_body"
    if len(body) > _BODY_CHARACTERS:
        return "body_too_long"
    if not validity.isdecimal() or not 1 <= int(validity) <= _VALIDITY_SECONDS:
        return "bad_validity"
    callback = form.get("StatusCallback", "https://")
    return "" if callback.startswith(("https://", "http://")) else "bad_callback"


def _delivery_of(message: _Message) -> str:
    """Whose message this is, by the query of its callback; else by Twilio's own id, which is always another."""
    found: Sequence[str] = parse_qs(urlsplit(message.callback).query).get("d", ())
    return found[0] if found else message.sid


def _created(message: _Message, form: Mapping[str, str]) -> Answer:
    by_service = "MessagingServiceSid" in form
    now = formatdate(time.time())
    body = {
        "account_sid": ACCOUNT_SID,
        "api_version": "2010-04-01",
        "body": form["Body"],
        "date_created": now,
        "date_sent": None,
        "date_updated": now,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": None if by_service else message.sender,
        "messaging_service_sid": form.get("MessagingServiceSid"),
        "num_media": "0",
        # A service picks the sender later, and counts then.
        "num_segments": "0" if by_service else str(segments(form["Body"]).count),
        "price": None,
        "price_unit": None,
        "sid": message.sid,
        "status": "accepted" if by_service else "queued",
        "subresource_uris": {"media": f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{message.sid}/Media.json"},
        "to": message.to,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{message.sid}.json",
    }
    return Answer(201, JSON, msgspec.json.encode(body))


def _status_fields(message: _Message, status: str, error: str) -> dict[str, str]:
    fields = {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "From": message.sender,
        "MessageSid": message.sid,
        "MessageStatus": status,
        "SmsSid": message.sid,
        "SmsStatus": status,
        "To": message.to,
    }
    return fields | ({"ErrorCode": error} if error else {})


def _reply_fields(message: _Message, text: str) -> dict[str, str]:
    sid = f"SM{token_hex(16)}"
    return {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "Body": text,
        "From": message.to,
        "MessageSid": sid,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsMessageSid": sid,
        "SmsSid": sid,
        "SmsStatus": "received",
        "To": message.sender,
    }
