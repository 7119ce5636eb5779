"""SES's events, posted by an SNS topic.

The topic must be the account's, the signature Amazon's, and less than an hour old. A subscription to the account's own
topic is confirmed by itself, so that setting one up is a single step.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from channels import policy, sns_fetch
from channels.conf import Secret
from channels.errors import NotGenuine, Refusal, UnreadableReceipt
from channels.provider import misdeclared
from channels.rules.accounts import Account
from channels.rules.hosts import is_loopback
from channels.rules.ses_events import receipts_of
from channels.rules.sns_envelope import NOTIFICATION, SUBSCRIPTION, Envelope, envelope_of, is_amazons
from channels.vocabulary import Receipt, ReceiptCall


class SesReceipts:
    """The events of one account's topic."""

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        del secrets
        self._topic_arn = account.options.get("topic_arn", "")
        if not self._topic_arn:
            raise misdeclared(account, "options.topic_arn", "is missing: name the SNS topic that tells SES's events")
        self._ca_file = account.ca_file
        # The lab on this machine signs for itself; elsewhere Amazon's hosts are the only ones, whatever base_url says.
        self._own_host = _origin(account.base_url) if is_loopback(account.base_url) else ""

    def read(self, call: ReceiptCall) -> list[Receipt]:
        """The receipts of a notification; a subscription to the topic is confirmed and tells none."""
        envelope = envelope_of(call.body)
        self._verify(envelope)
        if envelope.type == SUBSCRIPTION:
            self._confirm(envelope)
        if envelope.type != NOTIFICATION:
            return []
        try:
            event = orjson.loads(envelope.message)
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            raise UnreadableReceipt("expected an event of SES in JSON") from None
        return receipts_of(event, event_id=envelope.message_id)

    def _verify(self, envelope: Envelope) -> None:
        if envelope.topic_arn != self._topic_arn:
            raise NotGenuine("another topic than the account's")
        age = envelope.age_seconds(time.time())
        if not -policy.CLOCK_SKEW_SECONDS <= age <= policy.SNS_RECEIPT_SECONDS:
            raise NotGenuine("the notification is too old")
        url = envelope.signing_cert_url
        if not (is_amazons(url, own_host=self._own_host) and urlsplit(url).path.endswith(".pem")):
            raise NotGenuine("the certificate is not at Amazon's")
        try:
            signature = base64.b64decode(envelope.signature, validate=True)
            self._key(url).verify(signature, envelope.signed_text, padding.PKCS1v15(), SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            raise NotGenuine("the signature is not Amazon's") from None

    def _key(self, url: str) -> rsa.RSAPublicKey:
        try:
            certificate = sns_fetch.certificate(url, ca_file=self._ca_file)
        except sns_fetch.NotFetchedError:
            raise _later("The signing certificate cannot be had at the moment.") from None
        key = certificate.public_key()
        in_force = certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc
        if not in_force or not isinstance(key, rsa.RSAPublicKey):
            raise NotGenuine("the certificate is not in force")
        return key

    def _confirm(self, envelope: Envelope) -> None:
        url = envelope.subscribe_url or ""
        if not is_amazons(url, own_host=self._own_host):
            raise NotGenuine("the subscription is not confirmed at Amazon's")
        try:
            sns_fetch.confirm(url, ca_file=self._ca_file)
        except sns_fetch.NotFetchedError:
            raise _later("The subscription cannot be confirmed at the moment.") from None


RECEIPTS = SesReceipts


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _later(why: str) -> Refusal:
    """SNS calls again after a 5xx, and never after a 4xx."""
    return Refusal(why, code="not_accepting", status=503, headers={"Retry-After": "10"})
