"""Vonage's delivery receipts, and what people answer.

https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts - by GET or POST, as a form or as JSON. With a
signature secret each must carry Vonage's `sig`; without one, only the URL that we made for the message is believed,
whose token nobody else can make. What is neither is refused, an unsigned STOP too.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import msgspec

from channels import policy
from channels.conf import Secret
from channels.errors import NotGenuine, UnreadableReceipt
from channels.rules import opt_out, vonage
from channels.rules.accounts import Account
from channels.vocabulary import Receipt, ReceiptCall, ReceiptKind

_MESSAGE_ID = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_WORD = re.compile(r"[a-z_]{1,32}\Z")
_ERROR_CODE = re.compile(r"[0-9]{1,4}\Z")
_NUMBER = re.compile(r"[0-9]{5,15}\Z")
#: What we put into the callback's URL; Vonage's signature may or may not cover it.
_OURS = frozenset({"d", "t"})

_Fields = dict[str, str]


class VonageReceipts:
    """Reads delivery receipts and inbound messages; both come to the same address."""

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        del account
        self._secret = secrets["api_secret"]
        self._signing = secrets.get("signature_secret")

    def read(self, call: ReceiptCall) -> list[Receipt]:
        """The event of a delivery receipt, or an opt-out; ordinary answers of people are none of our business."""
        fields = dict(parse_qsl(urlsplit(call.url).query, keep_blank_values=True)) | _of_body(call)
        ours = self._delivery(fields)
        self._prove(fields, known=ours is not None)
        message_id = fields.get("messageId", "")
        if not _MESSAGE_ID.match(message_id):
            raise UnreadableReceipt("a messageId was expected")
        if "status" in fields:
            # The signature covers the client-ref; without one, only the token speaks for a delivery.
            delivery = ours or _uuid(fields.get("client-ref", ""))
            return _status(message_id, fields, delivery, is_signed=self._signing is not None)
        if "text" in fields or "keyword" in fields:
            return _inbound(message_id, fields)
        raise UnreadableReceipt("a status or a text was expected")

    def _delivery(self, fields: _Fields) -> UUID | None:
        """The delivery whose callback this is, by the token we gave."""
        delivery = _uuid(fields.get("d", ""))
        if delivery is None:
            return None
        right = vonage.callback_token(self._secret.reveal(), delivery)
        return delivery if hmac.compare_digest(fields.get("t", "").encode(), right.encode()) else None

    def _prove(self, fields: _Fields, *, known: bool) -> None:
        if self._signing is None:
            if not known:
                raise NotGenuine(
                    "the URL is none we gave to Vonage, and without a signature_secret nothing else counts"
                )
            return
        given = fields.get("sig", "").lower().encode()
        signed = [(name, value) for name, value in fields.items() if name != "sig"]
        theirs = [(name, value) for name, value in signed if name not in _OURS]
        right = [vonage.signature(self._signing.reveal(), some).encode() for some in (signed, theirs)]
        if not any([hmac.compare_digest(given, one) for one in right]):  # noqa: C419 - both, so that time tells nothing
            raise NotGenuine("sig is not Vonage's for these parameters (SHA-256 HMAC is the method to choose)")
        told = fields.get("timestamp", "")
        if (
            not (told.isascii() and told.isdecimal())
            or abs(time.time() - int(told[:12])) > policy.VONAGE_RECEIPT_SECONDS
        ):
            raise NotGenuine("timestamp is missing, or more than 25 hours off")


RECEIPTS = VonageReceipts


def _of_body(call: ReceiptCall) -> _Fields:
    """The fields of the body, whether form or JSON; a number counts as its text, as it does in the signature."""
    if not call.body:
        return {}
    if "json" not in call.headers.get("content-type", ""):
        return dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        found = msgspec.json.decode(call.body, type=dict[str, str | int | float | bool | None])
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        # What cannot be read carries no proof either.
        raise NotGenuine("the body is no JSON object of plain values") from fault
    return {name: str(value) for name, value in found.items() if value is not None}


_BY_STATUS = {
    "delivered": ReceiptKind.DELIVERED,
    "accepted": ReceiptKind.PROGRESS,
    "buffered": ReceiptKind.PROGRESS,
    "expired": ReceiptKind.FAILED,
    "failed": ReceiptKind.FAILED,
    "rejected": ReceiptKind.FAILED,
}
#: Its owner asked the operator for no messages of this kind.
_OPTED_OUT = "9"
#: Of a failure, those that say the number is at fault; all others are the network's, the sender's or the text's.
_BY_ERROR = {
    "3": ReceiptKind.BOUNCED,  # the number is no longer active
    "4": ReceiptKind.BOUNCED,  # barred by its owner, for good
}


def _status(message_id: str, fields: _Fields, delivery: UUID | None, *, is_signed: bool) -> list[Receipt]:
    """What became of the message; where it failed for an opt-out, that before it, so that no other route is taken.

    A number that nobody signed is not believed: then the delivery's own is taken out of use.
    """
    status = fields["status"]
    if not _WORD.match(status):
        raise UnreadableReceipt("a status of lower-case letters was expected")
    error = fields.get("err-code", "")
    error = error if _ERROR_CODE.match(error) and int(error) else ""
    kind = _BY_STATUS.get(status, ReceiptKind.UNKNOWN)
    if kind is ReceiptKind.FAILED:
        kind = _BY_ERROR.get(error, kind)
    stops: list[Receipt] = []
    number = fields.get("msisdn", "")
    if kind is ReceiptKind.FAILED and error == _OPTED_OUT:
        if is_signed and _NUMBER.match(number):
            stop = f"{message_id}:opted_out"
            stops = [Receipt(event_id=stop, kind=ReceiptKind.UNSUBSCRIBED, address=f"+{number}", code=error)]
        else:
            kind = ReceiptKind.BOUNCED
    receipt = Receipt(
        event_id=f"{message_id}:{status}",
        kind=kind,
        delivery_id=delivery,
        provider_message_id=message_id,
        code=error,
        detail=status,
    )
    return [*stops, receipt]


def _inbound(message_id: str, fields: _Fields) -> list[Receipt]:
    sender, text = fields.get("msisdn", ""), fields.get("text", "")
    if not _NUMBER.match(sender):
        return []
    address = f"+{sender}"
    if opt_out.is_stop(text):
        return [Receipt(event_id=f"{message_id}:stop", kind=ReceiptKind.UNSUBSCRIBED, address=address, code="STOP")]
    if opt_out.is_start(text):
        # Kept for people to see, and no more: decision 0022.
        return [Receipt(event_id=f"{message_id}:start", kind=ReceiptKind.UNKNOWN, address=address, code="START")]
    return []


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
