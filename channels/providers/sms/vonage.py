"""Vonage's SMS API.

https://developer.vonage.com/en/api/sms - one message a request, form-encoded, and HTTP 200 even for a refusal: the
answer has one element for each part, with a status of its own. Our id is the `client-ref`, and stands in the URL of
the delivery receipts with a token only we can make. The table is `providers.md` 3.5, from
https://developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import urlencode

import msgspec

from channels import policy
from channels.conf import Secret
from channels.exchange import Answer, callback_url, exchange
from channels.provider import Capabilities, Option
from channels.rules import vonage
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.rules.sms import Encoding, segments
from channels.transport import Request, Response, Transport
from channels.vocabulary import Channel, SendOutcome, SendResult, SmsMessage

_HEADERS = ("Content-Type: application/x-www-form-urlencoded",)
#: Milliseconds: the least and the most Vonage takes as `ttl`.
_SHORTEST_TTL, _LONGEST_TTL = 20_000, 604_800_000
_OK = 200


class Vonage:
    """Sends text messages; signs its requests when the account has a signature secret."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.SMS}),
        schemes=frozenset({"https", "http"}),
        base_url="https://rest.nexmo.com",
        options={
            "api_key": Option("the account's API key", required=True),
            "from": Option("number or name messages come from", required=True),
        },
        secrets=frozenset({"api_secret"}),
        optional_secrets=frozenset({"signature_secret"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._account = account
        self._secret = secrets["api_secret"]
        self._signing = secrets.get("signature_secret")
        base_url = account.base_url or self.capabilities.base_url
        self._callback = callback_url(account, base_url)
        self._transport = Transport(
            f"{base_url}/sms/json",
            ca_file=account.ca_file,
            concurrency=account.concurrency or policy.SMS_CONCURRENCY,
            timeout_seconds=account.timeout_seconds,
            connect_timeout_seconds=account.connect_timeout_seconds,
        )

    def send_many(self, messages: Sequence[SmsMessage], *, deadline: float) -> list[SendResult]:
        """One request for each message, all of them at once."""
        now = time.time()
        requests = [self._request(message, now) for message in messages]
        return exchange(
            self._transport, self._account, messages, requests, read=_read, headers=_HEADERS, deadline=deadline
        )

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()

    def _request(self, message: SmsMessage, now: float) -> Request | None:
        options = self._account.options
        form = {
            "api_key": options["api_key"],
            "from": options["from"],
            "to": message.to.removeprefix("+"),
            "text": message.text,
            "client-ref": str(message.id),
        }
        if segments(message.text).encoding is Encoding.UCS2:
            form["type"] = "unicode"
        if message.expires_at is not None:
            left = int((message.expires_at - now) * 1000)
            form["ttl"] = str(max(_SHORTEST_TTL, min(_LONGEST_TTL, left)))
        if self._callback:
            token = vonage.callback_token(self._secret.reveal(), message.id)
            form |= {"status-report-req": "1", "callback": f"{self._callback}?d={message.id}&t={token}"}
        try:
            return Request(urlencode(self._authenticated(form, now)).encode())
        except UnicodeEncodeError:
            return None

    def _authenticated(self, form: dict[str, str], now: float) -> dict[str, str]:
        """With a signature the secret itself does not travel: Vonage refuses both together."""
        if self._signing is None:
            return {**form, "api_secret": self._secret.reveal()}
        form["timestamp"] = str(int(now))
        return {**form, "sig": vonage.signature(self._signing.reveal(), form.items())}


ADAPTER = Vonage


class _Part(msgspec.Struct, gc=False):
    #: Documented as text; some routes send numbers.
    status: str | int
    message_id: str = msgspec.field(default="", name="message-id")


class _Sent(msgspec.Struct, gc=False):
    messages: list[_Part]


_decode = msgspec.json.Decoder(_Sent).decode
_DELIVERED_TO_VONAGE = "0"
#: Seconds to wait after Vonage's own limit, which counts by the second.
_THROTTLED_SECONDS = 1.0

_BY_STATUS = {
    "1": SendOutcome.THROTTLED,
    "2": SendOutcome.BAD_MESSAGE,  # a parameter is missing
    "3": SendOutcome.BAD_MESSAGE,  # a parameter is wrong
    "4": SendOutcome.MISCONFIGURED,  # credentials
    "5": SendOutcome.TRANSIENT,
    "6": SendOutcome.BAD_MESSAGE,  # unroutable
    "7": SendOutcome.BAD_RECIPIENT,  # barred
    "8": SendOutcome.MISCONFIGURED,  # the account is barred
    "9": SendOutcome.MISCONFIGURED,  # out of credit
    "10": SendOutcome.THROTTLED,  # too many connections
    "11": SendOutcome.MISCONFIGURED,
    "12": SendOutcome.BAD_MESSAGE,  # too long
    "14": SendOutcome.MISCONFIGURED,  # signature
    "15": SendOutcome.BAD_MESSAGE,  # the sender may not write to this country; to others it may
    "22": SendOutcome.BAD_MESSAGE,  # network code
    "23": SendOutcome.MISCONFIGURED,  # the callback's URL: CARILLON_PUBLIC_URL is not public
    "29": SendOutcome.MISCONFIGURED,  # a demo account writes to a few numbers only
    "32": SendOutcome.MISCONFIGURED,  # signature and secret together
    "33": SendOutcome.BAD_RECIPIENT,  # the number is out of service
}


def _read(response: Response) -> Answer:
    try:
        parts = _decode(response.body).messages
    except (msgspec.MsgspecError, UnicodeDecodeError):
        parts = []
    if response.status != _OK or not parts:
        return Answer(outcome=outcome_of_status(response.status), code="unreadable_answer")
    statuses = [str(part.status) for part in parts]
    taken = statuses.count(_DELIVERED_TO_VONAGE)
    if 0 < taken < len(parts):
        # Some parts are on their way: sending it all again would repeat them.
        return Answer(outcome=SendOutcome.AMBIGUOUS, code="partly_sent", provider_message_id=parts[0].message_id)
    if taken:
        if not parts[0].message_id:
            return Answer(outcome=SendOutcome.AMBIGUOUS, code="unreadable_answer")
        return Answer(outcome=SendOutcome.ACCEPTED, provider_message_id=parts[0].message_id, segments=len(parts))
    # Any status but 0 means that nothing was sent, one we do not know as well.
    outcome = _BY_STATUS.get(statuses[0], SendOutcome.TRANSIENT)
    wait = _THROTTLED_SECONDS if outcome is SendOutcome.THROTTLED else None
    return Answer(outcome=outcome, code=f"status_{statuses[0]}"[:32], retry_after_seconds=wait)
