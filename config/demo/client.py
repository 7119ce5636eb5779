"""The application's side of the REST API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec
import requests

from config.demo.place import DemoFault

_Shape = TypeVar("_Shape")
_TIMEOUT_SECONDS = 15.0
_OK = 200
_ACCEPTABLE = (_OK, 201, 202, 204)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What the API says of one delivery."""

    id: str
    channel: str
    status: str
    reason_code: str | None
    provider: str | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What the API says of one try at a provider."""

    delivery_id: str
    outcome: str
    code: str
    started_at: datetime
    latency_ms: float


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """What the API says of one notification."""

    id: str
    status: str
    priority: str
    created_at: datetime
    scheduled_at: datetime | None
    deliveries: list[Delivery]
    attempts: list[Attempt]


class TraceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of a trace."""

    at: datetime
    step: str
    decision: str
    channel: str | None
    reason_code: str | None
    detail: dict[str, Any]


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Every decision about one notification."""

    trace: list[TraceEntry]


class Api:
    """A caller with an API key; connections are kept."""

    def __init__(self, url: str, key: str = "") -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between us and this machine
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def is_answered(self, path: str) -> bool:
        """Whether a path is answered with 200 by now."""
        try:
            answer = self._session.get(self._url + path, timeout=_TIMEOUT_SECONDS)
        except requests.RequestException:
            return False
        return answer.status_code == _OK

    def get(self, path: str, shape: type[_Shape]) -> _Shape:
        """Read something."""
        return msgspec.json.decode(self._call("GET", path), type=shape)

    def put(self, path: str, body: dict[str, Any]) -> None:
        """Create or replace something."""
        self._call("PUT", path, body)

    def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """Make something happen."""
        answer: dict[str, Any] = msgspec.json.decode(self._call("POST", path, body, headers) or b"{}")
        return answer

    def _call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
        try:
            answer = self._session.request(
                method, self._url + path, json=body, headers=headers, timeout=_TIMEOUT_SECONDS
            )
        except requests.RequestException as fault:
            raise DemoFault(f"{method} {path} was not answered: {type(fault).__name__}") from fault
        if answer.status_code not in _ACCEPTABLE:
            raise DemoFault(f"{method} {path} was answered with {answer.status_code}: {answer.text[:500]}")
        return answer.content
