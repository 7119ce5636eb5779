"""Text messages by Amazon SNS, API 2010-03-31.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html - one message a request, signed (Signature Version 4),
form-encoded; the answers are XML. SNS has no idempotency for phone numbers, and tells results in CloudWatch alone: an
account with a `receipts_secret` can have them handed on. The error table is `providers.md` 3.5, from
https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html and botocore's model.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote_plus, urlencode

from channels import conf, policy
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.exchange import Answer, exchange
from channels.provider import Capabilities, Option
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.transport import AwsSigning, Request, Response, Transport
from channels.vocabulary import Channel, ReceiptKind, SendOutcome, SendResult, SmsMessage

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]\Z")
#: Sent over the cheapest route; everything else is worth the reliable one.
_PROMOTIONAL = "marketing"
_OK = 200


class Sns:
    """Publishes to phone numbers; topics and apps are not its business."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.SMS}),
        schemes=frozenset({"https", "http"}),
        base_url="https://sns.{region}.amazonaws.com",
        options={
            "region": Option("AWS region, such as eu-central-1", required=True),
            "access_key_id": Option("id of the key that signs requests, AKIA…", required=True),
            "sender_id": Option("name shown as the sender, where the country allows one"),
            "max_price_usd": Option("what one segment may cost: dearer ones are not sent", kind=float),
        },
        secrets=frozenset({"secret_access_key"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._account = account
        region = account.options["region"]
        if not _REGION.match(region):
            cure = "is no AWS region: they are written like eu-central-1"
            raise ConfigurationFault(
                [Fault(conf.accounts_file(), f'provider "{account.name}"', "options.region", cure)]
            )
        self._forms = {kind: _form(account, kind) for kind in ("Transactional", "Promotional")}
        self._transport = Transport(
            f"{account.base_url or self.capabilities.base_url.format(region=region)}/",
            ca_file=account.ca_file,
            concurrency=account.concurrency or policy.SMS_CONCURRENCY,
            timeout_seconds=account.timeout_seconds,
            connect_timeout_seconds=account.connect_timeout_seconds,
            aws=AwsSigning(region, "sns", account.options["access_key_id"], secrets["secret_access_key"]),
        )

    def send_many(self, messages: Sequence[SmsMessage], *, deadline: float) -> list[SendResult]:
        """One request for each message, all of them at once."""
        requests = [self._request(message) for message in messages]
        return exchange(
            self._transport, self._account, messages, requests, read=_read, headers=_HEADERS, deadline=deadline
        )

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()

    def _request(self, message: SmsMessage) -> Request | None:
        form = self._forms["Promotional" if message.category == _PROMOTIONAL else "Transactional"]
        try:
            text = quote_plus(message.text)
        except UnicodeEncodeError:
            return None
        body = f"{form}&PhoneNumber={quote_plus(message.to)}&Message={text}".encode()
        return Request(body, "/", (f"x-amz-content-sha256: {hashlib.sha256(body).hexdigest()}",))


ADAPTER = Sns

_HEADERS = ("Content-Type: application/x-www-form-urlencoded; charset=utf-8",)

# Two words of a fixed form: no parser is needed for them, and none can be attacked through them.
_MESSAGE_ID = re.compile(rb"<PublishResult>\s*<MessageId>([0-9A-Za-z-]{1,100})</MessageId>")
_CODE = re.compile(rb"<Code>([A-Za-z.]{1,64})</Code>")
_ABOUT_THE_NUMBER = re.compile(rb"<Message>[^<]*\bPhoneNumber\b")

_BY_CODE = {
    "Throttled": SendOutcome.THROTTLED,
    "Throttling": SendOutcome.THROTTLED,
    "ThrottlingException": SendOutcome.THROTTLED,
    "KMSThrottling": SendOutcome.THROTTLED,
    "InternalError": SendOutcome.TRANSIENT,
    "InternalFailure": SendOutcome.TRANSIENT,
    "ServiceUnavailable": SendOutcome.TRANSIENT,
    # Credentials, permissions, a clock that is wrong.
    "AccessDenied": SendOutcome.MISCONFIGURED,
    "AuthorizationError": SendOutcome.MISCONFIGURED,
    "ExpiredToken": SendOutcome.MISCONFIGURED,
    "IncompleteSignature": SendOutcome.MISCONFIGURED,
    "InvalidClientTokenId": SendOutcome.MISCONFIGURED,
    "InvalidSecurity": SendOutcome.MISCONFIGURED,
    "KMSAccessDenied": SendOutcome.MISCONFIGURED,
    "KMSDisabled": SendOutcome.MISCONFIGURED,
    "KMSInvalidState": SendOutcome.MISCONFIGURED,
    "KMSNotFound": SendOutcome.MISCONFIGURED,
    "KMSOptInRequired": SendOutcome.MISCONFIGURED,
    "MissingAuthenticationToken": SendOutcome.MISCONFIGURED,
    "OptInRequired": SendOutcome.MISCONFIGURED,
    "RequestExpired": SendOutcome.MISCONFIGURED,
    "SignatureDoesNotMatch": SendOutcome.MISCONFIGURED,
    "UnrecognizedClientException": SendOutcome.MISCONFIGURED,
    # This message; the number only where SNS says so.
    "InvalidParameter": SendOutcome.BAD_MESSAGE,
    "InvalidParameterValue": SendOutcome.BAD_MESSAGE,
    "ParameterValueInvalid": SendOutcome.BAD_MESSAGE,
    "ValidationError": SendOutcome.BAD_MESSAGE,
    "ValidationException": SendOutcome.BAD_MESSAGE,
    "OptedOut": SendOutcome.BAD_RECIPIENT,
}
_INVALID = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid"})


def _form(account: Account, kind: str) -> str:
    """What is the same in every request for messages of this kind."""
    attributes = [("AWS.SNS.SMS.SMSType", "String", kind)]
    if "sender_id" in account.options:
        attributes.append(("AWS.SNS.SMS.SenderID", "String", account.options["sender_id"]))
    if "max_price_usd" in account.options:
        attributes.append(("AWS.SNS.SMS.MaxPrice", "Number", f"{account.options['max_price_usd']:.5f}"))
    form = {"Action": "Publish", "Version": "2010-03-31"}
    for number, (name, data_type, value) in enumerate(attributes, start=1):
        entry = f"MessageAttributes.entry.{number}"
        form |= {f"{entry}.Name": name, f"{entry}.Value.DataType": data_type, f"{entry}.Value.StringValue": value}
    return urlencode(form)


def _read(response: Response) -> Answer:
    found = _MESSAGE_ID.search(response.body) if response.status == _OK else None
    if found:
        return Answer(outcome=SendOutcome.ACCEPTED, provider_message_id=found[1].decode())
    refused = _CODE.search(response.body)
    if response.status == _OK or not refused:
        return Answer(outcome=outcome_of_status(response.status), code="unreadable_answer")
    code = refused[1].decode()
    outcome = _BY_CODE.get(code, outcome_of_status(response.status))
    if code in _INVALID and _ABOUT_THE_NUMBER.search(response.body):
        outcome = SendOutcome.BAD_RECIPIENT
    receipt = ReceiptKind.UNSUBSCRIBED if code == "OptedOut" else None
    return Answer(outcome=outcome, code=code, receipt=receipt)
