"""Access tokens of a Google service account: fetched rarely, kept by the process, renewed before they end.

This is the one place where `requests` speaks to a provider: a token lives about an hour, so the call's cost is nothing
and google-auth's care for keys and clocks is worth having.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import requests
from google.auth.exceptions import GoogleAuthError, RefreshError, TransportError
from google.auth.transport.requests import Request
from google.oauth2.service_account import Credentials
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from channels import policy
from channels.conf import Secret
from channels.rules.hosts import is_loopback

_BUSY = frozenset({408, 429})
_SERVER_FAULT = 500


class NoToken(Exception):
    """There is no token to send with. `refused`: the endpoint said no, so that trying again would not help."""

    def __init__(self, *, refused: bool) -> None:
        super().__init__("refused" if refused else "unavailable")
        self.refused = refused


class AccessTokens:
    """The tokens of one service account in one process."""

    def __init__(self, service_account: Secret, *, scopes: Sequence[str], ca_file: str = "") -> None:
        """Raise ValueError when the secret is not a service account's JSON; nothing is fetched yet."""
        try:
            key = dict(json.loads(service_account.reveal()))
            self._credentials: Any = Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                key, scopes=list(scopes)
            )
        except (ValueError, TypeError, GoogleAuthError):
            # From None: the fault's own text may quote the key.
            raise ValueError("is not a service account's JSON: download the key file of the project") from None
        session = requests.Session()
        session.trust_env = not is_loopback(str(key.get("token_uri", "")))
        # With every call, not on the session: REQUESTS_CA_BUNDLE would win over the session's.
        call = partial(Request(session), timeout=policy.TOKEN_TIMEOUT_SECONDS, verify=ca_file or True)
        self._request = partial(_ask, call)
        self._session = session
        self._token = ""
        self._renew_at = self._ends_at = float("-inf")
        self._failed_at = float("-inf")
        self._failed_for_good = False

    def token(self, *, refused: str = "") -> str:
        """A token that is good now; raises NoToken.

        `refused` is a token the provider did not take: it is not given out again. A renewal that fails leaves the old
        token in use while it lasts.
        """
        now = time.monotonic()
        usable = bool(self._token) and self._token != refused and now < self._ends_at
        if usable and now < self._renew_at:
            return self._token
        try:
            self._renew(now)
        except NoToken:
            if not usable:
                raise
        return self._token

    def close(self) -> None:
        """Drop the connection to the token endpoint."""
        self._session.close()

    def _renew(self, now: float) -> None:
        """Fetch a token; a failure is remembered a moment, so that traffic does not queue up behind a dead endpoint."""
        if now - self._failed_at < policy.REBUILD_AFTER_SECONDS:
            raise NoToken(refused=self._failed_for_good)
        try:
            _fetch(self._credentials, self._request)
        except GoogleAuthError as fault:
            self._failed_at = time.monotonic()
            self._failed_for_good = not _may_pass(fault)
            raise NoToken(refused=self._failed_for_good) from None
        life = self._credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
        seconds = life.total_seconds()
        self._token = str(self._credentials.token)
        self._renew_at, self._ends_at = now + seconds * policy.TOKEN_RENEWAL_SHARE, now + seconds


def _fetch(credentials: Any, request: Any) -> None:
    tries = Retrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_attempt(policy.TOKEN_TRIES),
        wait=wait_random_exponential(multiplier=0.2, max=1.0),
        reraise=True,
    )
    tries(credentials.refresh, request)


def _ask(call: Any, **request: Any) -> Any:
    """One call; an endpoint that is busy or broken raises, or google-auth would wait and retry inside our retries."""
    response = call(**request)
    if response.status in _BUSY or response.status >= _SERVER_FAULT:
        message = f"HTTP {response.status}"
        raise TransportError(message)  # type: ignore[no-untyped-call]
    return response


def _may_pass(fault: BaseException) -> bool:
    """Whether the same call may succeed a moment later: the endpoint was not reached, or said so."""
    return isinstance(fault, TransportError) or (isinstance(fault, RefreshError) and bool(fault.retryable))
