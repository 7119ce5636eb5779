"""Firebase Cloud Messaging, HTTP v1.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages - one message a request (the batch endpoint is
gone), many requests on one HTTP/2 connection. The error table is `providers.md` 3.2, from
https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec
import orjson

from channels import conf, policy
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.oauth import AccessTokens, NoToken
from channels.provider import Capabilities, Option
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.transport import Fate, Request, Response, Transport
from channels.vocabulary import Channel, Platform, PushMessage, SendOutcome, SendResult

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_OK, _UNAUTHENTICATED = 200, 401
#: The longest FCM keeps a message, 28 days.
_LONGEST_TTL_SECONDS = 2_419_200
#: Apple's limit of a collapse id, in bytes.
_COLLAPSE_ID_BYTES = 64


class Fcm:
    """Sends to Android, and to iOS through the APNs key stored in the Firebase project."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.PUSH}),
        platforms=frozenset({Platform.ANDROID, Platform.IOS}),
        schemes=frozenset({"https", "http"}),
        base_url="https://fcm.googleapis.com",
        options={"project_id": Option("id of the Firebase project", required=True)},
        secrets=frozenset({"service_account"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._name = account.name
        try:
            self._tokens = AccessTokens(secrets["service_account"], scopes=[_SCOPE], ca_file=account.ca_file)
        except ValueError as fault:
            entry = f'provider "{account.name}"'
            raise ConfigurationFault(
                [Fault(conf.accounts_file(), entry, "secrets.service_account", str(fault))]
            ) from None
        project = quote(account.options["project_id"], safe="")
        self._transport = Transport(
            f"{account.base_url or self.capabilities.base_url}/v1/projects/{project}/messages:send",
            ca_file=account.ca_file,
            concurrency=account.concurrency,
            timeout_seconds=account.timeout_seconds,
        )

    def send_many(self, messages: Sequence[PushMessage], *, deadline: float) -> list[SendResult]:
        """One request for each message, all of them at once."""
        now = time.time()
        bodies = [_encoded(message, now) for message in messages]
        sendable = [at for at, body in enumerate(bodies) if body]
        results = [self._not_asked(message, SendOutcome.BAD_MESSAGE, "unencodable") for message in messages]
        try:
            responses = self._post([bodies[at] for at in sendable], deadline)
        except NoToken as fault:
            outcome = SendOutcome.MISCONFIGURED if fault.refused else SendOutcome.TRANSIENT
            return [self._not_asked(message, outcome, f"token_{fault}") for message in messages]
        for at, response in zip(sendable, responses, strict=True):
            try:
                results[at] = self._result(messages[at], response)
            except Exception:  # noqa: BLE001 - an answer nobody foresaw must not answer for the page, which is out
                results[at] = self._not_asked(messages[at], SendOutcome.AMBIGUOUS, "adapter_error")
        return _with_mass_mismatch(results)

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()
        self._tokens.close()

    def _post(self, bodies: Sequence[bytes], deadline: float) -> list[Response]:
        """The answers; those refused for the token are asked once more with a new one."""
        if not bodies or time.monotonic() >= deadline:
            return [Response(fate=Fate.NOT_STARTED, error="page_deadline") for _ in bodies]
        token = self._tokens.token()
        responses = self._send(bodies, token, deadline)
        refused = [at for at, response in enumerate(responses) if _is_token_refused(response)]
        if not refused:
            return responses
        try:
            fresh = self._tokens.token(refused=token)
        except NoToken:
            return responses
        again = self._send([bodies[at] for at in refused], fresh, deadline)
        for at, response in zip(refused, again, strict=True):
            responses[at] = response
        return responses

    def _send(self, bodies: Sequence[bytes], token: str, deadline: float) -> list[Response]:
        headers = ("Content-Type: application/json", f"Authorization: Bearer {token}")
        return self._transport.send_all([Request(body) for body in bodies], headers=headers, deadline=deadline)

    def _result(self, message: PushMessage, response: Response) -> SendResult:
        if response.fate is Fate.ANSWERED and response.status == _OK:
            name = _sent_name(response.body)
            if name:
                return SendResult(
                    id=message.id,
                    outcome=SendOutcome.ACCEPTED,
                    provider=self._name,
                    provider_message_id=name.rpartition("/")[2],
                    started_at=response.started_at,
                    latency_ms=response.latency_ms,
                )
        outcome, code = _classify(response)
        return SendResult(
            id=message.id,
            outcome=outcome,
            provider=self._name,
            code=code,
            detail=f"HTTP {response.status}" if response.status else "",
            retry_after_seconds=_wait(outcome, response),
            started_at=response.started_at,
            latency_ms=response.latency_ms,
        )

    def _not_asked(self, message: PushMessage, outcome: SendOutcome, code: str) -> SendResult:
        return SendResult(id=message.id, outcome=outcome, provider=self._name, code=code, started_at=time.time())


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


def _encoded(message: PushMessage, now: float) -> bytes:
    """The body of a request; empty when the texts are no Unicode (lone surrogates)."""
    try:
        return orjson.dumps({"message": _body(message, now)})
    except TypeError:
        return b""


def _body(message: PushMessage, now: float) -> dict[str, Any]:
    # Our id travels in the data, so that an app which gets a message twice can tell (R086).
    data = {**message.data, "carillon_id": str(message.id)}
    if message.action_url:
        data["action_url"] = message.action_url
    body: dict[str, Any] = {"token": message.token, "data": data}
    notification = {"title": message.title, "body": message.body, "image": message.image_url}
    shown = {key: text for key, text in notification.items() if text}
    if shown:
        body["notification"] = shown
    if message.platform is Platform.ANDROID:
        body["android"] = _android(message, now)
    else:
        body["apns"] = _apns(message)
    return body


def _android(message: PushMessage, now: float) -> dict[str, Any]:
    block: dict[str, Any] = {"priority": "HIGH" if message.urgent else "NORMAL"}
    if message.expires_at is not None:
        block["ttl"] = f"{min(_LONGEST_TTL_SECONDS, max(0, int(message.expires_at - now)))}s"
    if message.collapse_key:
        block["collapse_key"] = message.collapse_key
    shown: dict[str, Any] = {"sound": message.sound, "click_action": message.action_category}
    shown = {key: value for key, value in shown.items() if value}
    if message.badge is not None:
        shown["notification_count"] = message.badge
    if shown:
        block["notification"] = shown
    return block


def _apns(message: PushMessage) -> dict[str, Any]:
    headers = {"apns-priority": "10" if message.urgent else "5"}
    if message.expires_at is not None:
        headers["apns-expiration"] = str(int(message.expires_at))
    if message.collapse_key:
        headers["apns-collapse-id"] = message.collapse_key.encode()[:_COLLAPSE_ID_BYTES].decode(errors="ignore")
    aps: dict[str, Any] = {}
    if message.sound:
        aps["sound"] = message.sound
    if message.badge is not None:
        aps["badge"] = message.badge
    if message.action_category:
        aps["category"] = message.action_category
    if message.image_url:
        aps["mutable-content"] = 1  # lets the app's extension fetch the image before it is shown
    return {"headers": headers, "payload": {"aps": aps}}


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


def _is_token_refused(response: Response) -> bool:
    if response.fate is not Fate.ANSWERED or response.status != _UNAUTHENTICATED:
        return False
    error = _error_of(response.body)
    return error is None or _fcm_code(error) not in _STORED_KEY_REFUSED


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

_BY_FATE = {
    Fate.NOT_SENT: SendOutcome.TRANSIENT,
    Fate.NOT_STARTED: SendOutcome.THROTTLED,
    Fate.AMBIGUOUS: SendOutcome.AMBIGUOUS,
}


def _classify(response: Response) -> tuple[SendOutcome, str]:
    """The class and the code of everything but a success that could be read."""
    if response.fate is not Fate.ANSWERED:
        return _BY_FATE[response.fate], response.error
    error = None if response.status == _OK else _error_of(response.body)
    if error is None:
        return outcome_of_status(response.status), "unreadable_answer"
    code = _fcm_code(error)
    if not code and error.status == "INVALID_ARGUMENT":
        code = error.status
    outcome = _BY_CODE.get(code, outcome_of_status(response.status))
    if code == "INVALID_ARGUMENT" and _is_about_the_token(error):
        outcome = SendOutcome.BAD_RECIPIENT
    return outcome, code or error.status or f"http_{response.status}"


def _is_about_the_token(error: _Error) -> bool:
    if "not a valid FCM registration token" in error.message:
        return True
    violations = [detail.get("fieldViolations") for detail in error.details]
    lists = [found for found in violations if isinstance(found, list)]
    return any(isinstance(one, dict) and one.get("field") == "message.token" for found in lists for one in found)


def _wait(outcome: SendOutcome, response: Response) -> float | None:
    if outcome is SendOutcome.THROTTLED and response.fate is Fate.ANSWERED:
        return response.retry_after_seconds or policy.THROTTLED_SECONDS
    return response.retry_after_seconds


def _with_mass_mismatch(results: list[SendResult]) -> list[SendResult]:
    """Many tokens of another sender in one page are our project mixed up, not so many dead devices."""
    mismatched = [at for at, result in enumerate(results) if result.code == "SENDER_ID_MISMATCH"]
    if len(mismatched) < policy.MISMATCHES or len(mismatched) < len(results) * policy.MISMATCH_SHARE:
        return results
    for at in mismatched:
        results[at] = msgspec.structs.replace(results[at], outcome=SendOutcome.MISCONFIGURED)
    return results
