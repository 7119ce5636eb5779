"""Twilio's Messages resource, API 2010-04-01.

https://www.twilio.com/docs/messaging/api/message-resource - one message a request, form-encoded. Twilio has no
idempotency key, so an unknown fate stays unknown; our id travels in the query of the status callback, which Twilio
signs. The error table is `providers.md` 3.4, from https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote, quote_plus

import msgspec

from channels import conf, policy
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.exchange import Answer, callback_url, exchange
from channels.provider import Capabilities, Option
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.transport import Request, Response, Transport
from channels.vocabulary import Channel, ReceiptKind, SendOutcome, SendResult, SmsMessage

#: Twilio's longest ValidityPeriod, in seconds, which is also its default.
_LONGEST_VALIDITY_SECONDS = 36_000
_SUCCESS = 2


class Twilio:
    """Sends text messages from one number, or from the pool of a messaging service."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.SMS}),
        schemes=frozenset({"https", "http"}),
        base_url="https://api.twilio.com",
        options={
            "account_sid": Option("SID of the account, which begins with AC", required=True),
            "from": Option("number, short code or name messages come from; or messaging_service_sid"),
            "messaging_service_sid": Option("SID of the messaging service that picks the sender; or from"),
        },
        secrets=frozenset({"auth_token"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._account = account
        self._sender = _sender(account)
        self._token = secrets["auth_token"]
        base_url = account.base_url or self.capabilities.base_url
        callback = callback_url(account, base_url)
        self._callback = f"&StatusCallback={quote_plus(f'{callback}?d=')}" if callback else ""
        sid = quote(account.options["account_sid"], safe="")
        self._transport = Transport(
            f"{base_url}/2010-04-01/Accounts/{sid}/Messages.json",
            ca_file=account.ca_file,
            concurrency=account.concurrency or policy.SMS_CONCURRENCY,
            timeout_seconds=account.timeout_seconds,
            connect_timeout_seconds=account.connect_timeout_seconds,
        )

    def send_many(self, messages: Sequence[SmsMessage], *, deadline: float) -> list[SendResult]:
        """One request for each message, all of them at once."""
        now = time.time()
        credentials = f"{self._account.options['account_sid']}:{self._token.reveal()}".encode()
        headers = (
            "Content-Type: application/x-www-form-urlencoded",
            f"Authorization: Basic {base64.b64encode(credentials).decode()}",
        )
        requests = [self._request(message, now) for message in messages]
        return exchange(
            self._transport, self._account, messages, requests, read=_read, headers=headers, deadline=deadline
        )

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()

    def _request(self, message: SmsMessage, now: float) -> Request | None:
        try:
            form = f"To={quote_plus(message.to)}&{self._sender}&Body={quote_plus(message.text)}"
        except UnicodeEncodeError:
            return None
        if self._callback:
            form += f"{self._callback}{message.id}"
        if message.expires_at is not None and message.expires_at - now < _LONGEST_VALIDITY_SECONDS:
            form += f"&ValidityPeriod={max(1, int(message.expires_at - now))}"
        return Request(form.encode())


ADAPTER = Twilio


class _Created(msgspec.Struct, gc=False):
    sid: str
    #: A number as text; "0" while a messaging service has not picked the sender.
    num_segments: str | None = None


class _Refused(msgspec.Struct, gc=False):
    code: int


_decode_created = msgspec.json.Decoder(_Created).decode
_decode_refused = msgspec.json.Decoder(_Refused).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)

_BY_CODE = {
    20429: SendOutcome.THROTTLED,  # "were not processed and can be retried"
    21611: SendOutcome.THROTTLED,  # the sender's queue is full
    # Credentials, and senders that may not send.
    20003: SendOutcome.MISCONFIGURED,
    20008: SendOutcome.MISCONFIGURED,
    20403: SendOutcome.MISCONFIGURED,
    21212: SendOutcome.MISCONFIGURED,
    21603: SendOutcome.MISCONFIGURED,
    21606: SendOutcome.MISCONFIGURED,
    21609: SendOutcome.MISCONFIGURED,  # the callback's URL: CARILLON_PUBLIC_URL is not public
    21659: SendOutcome.MISCONFIGURED,
    # Not a number, not a mobile one, a landline, a short code.
    21211: SendOutcome.BAD_RECIPIENT,
    21217: SendOutcome.BAD_RECIPIENT,
    21265: SendOutcome.BAD_RECIPIENT,
    21614: SendOutcome.BAD_RECIPIENT,
    21610: SendOutcome.BAD_RECIPIENT,  # they replied STOP: the receipt says that it is an opt-out
    # Not this message, not to there: other numbers are served.
    21408: SendOutcome.BAD_MESSAGE,  # the account has no permission for the country
    21602: SendOutcome.BAD_MESSAGE,
    21612: SendOutcome.BAD_MESSAGE,
    21617: SendOutcome.BAD_MESSAGE,
    21619: SendOutcome.BAD_MESSAGE,
}
_OPTED_OUT = 21610


def _sender(account: Account) -> str:
    """The part of every form that says who sends."""
    given = [(key, account.options[key]) for key in ("from", "messaging_service_sid") if key in account.options]
    if len(given) != 1:
        cure = "write either from or messaging_service_sid, and not both"
        raise ConfigurationFault([Fault(conf.accounts_file(), f'provider "{account.name}"', "options.from", cure)])
    ((key, value),) = given
    return f"{'From' if key == 'from' else 'MessagingServiceSid'}={quote_plus(value)}"


def _read(response: Response) -> Answer:
    if response.status // 100 == _SUCCESS:
        return _accepted(response)
    try:
        code = _decode_refused(response.body).code
    except _UNREADABLE:
        return Answer(outcome=outcome_of_status(response.status), code="unreadable_answer")
    outcome = _BY_CODE.get(code, outcome_of_status(response.status))
    receipt = ReceiptKind.UNSUBSCRIBED if code == _OPTED_OUT else None
    return Answer(outcome=outcome, code=str(code), receipt=receipt)


def _accepted(response: Response) -> Answer:
    try:
        created = _decode_created(response.body)
    except _UNREADABLE:
        return Answer(outcome=SendOutcome.AMBIGUOUS, code="unreadable_answer")
    if not created.sid:
        return Answer(outcome=SendOutcome.AMBIGUOUS, code="unreadable_answer")
    parts = created.num_segments or ""
    segments = int(parts) if parts.isdecimal() else 0
    return Answer(outcome=SendOutcome.ACCEPTED, provider_message_id=created.sid, segments=segments)
