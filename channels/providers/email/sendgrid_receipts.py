"""SendGrid's signed event webhook.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features -
ECDSA on P-256 over the timestamp and the raw body, whose last line end is part of it.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from channels import policy
from channels.conf import Secret
from channels.errors import NotGenuine, UnreadableReceipt
from channels.provider import misdeclared
from channels.rules.accounts import Account
from channels.rules.sendgrid_events import receipts_of
from channels.vocabulary import Receipt, ReceiptCall

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_TIMESTAMP_DIGITS = 12


class SendGridReceipts:
    """The events of one account."""

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        del secrets
        try:
            self._key = _public_key(account.options.get("webhook_public_key", ""))
        except ValueError as fault:
            raise misdeclared(account, "options.webhook_public_key", str(fault)) from None

    def read(self, call: ReceiptCall) -> list[Receipt]:
        """The receipts of an array of events."""
        self._verify(call)
        try:
            events = orjson.loads(call.body)
        except orjson.JSONDecodeError:
            raise UnreadableReceipt("expected JSON") from None
        if not isinstance(events, list):
            raise UnreadableReceipt("expected an array of events")
        if len(events) > policy.RECEIPT_EVENTS:
            raise UnreadableReceipt(f"expected at most {policy.RECEIPT_EVENTS} events")
        return [receipt for event in events for receipt in receipts_of(event)]

    def _verify(self, call: ReceiptCall) -> None:
        timestamp = call.headers.get(_TIMESTAMP, "")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _TIMESTAMP_DIGITS):
            raise NotGenuine("no timestamp")
        try:
            signature = base64.b64decode(call.headers.get(_SIGNATURE, ""), validate=True)
            self._key.verify(signature, timestamp.encode() + call.body, ec.ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error, ValueError):
            raise NotGenuine("the signature is not SendGrid's") from None
        age = time.time() - int(timestamp)
        if not -policy.CLOCK_SKEW_SECONDS <= age <= policy.SENDGRID_RECEIPT_SECONDS:
            raise NotGenuine("the signature is too old")


RECEIPTS = SendGridReceipts


def _public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The verification key as SendGrid shows it; raises ValueError with the cure."""
    if not text:
        raise ValueError("is missing: copy the verification key of the signed event webhook")
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("is not a verification key: copy the one of the signed event webhook, in one line")  # noqa: TRY004 - the text is at fault, not its type
    return key
