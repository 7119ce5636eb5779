"""Twilio's callbacks: what became of a message, and what people answer.

https://www.twilio.com/docs/usage/security#validating-requests and
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status - signed over the public URL and the form.
There is no time in the signature, so a replay is recognised by its event id, (message, status). The classes of the
error codes are `providers.md` 3.4.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit, urlunsplit
from uuid import UUID

import msgspec

from channels.conf import Secret
from channels.errors import NotGenuine, UnreadableReceipt
from channels.rules import opt_out
from channels.rules.accounts import Account
from channels.vocabulary import Receipt, ReceiptCall, ReceiptKind

_SID = re.compile(r"[A-Za-z0-9]{1,64}\Z")
_STATUS = re.compile(r"[a-z_]{1,32}\Z")
_ERROR_CODE = re.compile(r"[0-9]{1,6}\Z")
_NUMBER = re.compile(r"\+[0-9]{5,15}\Z")
_DEFAULT_PORTS = {"https": 443, "http": 80}


class TwilioReceipts:
    """Reads status callbacks and inbound messages; both come to the same address."""

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        del account
        self._token = secrets["auth_token"]

    def read(self, call: ReceiptCall) -> list[Receipt]:
        """The event of a status callback, or an opt-out; ordinary answers of people are none of our business."""
        query = _pairs(urlsplit(call.url).query)
        fields = self._proven(call, dict(query))
        sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
        if not _SID.match(sid):
            raise UnreadableReceipt("a MessageSid was expected")
        if "MessageStatus" in fields:
            return _status(sid, fields, dict(query).get("d", ""))
        if "Body" in fields or "OptOutType" in fields:
            return _inbound(sid, fields)
        raise UnreadableReceipt("a MessageStatus or a Body was expected")

    def _proven(self, call: ReceiptCall, query: Mapping[str, str]) -> dict[str, str]:
        """The fields of a body that Twilio signed."""
        is_json = "bodySHA256" in query
        pairs = [] if is_json else _pairs(call.body.decode("utf-8", "replace"))
        given = call.headers.get("x-twilio-signature", "").encode()
        key = self._token.reveal().encode()
        # All of them are made and compared, so that time tells nothing.
        if not any([hmac.compare_digest(given, _signature(key, url, pairs)) for url in _spellings(call.url)]):  # noqa: C419 - as said
            raise NotGenuine("the signature is not Twilio's for this URL and body")
        if not is_json:
            return dict(pairs)
        if not hmac.compare_digest(hashlib.sha256(call.body).hexdigest().encode(), query["bodySHA256"].encode()):
            raise NotGenuine("the body is not the one whose hash was signed")
        try:
            return msgspec.json.decode(call.body, type=dict[str, str])
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            raise UnreadableReceipt("an object of texts was expected") from fault


RECEIPTS = TwilioReceipts


def _pairs(form: str) -> list[tuple[str, str]]:
    return parse_qsl(form, keep_blank_values=True)


def _signature(key: bytes, url: str, pairs: Iterable[tuple[str, str]]) -> bytes:
    """The URL, then each name and value in the order of their bytes, a repeated pair once."""
    signed = url + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.new(key, signed.encode(errors="replace"), hashlib.sha1).digest())


def _spellings(url: str) -> set[str]:
    """The URL as it is, without its port, and with the port it has by default: Twilio is not consistent."""
    parts = urlsplit(url)
    host = parts.netloc.removesuffix(f":{parts.port}")
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    return {url, urlunsplit(parts._replace(netloc=host)), urlunsplit(parts._replace(netloc=f"{host}:{port}"))}


_BY_STATUS = {
    "accepted": ReceiptKind.PROGRESS,
    "scheduled": ReceiptKind.PROGRESS,
    "queued": ReceiptKind.PROGRESS,
    "sending": ReceiptKind.PROGRESS,
    "sent": ReceiptKind.PROGRESS,
    "delivered": ReceiptKind.DELIVERED,
    "read": ReceiptKind.DELIVERED,
    "undelivered": ReceiptKind.FAILED,
    "failed": ReceiptKind.FAILED,
    "canceled": ReceiptKind.FAILED,
}
_OPTED_OUT = "21610"
#: Of a failure, those that say the number is at fault; all others are the network's, the sender's or the text's.
_BY_ERROR = {
    "21211": ReceiptKind.BOUNCED,
    "21614": ReceiptKind.BOUNCED,
    "30005": ReceiptKind.BOUNCED,  # unknown handset
    "30006": ReceiptKind.BOUNCED,  # a landline, or a carrier that cannot be reached
}


def _status(sid: str, fields: Mapping[str, str], delivery: str) -> list[Receipt]:
    """What became of the message; where it failed for an opt-out, that before it, so that no other route is taken."""
    status = fields["MessageStatus"]
    if not _STATUS.match(status):
        raise UnreadableReceipt("a MessageStatus of lower-case letters was expected")
    error = fields.get("ErrorCode", "")
    error = error if _ERROR_CODE.match(error) else ""
    kind = _BY_STATUS.get(status, ReceiptKind.UNKNOWN)
    if kind is ReceiptKind.FAILED:
        kind = _BY_ERROR.get(error, kind)
    receipt = Receipt(
        event_id=f"{sid}:{status}",
        kind=kind,
        delivery_id=_uuid(delivery),
        provider_message_id=sid,
        code=error,
        detail=status,
    )
    number = fields.get("To", "")
    if kind is ReceiptKind.FAILED and error == _OPTED_OUT and _NUMBER.match(number):
        stop = Receipt(event_id=f"{sid}:opted_out", kind=ReceiptKind.UNSUBSCRIBED, address=number, code=error)
        return [stop, receipt]
    return [receipt]


def _inbound(sid: str, fields: Mapping[str, str]) -> list[Receipt]:
    """STOP and START; with Advanced Opt-Out Twilio has read the message itself, in any language."""
    said, sender = fields.get("OptOutType", ""), fields.get("From", "")
    text = fields.get("Body", "")
    if not _NUMBER.match(sender):
        return []
    if said == "STOP" or opt_out.is_stop(text):
        return [Receipt(event_id=f"{sid}:stop", kind=ReceiptKind.UNSUBSCRIBED, address=sender, code="STOP")]
    if said == "START" or opt_out.is_start(text):
        # Kept for people to see. That somebody may be written to again is for their preferences to say, not for
        # one word to a number that may have changed hands (decision 0022).
        return [Receipt(event_id=f"{sid}:start", kind=ReceiptKind.UNKNOWN, address=sender, code="START")]
    return []


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
