"""Amazon SES, API v2.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html - one mail a request, signed (Signature
Version 4); SES writes the MIME and a Message-ID of its own, and a tag carries our delivery id into its events. Its bulk
call is not used: it takes templates only (decision 0023). The error table is `providers.md` 3.7, from botocore's model.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import orjson

from channels.conf import Secret
from channels.exchange import Answer, exchange
from channels.provider import Capabilities, Option, misdeclared
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.rules.mail import BadMail, check_mail, mailbox_line, one_line, sender_of
from channels.rules.ses_events import DELIVERY_HEADER, DELIVERY_TAG
from channels.transport import AwsSigning, Request, Response, Transport
from channels.vocabulary import Channel, EmailMessage, SendOutcome, SendResult

_PATH = "/v2/email/outbound-emails"
_OK = 200
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]\Z")
#: Of a mail, with ours; and characters of name and value together.
_MOST_HEADERS, _HEADER_LENGTH = 15, 996
_ERROR_TYPE = "x-amzn-errortype"


class Ses:
    """One sender in one region."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.EMAIL}),
        schemes=frozenset({"https", "http"}),
        base_url="https://email.{region}.amazonaws.com",
        options={
            "region": Option("AWS region, such as eu-central-1", required=True),
            "access_key_id": Option("id of the key that signs requests, AKIA…", required=True),
            "from_email": Option("address mails are from, a verified identity with DKIM", required=True),
            "from_name": Option("name mails are from"),
            "configuration_set": Option("configuration set that publishes events to the topic"),
            "topic_arn": Option("SNS topic that tells the events; needed for receipts"),
        },
        secrets=frozenset({"secret_access_key"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        options = account.options
        region = options["region"]
        if not _REGION.match(region):
            raise misdeclared(account, "options.region", "is no AWS region: they are written like eu-central-1")
        self._account = account
        try:
            self._sender = sender_of(options)
        except ValueError as fault:
            raise misdeclared(account, "options.from_email", str(fault)) from None
        self._same = {"FromEmailAddress": mailbox_line(self._sender)}
        if "configuration_set" in options:
            self._same["ConfigurationSetName"] = options["configuration_set"]
        self._transport = Transport(
            account.base_url or self.capabilities.base_url.format(region=region),
            ca_file=account.ca_file,
            concurrency=account.concurrency,
            timeout_seconds=account.timeout_seconds,
            connect_timeout_seconds=account.connect_timeout_seconds,
            keep_headers=(_ERROR_TYPE,),
            aws=AwsSigning(region, "ses", options["access_key_id"], secrets["secret_access_key"]),
        )

    def send_many(self, messages: Sequence[EmailMessage], *, deadline: float) -> list[SendResult]:
        """One request for each mail, all of them at once."""
        requests = [self._request(message) for message in messages]
        return exchange(
            self._transport, self._account, messages, requests, read=_read, headers=_HEADERS, deadline=deadline
        )

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()

    def _request(self, message: EmailMessage) -> Request | str:
        """The request, or the code of why there can be none."""
        try:
            check_mail(message, self._sender)
        except BadMail as fault:
            return str(fault)
        headers = [*message.headers.items(), (DELIVERY_HEADER, str(message.id))]
        lines = [{"Name": name, "Value": one_line(value)} for name, value in headers]
        code = _unfitness(message, lines)
        if code:
            return code
        body = orjson.dumps(
            {
                **self._same,
                "Destination": {"ToAddresses": [message.to]},
                "Content": {"Simple": {"Subject": _words(message.subject), "Body": _body(message), "Headers": lines}},
                "EmailTags": [{"Name": DELIVERY_TAG, "Value": str(message.id)}],
            }
        )
        return Request(body, _PATH, (f"x-amz-content-sha256: {hashlib.sha256(body).hexdigest()}",))


ADAPTER = Ses

_HEADERS = ("Content-Type: application/json",)

#: https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html for those that are not SES's own.
_BY_CODE = {
    # Over the rate: such calls are dropped, not queued.
    "TooManyRequestsException": SendOutcome.THROTTLED,
    "Throttling": SendOutcome.THROTTLED,
    "ThrottlingException": SendOutcome.THROTTLED,
    "InternalFailure": SendOutcome.TRANSIENT,
    "InternalServiceErrorException": SendOutcome.TRANSIENT,
    "ServiceUnavailable": SendOutcome.TRANSIENT,
    "ServiceUnavailableException": SendOutcome.TRANSIENT,
    # The account: its quota, its standing, its identities, its key, its clock.
    "LimitExceededException": SendOutcome.MISCONFIGURED,
    "AccountSuspendedException": SendOutcome.MISCONFIGURED,
    "SendingPausedException": SendOutcome.MISCONFIGURED,
    "MailFromDomainNotVerifiedException": SendOutcome.MISCONFIGURED,
    "NotFoundException": SendOutcome.MISCONFIGURED,
    "AccessDenied": SendOutcome.MISCONFIGURED,
    "AccessDeniedException": SendOutcome.MISCONFIGURED,
    "ExpiredTokenException": SendOutcome.MISCONFIGURED,
    "IncompleteSignature": SendOutcome.MISCONFIGURED,
    "IncompleteSignatureException": SendOutcome.MISCONFIGURED,
    "InvalidClientTokenId": SendOutcome.MISCONFIGURED,
    "InvalidSignatureException": SendOutcome.MISCONFIGURED,
    "MissingAuthenticationToken": SendOutcome.MISCONFIGURED,
    "MissingAuthenticationTokenException": SendOutcome.MISCONFIGURED,
    "NotAuthorized": SendOutcome.MISCONFIGURED,
    "OptInRequired": SendOutcome.MISCONFIGURED,
    "RequestExpired": SendOutcome.MISCONFIGURED,
    "SignatureDoesNotMatch": SendOutcome.MISCONFIGURED,
    "UnrecognizedClientException": SendOutcome.MISCONFIGURED,
    # This mail: a virus, a part that is none, an address SES cannot carry. The address is never given up for it.
    "MessageRejected": SendOutcome.BAD_MESSAGE,
    "BadRequestException": SendOutcome.BAD_MESSAGE,
    "ValidationError": SendOutcome.BAD_MESSAGE,
    "ValidationException": SendOutcome.BAD_MESSAGE,
}
_CODE = re.compile(r"[A-Za-z]{1,64}\Z")
#: The same words for an unverified sender, and for any recipient while the account is in SES's sandbox.
_NOT_VERIFIED = re.compile("not verified", re.IGNORECASE)
#: Of the day; over the rate SES says "sending rate".
_QUOTA = re.compile("daily|quota", re.IGNORECASE)


class _Sent(msgspec.Struct, gc=False):
    message_id: str = msgspec.field(name="MessageId")


class _Refused(msgspec.Struct, gc=False):
    message: str = ""
    #: In the body only where a proxy took the header away.
    kind: str = msgspec.field(default="", name="__type")


_decode_sent = msgspec.json.Decoder(_Sent).decode
_decode_refused = msgspec.json.Decoder(_Refused).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _unfitness(message: EmailMessage, headers: Sequence[Mapping[str, str]]) -> str:
    """Why SES would refuse a mail that is one; empty when it would not."""
    if not message.to.isascii() and not message.to.rpartition("@")[0].isascii():
        return "smtputf8_not_offered"
    if len(headers) > _MOST_HEADERS:
        return "too_many_headers"
    if any(not line["Value"] or len(line["Name"]) + len(line["Value"]) > _HEADER_LENGTH for line in headers):
        return "header_too_long" if all(line["Value"] for line in headers) else "empty_header"
    return "" if message.text or message.html else "no_content"


def _body(message: EmailMessage) -> dict[str, Any]:
    parts = {"Text": message.text, "Html": message.html}
    return {kind: {"Data": text, "Charset": "UTF-8"} for kind, text in parts.items() if text}


def _words(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def _read(response: Response) -> Answer:
    if response.status == _OK:
        return _accepted(response.body)
    try:
        refused = _decode_refused(response.body)
    except _UNREADABLE:
        refused = _Refused()
    told = response.headers.get(_ERROR_TYPE) or refused.kind
    code = told.partition(":")[0].rpartition("#")[2]
    if not _CODE.match(code):
        return Answer(outcome=outcome_of_status(response.status), code="unreadable_answer")
    outcome = _BY_CODE.get(code, outcome_of_status(response.status))
    if code == "MessageRejected" and _NOT_VERIFIED.search(refused.message):
        outcome = SendOutcome.MISCONFIGURED
    elif outcome is SendOutcome.THROTTLED and _QUOTA.search(refused.message):
        outcome = SendOutcome.MISCONFIGURED  # until tomorrow: other accounts may go on meanwhile
    return Answer(outcome=outcome, code=code)


def _accepted(body: bytes) -> Answer:
    try:
        message_id = _decode_sent(body).message_id
    except _UNREADABLE:
        message_id = ""
    if not message_id:
        return Answer(outcome=SendOutcome.AMBIGUOUS, code="unreadable_answer")
    return Answer(outcome=SendOutcome.ACCEPTED, provider_message_id=message_id[:200])
