"""Web Push: to a browser by the subscription it gave, end-to-end encrypted.

RFC 8030, 8291, 8292; the answers' table is `providers.md` 3.3, with Mozilla's error numbers
(https://autopush-rs.readthedocs.io/http.html#error-codes). Every subscription is a URL from a stranger: `allow_hosts`
and the transport keep it from pointing into our own network.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from channels import conf, policy
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.exchange import Answer, exchange
from channels.provider import Capabilities, Option
from channels.rules import es256, web_push
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.rules.web_push import Host, Subscription
from channels.transport import Request, Response, Transport
from channels.vocabulary import Channel, Platform, PushMessage, SendOutcome, SendResult

_CREATED = 201
_TAKEN = frozenset({200, 202})
_UNKNOWN_KEY = frozenset({401, 403})
_GONE = frozenset({404, 410})
#: Mozilla's 900 and more: the bridge to another push service did not answer, so nothing was taken.
_BRIDGE = 900
_SUBJECT = re.compile(r"(mailto:[^\s@]+@[^\s@]+|https://\S+)\Z")
_VAPID_REFUSED, _UNUSABLE = "vapid_refused", "unusable_subscription"


class WebPush:
    """Sends to browsers."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.PUSH}),
        platforms=frozenset({Platform.WEB}),
        addressed=True,
        options={
            "subject": Option("mailto: or https: address at which push services reach you", required=True),
            "allow_hosts": Option('hosts of push services to send to, such as "*.push.apple.com"', kind=list),
        },
        secrets=frozenset({"vapid_private_key"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._account = account
        self._hosts = _hosts(account)
        subject = account.options["subject"]
        if not _SUBJECT.match(subject):
            raise _fault(
                account, "options.subject", "must be such as mailto:ops@example.com or https://example.com/contact"
            )
        try:
            self._vapid = _Vapid(es256.private_key(secrets["vapid_private_key"].reveal()), subject)
        except ValueError as fault:
            raise _fault(account, "secrets.vapid_private_key", str(fault)) from None
        #: Origins that know our key, since they have taken messages.
        self._trusted: set[str] = set()
        self._transport = Transport(
            "",
            ca_file=account.ca_file,
            concurrency=account.concurrency,
            timeout_seconds=account.timeout_seconds,
            connect_timeout_seconds=account.connect_timeout_seconds,
            keep_headers=("location", "apns-id"),
            local_hosts={host.name for host in self._hosts if host.is_literal},
        )

    def send_many(self, messages: Sequence[PushMessage], *, deadline: float) -> list[SendResult]:
        """One request for each message, each encrypted for its browser."""
        now = time.time()
        subscriptions = [_subscription(message.token) for message in messages]
        requests = [self._request(*pair, now) for pair in zip(messages, subscriptions, strict=True)]
        results = exchange(
            self._transport,
            self._account,
            messages,
            requests,
            read=_read,
            headers=("Content-Type: application/octet-stream", "Content-Encoding: aes128gcm"),
            deadline=deadline,
            stops=lambda _: False,  # one push service's opinion of us is not the next one's
        )
        self._trusted.update(
            subscription.origin
            for subscription, result in zip(subscriptions, results, strict=True)
            if subscription and result.outcome is SendOutcome.ACCEPTED
        )
        return [self._judged(*pair) for pair in zip(subscriptions, results, strict=True)]

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()

    def _request(self, message: PushMessage, subscription: Subscription | None, now: float) -> Request | str:
        """What to post, or the code of what speaks against it."""
        if subscription is None:
            return _UNUSABLE
        if not web_push.is_allowed(subscription, self._hosts):
            return "host_not_allowed"
        plain = web_push.payload_of(message)
        if not plain:
            return "unencodable"
        if len(plain) > web_push.PLAINTEXT_BYTES:
            return "payload_too_large"
        try:
            own = ec.generate_private_key(ec.SECP256R1())
            body = web_push.encrypted(plain, subscription, own=own, salt=os.urandom(16))
        except ValueError:
            return _UNUSABLE
        headers = {
            "Authorization": self._vapid.header(subscription.origin, now),
            **web_push.headers_of(message, now=now),
        }
        return Request(body, subscription.endpoint, tuple(f"{name}: {value}" for name, value in headers.items()))

    def _judged(self, subscription: Subscription | None, result: SendResult) -> SendResult:
        """The result, once it is known how others of the same push service fared.

        A key refused where others were taken belongs to a subscription made with another key; refused for all, the
        fault is ours.
        """
        foreign = result.code == _VAPID_REFUSED and subscription is not None and subscription.origin in self._trusted
        if foreign or result.code == _UNUSABLE:
            return msgspec.structs.replace(result, outcome=SendOutcome.BAD_RECIPIENT)
        return result


ADAPTER = WebPush


class _Vapid:
    """Who we are, to each push service: a token for hours, the same in every process."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, subject: str) -> None:
        self._key, self._subject = key, subject
        self._public = es256.public_text(key)
        self._since = 0
        self._headers: dict[str, str] = {}

    def header(self, origin: str, now: float) -> str:
        """The Authorization header for an origin."""
        since = es256.on_grid(now, step_seconds=policy.VAPID_TOKEN_SECONDS, name=self._public)
        if since != self._since:
            self._since, self._headers = since, {}
        if origin not in self._headers:
            claims = {"aud": origin, "exp": since + 2 * policy.VAPID_TOKEN_SECONDS, "sub": self._subject}
            token = es256.signed(self._key, header={"typ": "JWT"}, claims=claims)
            self._headers[origin] = f"vapid t={token},k={self._public}"
        return self._headers[origin]


class _Refusal(msgspec.Struct, gc=False):
    #: Mozilla's number for the error.
    errno: int


_decode = msgspec.json.Decoder(_Refusal).decode


def _read(response: Response) -> Answer:
    status = response.status
    location = response.headers.get("location", "")
    if status == _CREATED or (status in _TAKEN and location):
        taken_as = location.rstrip("/").rpartition("/")[2] or response.headers.get("apns-id", "")
        return Answer(outcome=SendOutcome.ACCEPTED, provider_message_id=taken_as)
    if status in _UNKNOWN_KEY:
        return Answer(outcome=SendOutcome.MISCONFIGURED, code=_VAPID_REFUSED)
    errno = _errno(response.body)
    outcome = SendOutcome.BAD_RECIPIENT if status in _GONE else outcome_of_status(status)
    if outcome is SendOutcome.AMBIGUOUS and errno >= _BRIDGE:
        outcome = SendOutcome.TRANSIENT
    # A push service limits what one subscription gets; the next one may be at another service altogether.
    return Answer(
        outcome=outcome,
        code=f"errno_{errno}" if errno else f"http_{status}",
        address_only=outcome is SendOutcome.THROTTLED,
    )


def _errno(body: bytes) -> int:
    try:
        return _decode(body).errno
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0


def _subscription(token: str) -> Subscription | None:
    try:
        return web_push.subscription_of(token)
    except ValueError:
        return None


def _hosts(account: Account) -> list[Host]:
    entries = account.options.get("allow_hosts", web_push.PUSH_SERVICES)
    try:
        return [web_push.host_of(entry) for entry in entries]
    except ValueError:
        cure = 'must be a list of hosts, such as ["fcm.googleapis.com", "*.push.apple.com", "push.example.com:8443"]'
        raise _fault(account, "options.allow_hosts", cure) from None


def _fault(account: Account, key: str, cure: str) -> ConfigurationFault:
    return ConfigurationFault([Fault(conf.accounts_file(), f'provider "{account.name}"', key, cure)])
