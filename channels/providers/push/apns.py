"""Apple Push Notification service, with token authentication.

One connection is kept, as Apple asks; the token is one that every process makes alike (`docs/decisions/0021`). The
error table is `providers.md` 3.1, from
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from channels import conf, policy
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.exchange import Answer, exchange
from channels.provider import Capabilities, Option
from channels.rules import apns, es256
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.rules.mismatch import Mismatches
from channels.rules.tally import GIVEN_UP
from channels.transport import Request, Response, Transport
from channels.vocabulary import Channel, Platform, PushMessage, SendOutcome, SendResult

_OK = 200
_EXPIRED, _TOO_MANY_TOKENS = "ExpiredProviderToken", "TooManyProviderTokenUpdates"
#: After these the connection is of no more use.
_LAST_WORDS = frozenset({"IdleTimeout", "Shutdown", _TOO_MANY_TOKENS})
#: What a sandbox token says in production, and what a broken one says anywhere.
_MISMATCHED = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic"})


class Apns:
    """Sends to the devices of one app; a second app, or the sandbox environment, is another account."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.PUSH}),
        platforms=frozenset({Platform.IOS}),
        schemes=frozenset({"https", "http"}),
        base_url="https://api.push.apple.com",
        options={
            "key_id": Option("id of the signing key, 10 characters", required=True),
            "team_id": Option("id of the developer team, 10 characters", required=True),
            "topic": Option(
                "the app's bundle id; with a suffix such as .voip, all pushes are of that type", required=True
            ),
        },
        secrets=frozenset({"private_key"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._account = account
        try:
            key = es256.private_key(secrets["private_key"].reveal())
        except ValueError as fault:
            entry = f'provider "{account.name}"'
            raise ConfigurationFault([Fault(conf.accounts_file(), entry, "secrets.private_key", str(fault))]) from None
        self._tokens = _ProviderTokens(key, key_id=account.options["key_id"], team_id=account.options["team_id"])
        self._topic = account.options["topic"]
        self._kind = apns.type_of_topic(self._topic)
        self._payload_bytes = apns.VOIP_PAYLOAD_BYTES if self._kind == "voip" else apns.PAYLOAD_BYTES
        self._mismatches = Mismatches(
            codes=_MISMATCHED, least=policy.MISMATCHES, share=policy.BAD_TOKEN_SHARE, window=policy.MISMATCH_WINDOW
        )
        self._transport = Transport(
            f"{account.base_url or self.capabilities.base_url}/3/device/",
            ca_file=account.ca_file,
            concurrency=account.concurrency,
            timeout_seconds=account.timeout_seconds,
            connect_timeout_seconds=account.connect_timeout_seconds,
            keep_headers=("apns-id",),
            one_connection=True,
        )

    def send_many(self, messages: Sequence[PushMessage], *, deadline: float) -> list[SendResult]:
        """One request for each message, all of them on one connection."""
        now = time.time()
        requests = [self._request(message, now) for message in messages]
        token = self._tokens.usual(now)
        results = self._post(messages, requests, token, deadline)
        if any(result.code == _EXPIRED for result in results) and (fresh := self._tokens.newer(now)) != token:
            self._post_again(messages, requests, results, fresh, deadline)
        if any(result.code in _LAST_WORDS for result in results):
            self._transport.close()
        return self._mismatches.judged(results)

    def close(self) -> None:
        """Drop the connection."""
        self._transport.close()

    def _request(self, message: PushMessage, now: float) -> Request | str:
        payload = apns.payload_of(message)
        if not payload:
            return "unencodable"
        if len(payload) > self._payload_bytes:
            return "payload_too_large"
        headers = apns.headers_of(message, kind=self._kind, now=now)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        plain = message.token.isascii() and message.token.isalnum()
        token = message.token if plain else quote(message.token, safe="", errors="replace")
        return Request(payload, f"/{token}", (f"apns-id: {message.id}", *lines))

    def _post(
        self, messages: Sequence[PushMessage], requests: Sequence[Request | str], token: str, deadline: float
    ) -> list[SendResult]:
        headers = ("Content-Type: application/json", f"authorization: bearer {token}", f"apns-topic: {self._topic}")
        return exchange(
            self._transport,
            self._account,
            messages,
            requests,
            read=_read,
            headers=headers,
            deadline=deadline,
            stops=_stops,
        )

    def _post_again(
        self,
        messages: Sequence[PushMessage],
        requests: Sequence[Request | str],
        results: list[SendResult],
        token: str,
        deadline: float,
    ) -> None:
        """What an expired token was refused for, and what was given up with it, once more with a newer one."""
        open_ = [at for at, result in enumerate(results) if result.code in {_EXPIRED, GIVEN_UP}]
        again = self._post([messages[at] for at in open_], [requests[at] for at in open_], token, deadline)
        for at, result in zip(open_, again, strict=True):
            results[at] = result


ADAPTER = Apns


class _ProviderTokens:
    """The token of one signing key: for 45 minutes the same in every process, and never an older one than before."""

    def __init__(self, key: EllipticCurvePrivateKey, *, key_id: str, team_id: str) -> None:
        self._key, self._key_id, self._team_id = key, key_id, team_id
        self._issued_at = 0
        self._token = ""

    def usual(self, now: float) -> str:
        """The token to use now (epoch seconds)."""
        return self._since(now, policy.APNS_TOKEN_SECONDS)

    def newer(self, now: float) -> str:
        """One from the middle of its time, for when Apple says too early that it is over: our clock may be late.

        It is 22 minutes after the usual one, and as long before the next, which is as often as Apple allows.
        """
        return self._since(now, policy.APNS_TOKEN_SECONDS // 2)

    def _since(self, now: float, step_seconds: int) -> str:
        issued_at = es256.on_grid(now - policy.CLOCK_SLACK_SECONDS, step_seconds=step_seconds, name=self._key_id)
        if issued_at > self._issued_at:
            claims = {"iss": self._team_id, "iat": issued_at}
            self._token = es256.signed(self._key, header={"kid": self._key_id}, claims=claims)
            self._issued_at = issued_at
        return self._token


class _Refusal(msgspec.Struct, gc=False):
    reason: str
    #: Of 410: when APNs last found the token invalid, in milliseconds.
    timestamp: int = 0


_decode = msgspec.json.Decoder(_Refusal).decode

_BY_REASON = {
    "BadDeviceToken": SendOutcome.BAD_RECIPIENT,
    "DeviceTokenNotForTopic": SendOutcome.BAD_RECIPIENT,
    "Unregistered": SendOutcome.BAD_RECIPIENT,
    "ExpiredToken": SendOutcome.BAD_RECIPIENT,
    "BadCollapseId": SendOutcome.BAD_MESSAGE,
    "BadExpirationDate": SendOutcome.BAD_MESSAGE,
    "BadMessageId": SendOutcome.BAD_MESSAGE,
    "BadPath": SendOutcome.BAD_MESSAGE,
    "BadPriority": SendOutcome.BAD_MESSAGE,
    "DuplicateHeaders": SendOutcome.BAD_MESSAGE,
    "InvalidPushType": SendOutcome.BAD_MESSAGE,
    "MethodNotAllowed": SendOutcome.BAD_MESSAGE,
    "MissingDeviceToken": SendOutcome.BAD_MESSAGE,
    "PayloadEmpty": SendOutcome.BAD_MESSAGE,
    "PayloadTooLarge": SendOutcome.BAD_MESSAGE,
    "BadTopic": SendOutcome.MISCONFIGURED,
    "MissingTopic": SendOutcome.MISCONFIGURED,
    "TopicDisallowed": SendOutcome.MISCONFIGURED,
    "BadCertificate": SendOutcome.MISCONFIGURED,
    "BadCertificateEnvironment": SendOutcome.MISCONFIGURED,
    "Forbidden": SendOutcome.MISCONFIGURED,
    "InvalidProviderToken": SendOutcome.MISCONFIGURED,
    "MissingProviderToken": SendOutcome.MISCONFIGURED,
    _EXPIRED: SendOutcome.MISCONFIGURED,
    _TOO_MANY_TOKENS: SendOutcome.THROTTLED,
    "TooManyRequests": SendOutcome.THROTTLED,
    "IdleTimeout": SendOutcome.TRANSIENT,
    "InternalServerError": SendOutcome.TRANSIENT,
    "ServiceUnavailable": SendOutcome.TRANSIENT,
    "Shutdown": SendOutcome.TRANSIENT,
}


def _read(response: Response) -> Answer:
    if response.status == _OK:
        apns_id = response.headers.get("apns-id", "")
        if apns_id:
            return Answer(outcome=SendOutcome.ACCEPTED, provider_message_id=apns_id)
        return Answer(outcome=SendOutcome.AMBIGUOUS, code="unreadable_answer")
    try:
        told = _decode(response.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Answer(outcome=outcome_of_status(response.status), code="unreadable_answer")
    outcome = _BY_REASON.get(told.reason)
    if outcome is None:
        return Answer(outcome=outcome_of_status(response.status), code=told.reason[:64])
    return Answer(
        outcome=outcome,
        code=told.reason,
        # About one device that is sent too much; the others may go on.
        address_only=told.reason == "TooManyRequests",
        gone_since=told.timestamp / 1000 if outcome is SendOutcome.BAD_RECIPIENT and told.timestamp else None,
        retry_after_seconds=policy.APNS_TOKEN_PAUSE_SECONDS if told.reason == _TOO_MANY_TOKENS else None,
    )


def _stops(answer: Answer) -> bool:
    return answer.outcome is SendOutcome.MISCONFIGURED or answer.code == _TOO_MANY_TOKENS
