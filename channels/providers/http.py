"""Any HTTP endpoint that speaks our own contract: a gateway you write, for a network we know nothing of.

The contract is `docs/adding-a-channel.md`. In short: a signed JSON POST for each message (Standard Webhooks); `2xx`
with `{"id": …}` is acceptance, `4xx` with `{"code": …}` says what is wrong; results come back in the same signed form.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import orjson

from channels import conf
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.exchange import Answer, callback_url, exchange
from channels.provider import SIGNS_RECEIPTS, Capabilities, Option
from channels.rules import standard_webhooks
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.transport import Request, Response, Transport
from channels.vocabulary import (
    Channel,
    EmailMessage,
    Platform,
    PushMessage,
    ReceiptKind,
    SendOutcome,
    SendResult,
    SmsMessage,
)

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
#: What this adapter and the client beneath it say themselves.
_OURS = re.compile(r"webhook-|content-|host\Z|connection\Z|transfer-encoding\Z|expect\Z|authorization\Z", re.IGNORECASE)
_SUCCESS = 2


class Http:
    """Hands messages to a gateway, one request each."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.PUSH, Channel.EMAIL, Channel.SMS}),
        platforms=frozenset(Platform),
        schemes=frozenset({"https", "http"}),
        options={"headers": Option('sent with every request, such as {X-Team = "growth"}', kind=dict)},
        secrets=frozenset({"signing_secret"}),
        optional_secrets=frozenset({"authorization"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._account = account
        try:
            self._key = standard_webhooks.key_of(secrets["signing_secret"].reveal())
        except ValueError as fault:
            raise _fault(account, "secrets.signing_secret", str(fault)) from None
        self._headers = ("Content-Type: application/json", *_declared(account))
        self._authorization = secrets.get("authorization")
        if self._authorization is not None and not _fits_a_header(self._authorization.reveal()):
            raise _fault(account, "secrets.authorization", "must be one line in ASCII: it is the value of a header")
        #: Told to the gateway only where its receipts would be taken.
        self._receipts_url = callback_url(account, account.base_url) if SIGNS_RECEIPTS in account.secrets else ""
        self._transport = Transport(
            account.base_url,
            ca_file=account.ca_file,
            concurrency=account.concurrency,
            timeout_seconds=account.timeout_seconds,
            connect_timeout_seconds=account.connect_timeout_seconds,
        )

    def send_many(
        self, messages: Sequence[PushMessage | EmailMessage | SmsMessage], *, deadline: float
    ) -> list[SendResult]:
        """One request for each message, all of them at once."""
        now = int(time.time())
        headers = self._headers
        if self._authorization is not None:
            headers = (*headers, f"Authorization: {self._authorization.reveal()}")
        requests = [self._request(message, now) for message in messages]
        return exchange(
            self._transport, self._account, messages, requests, read=_read, headers=headers, deadline=deadline
        )

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()

    def _request(self, message: PushMessage | EmailMessage | SmsMessage, now: int) -> Request | None:
        try:
            body = orjson.dumps(_body(message, self._receipts_url))
        except TypeError:
            return None
        message_id = str(message.id)
        return Request(
            body,
            headers=(
                f"webhook-id: {message_id}",
                f"webhook-timestamp: {now}",
                f"webhook-signature: {standard_webhooks.signature(self._key, message_id, now, body)}",
            ),
        )


ADAPTER = Http


class _Taken(msgspec.Struct, gc=False):
    id: str
    #: Text messages it is billed as, where the gateway knows.
    segments: int = 0


class _Refused(msgspec.Struct, gc=False):
    code: str


_decode_taken = msgspec.json.Decoder(_Taken).decode
_decode_refused = msgspec.json.Decoder(_Refused).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)

#: The words of the contract; docs/adding-a-channel.md lists them, and a test compares.
CODES = {
    "invalid_recipient": SendOutcome.BAD_RECIPIENT,
    "opted_out": SendOutcome.BAD_RECIPIENT,
    "rejected": SendOutcome.BAD_MESSAGE,
    "not_here": SendOutcome.TRANSIENT,
    "unauthorized": SendOutcome.MISCONFIGURED,
    "throttled": SendOutcome.THROTTLED,
    "unavailable": SendOutcome.TRANSIENT,
}
#: A gateway's own word is repeated only where it can hold no address.
_PLAIN_WORD = re.compile(r"[a-z_]{1,64}\Z")


def _body(message: PushMessage | EmailMessage | SmsMessage, receipts_url: str) -> dict[str, Any]:
    """What is always there, and what the channel has."""
    body: dict[str, Any] = {
        "id": str(message.id),
        "category": message.category,
        "trace_id": message.trace_id,
        "expires_at": message.expires_at,
        "receipts_url": receipts_url,
    }
    if isinstance(message, SmsMessage):
        return body | {"channel": "sms", "to": message.to, "text": message.text}
    if isinstance(message, EmailMessage):
        words = {"subject": message.subject, "text": message.text, "html": message.html, "headers": message.headers}
        return body | {"channel": "email", "to": message.to} | words
    return body | {
        "channel": "push",
        "to": message.token,
        "platform": message.platform.value,
        "title": message.title,
        "body": message.body,
        "image_url": message.image_url,
        "action_url": message.action_url,
        "actions": message.actions,
        "data": message.data,
        "sound": message.sound,
        "badge": message.badge,
        "action_category": message.action_category,
        "collapse_key": message.collapse_key,
        "urgent": message.urgent,
    }


def _read(response: Response) -> Answer:
    if response.status // 100 == _SUCCESS:
        return _accepted(response)
    try:
        code = _decode_refused(response.body).code
    except _UNREADABLE:
        return Answer(outcome=outcome_of_status(response.status), code="unreadable_answer")
    outcome = CODES.get(code, outcome_of_status(response.status))
    receipt = ReceiptKind.UNSUBSCRIBED if code == "opted_out" else None
    shown = code if _PLAIN_WORD.match(code) else f"http_{response.status}"
    # Somebody who is not on that network is no fault of the gateway's, and the next account may reach them.
    return Answer(outcome=outcome, code=shown, receipt=receipt, address_only=code == "not_here")


def _accepted(response: Response) -> Answer:
    try:
        taken = _decode_taken(response.body)
    except _UNREADABLE:
        return Answer(outcome=SendOutcome.AMBIGUOUS, code="unreadable_answer")
    if not 0 < len(taken.id) <= _ID_LENGTH or not taken.id.isprintable():
        return Answer(outcome=SendOutcome.AMBIGUOUS, code="unreadable_answer")
    return Answer(
        outcome=SendOutcome.ACCEPTED, provider_message_id=taken.id, segments=max(0, min(taken.segments, _MOST_SEGMENTS))
    )


#: Characters of a gateway's own id, and text messages one message may be, that are believed.
_ID_LENGTH, _MOST_SEGMENTS = 200, 255


def _declared(account: Account) -> list[str]:
    """The `headers` option as lines; what would break a request or speak for us is a fault."""
    lines = []
    for name, value in account.options.get("headers", {}).items():
        if not _HEADER_NAME.match(name) or _OURS.match(name):
            raise _fault(account, "options.headers", "has a name that no header of yours can have")
        if not isinstance(value, str) or not value or not _fits_a_header(value):
            raise _fault(account, "options.headers", f"{name} must be a text of one line, in ASCII")
        lines.append(f"{name}: {value}")
    return lines


def _fits_a_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _fault(account: Account, key: str, cure: str) -> ConfigurationFault:
    return ConfigurationFault([Fault(conf.accounts_file(), f'provider "{account.name}"', key, cure)])
