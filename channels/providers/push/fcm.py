"""Firebase Cloud Messaging, HTTP v1.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages - one message a request (the batch endpoint is
gone), many requests on one HTTP/2 connection. The error table is `providers.md` 3.2, from
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
import orjson

from channels import conf, policy
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.exchange import Answer, exchange
from channels.oauth import AccessTokens, NoToken
from channels.provider import Capabilities, Option
from channels.rules import fcm
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.rules.mismatch import Mismatches
from channels.rules.tally import GIVEN_UP
from channels.transport import Request, Response, Transport
from channels.vocabulary import Channel, Platform, PushMessage, SendOutcome, SendResult

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_OK, _UNAUTHORIZED = 200, 401
_COLOR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_UNAUTHENTICATED = "UNAUTHENTICATED"


class Fcm:
    """Sends to Android, to iOS through the APNs key stored in the Firebase project, and to topics and conditions."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.PUSH}),
        platforms=frozenset({Platform.ANDROID, Platform.IOS}),
        schemes=frozenset({"https", "http"}),
        base_url="https://fcm.googleapis.com",
        options={
            "project_id": Option("id of the Firebase project", required=True),
            "channel_id": Option("Android's notification channel, which the app must have made"),
            "color": Option("of the small icon on Android, such as #1a73e8"),
            "web_icon": Option("URL of the icon that browsers show, of what is sent to topics"),
        },
        secrets=frozenset({"service_account"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._account = account
        self._look = fcm.Look(*(account.options.get(name, "") for name in fcm.Look._fields))
        if self._look.color and not _COLOR.match(self._look.color):
            raise _fault(account, "options.color", "must be a colour such as #1a73e8")
        try:
            self._tokens = AccessTokens(secrets["service_account"], scopes=[_SCOPE], ca_file=account.ca_file)
        except ValueError as fault:
            raise _fault(account, "secrets.service_account", str(fault)) from None
        self._mismatches = Mismatches(
            codes=("SENDER_ID_MISMATCH",),
            least=policy.MISMATCHES,
            share=policy.MISMATCH_SHARE,
            window=policy.MISMATCH_WINDOW,
        )
        project = quote(account.options["project_id"], safe="")
        self._transport = Transport(
            f"{account.base_url or self.capabilities.base_url}/v1/projects/{project}/messages:send",
            ca_file=account.ca_file,
            concurrency=account.concurrency,
            timeout_seconds=account.timeout_seconds,
            connect_timeout_seconds=account.connect_timeout_seconds,
        )

    def send_many(self, messages: Sequence[PushMessage], *, deadline: float) -> list[SendResult]:
        """One request for each message, all of them at once."""
        now = time.time()
        requests = [self._request(message, now) for message in messages]
        try:
            token = self._tokens.token() if messages and time.monotonic() < deadline else ""
        except NoToken as fault:
            outcome = SendOutcome.MISCONFIGURED if fault.refused else SendOutcome.TRANSIENT
            return [self._not_asked(message, outcome, f"token_{fault}") for message in messages]
        results = self._post(messages, requests, token, deadline)
        if any(result.code == _UNAUTHENTICATED for result in results):
            self._post_again(messages, requests, results, token, deadline)
        return self._mismatches.judged(results)

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()
        self._tokens.close()

    def _request(self, message: PushMessage, now: float) -> Request | str:
        try:
            body = fcm.body_of(message, look=self._look, now=now)
            encoded = orjson.dumps({"message": body})
        except TypeError:
            return "unencodable"
        return "payload_too_large" if fcm.is_too_large(body, encoded) else Request(encoded)

    def _post(
        self, messages: Sequence[PushMessage], requests: Sequence[Request | str], token: str, deadline: float
    ) -> list[SendResult]:
        headers = ("Content-Type: application/json", f"Authorization: Bearer {token}")
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
        """What the token was refused for, and what was given up with it, once more with a new one."""
        try:
            fresh = self._tokens.token(refused=token)
        except NoToken:
            return
        open_ = [at for at, result in enumerate(results) if result.code in {_UNAUTHENTICATED, GIVEN_UP}]
        again = self._post([messages[at] for at in open_], [requests[at] for at in open_], fresh, deadline)
        for at, result in zip(open_, again, strict=True):
            results[at] = result

    def _not_asked(self, message: PushMessage, outcome: SendOutcome, code: str) -> SendResult:
        return SendResult(
            id=message.id, outcome=outcome, provider=self._account.name, code=code, started_at=time.time()
        )


ADAPTER = Fcm


class _Sent(msgspec.Struct, gc=False):
    name: str


class _Error(msgspec.Struct, gc=False):
    status: str = ""
    message: str = ""
    details: list[dict[str, Any]] = []


class _Refused(msgspec.Struct, gc=False):
    error: _Error


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)
_decode_sent = msgspec.json.Decoder(_Sent).decode
_decode_refused = msgspec.json.Decoder(_Refused).decode


def _fault(account: Account, key: str, cure: str) -> ConfigurationFault:
    return ConfigurationFault([Fault(conf.accounts_file(), f'provider "{account.name}"', key, cure)])


def _read(response: Response) -> Answer:
    if response.status == _OK:
        name = _sent_name(response.body)
        if name:
            return Answer(outcome=SendOutcome.ACCEPTED, provider_message_id=name.rpartition("/")[2])
    error = None if response.status == _OK else _error_of(response.body)
    code = "" if error is None else _fcm_code(error)
    if response.status == _UNAUTHORIZED and code not in _STORED_KEY_REFUSED:
        return Answer(outcome=SendOutcome.MISCONFIGURED, code=_UNAUTHENTICATED)
    if error is None:
        return Answer(outcome=outcome_of_status(response.status), code="unreadable_answer")
    if not code and error.status == "INVALID_ARGUMENT":
        code = error.status
    outcome = _BY_CODE.get(code, outcome_of_status(response.status))
    if code == "INVALID_ARGUMENT" and _is_about_the_token(error):
        outcome = SendOutcome.BAD_RECIPIENT
    return Answer(outcome=outcome, code=code or error.status or f"http_{response.status}")


def _stops(answer: Answer) -> bool:
    """Nothing more will be taken; with the key for APNs refused, Android's go on."""
    return answer.outcome is SendOutcome.MISCONFIGURED and answer.code not in _STORED_KEY_REFUSED


def _sent_name(body: bytes) -> str:
    """The name FCM gave the message; empty when this is no answer of FCM's."""
    try:
        return _decode_sent(body).name
    except _UNREADABLE:
        return ""


def _error_of(body: bytes) -> _Error | None:
    try:
        return _decode_refused(body).error
    except _UNREADABLE:
        return None


def _fcm_code(error: _Error) -> str:
    """FCM's own code, which stands in one of the details; the outer status is Google's and coarser."""
    codes = (detail.get("errorCode") for detail in error.details)
    return next((code for code in codes if isinstance(code, str)), "")


#: The APNs or web push key stored in Firebase is refused: a new access token would not help.
_STORED_KEY_REFUSED = frozenset({"THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"})

_BY_CODE = {
    "UNREGISTERED": SendOutcome.BAD_RECIPIENT,
    "SENDER_ID_MISMATCH": SendOutcome.BAD_RECIPIENT,
    "INVALID_ARGUMENT": SendOutcome.BAD_MESSAGE,
    "THIRD_PARTY_AUTH_ERROR": SendOutcome.MISCONFIGURED,
    "APNS_AUTH_ERROR": SendOutcome.MISCONFIGURED,
    "QUOTA_EXCEEDED": SendOutcome.THROTTLED,
    "UNAVAILABLE": SendOutcome.TRANSIENT,
    "INTERNAL": SendOutcome.TRANSIENT,
}


def _is_about_the_token(error: _Error) -> bool:
    if "not a valid FCM registration token" in error.message:
        return True
    violations = [detail.get("fieldViolations") for detail in error.details]
    lists = [found for found in violations if isinstance(found, list)]
    return any(isinstance(one, dict) and one.get("field") == "message.token" for found in lists for one in found)
