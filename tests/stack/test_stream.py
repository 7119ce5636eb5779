"""The live stream as people meet it: through the web's address, over real processes, across a killed one."""

from __future__ import annotations

import json
import os
import signal
import time
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Event
from typing import Any, Self
from urllib.parse import urlsplit

import orjson
import psutil
import pytest

from tests.stack.conftest import Platform

pytestmark = pytest.mark.timeout(180)

STREAM = "/v1/users/u_live/notifications/stream"


class Listening:
    """An open stream, reached the way a browser takes: the web's address, and on to where that leads; a context."""

    def __init__(self, platform: Platform, token: str, seen: str = "") -> None:
        web = HTTPConnection("127.0.0.1", platform.stack.port, timeout=30)
        web.request("GET", STREAM, headers={"Authorization": f"Bearer {token}", "Accept": "text/event-stream"})
        answer = web.getresponse()
        assert answer.status == 307
        place = urlsplit(answer.headers["Location"])
        web.close()
        self._connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
        self._connection.request("GET", f"{place.path}?{place.query}", headers={"Last-Event-ID": seen} if seen else {})
        self.response: HTTPResponse = self._connection.getresponse()
        assert self.response.status == 200

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self._connection.close()

    def hear(self) -> dict[str, Any]:
        """The next event with its data, its name and its id."""
        found: dict[str, Any] = {}
        while line := self.response.readline().decode():
            name, _, value = line.strip().partition(": ")
            if name in ("event", "data", "id"):
                found[name] = json.loads(value) if name == "data" else value
            elif not line.strip() and "event" in found:
                return found
        raise ConnectionError

    def hear_on(self) -> None:
        """Until there is nothing more to hear."""
        while self.hear():
            pass

    def hear_count(self) -> dict[str, Any]:
        while (event := self.hear())["event"] != "unread_count":
            pass
        return event


def call(platform: Platform, method: str, path: str, body: Any = None) -> Any:
    with platform.stack.connection() as connection:
        answer = connection.call(method, path, b"" if body is None else orjson.dumps(body))
    assert answer.status < 300, (path, answer)
    return orjson.loads(answer.body) if answer.body else None


@pytest.fixture(scope="module")
def token(platform: Platform) -> str:
    call(platform, "PUT", "/v1/users/u_live", {})
    call(platform, "PUT", "/v1/types/LIVE", {"category": "social", "priority": "high", "channels": ["in_app"]})
    minted: str = call(platform, "POST", "/v1/users/u_live/token")["token"]
    return minted


def tell(platform: Platform, title: str) -> None:
    body = {"type": "LIVE", "user_id": "u_live", "content": {"title": title, "body": title}, "idempotency_key": title}
    call(platform, "POST", "/v1/notifications", body)


def test_what_is_sent_is_heard_within_a_moment(platform: Platform, token: str) -> None:
    with Listening(platform, token) as listening:
        count = listening.hear_count()["data"]["unread_count"]
        tell(platform, "Hello")
        started = time.monotonic()
        event = listening.hear()
        assert (event["event"], event["data"]["title"]) == ("notification", "Hello")
        assert time.monotonic() - started < 5
        assert listening.hear_count()["data"]["unread_count"] == count + 1
    assert call(platform, "GET", "/v1/users/u_live/notifications")["unread_count"] == count + 1


def listen_again(platform: Platform, token: str, seen: str) -> Listening:
    """Listen from `seen` on, as soon as somebody answers again."""
    pause = Event()
    for _ in range(200):
        try:
            return Listening(platform, token, seen)
        except OSError:
            pause.wait(0.2)
    raise TimeoutError("nobody answers")


def test_a_killed_process_comes_back_and_nothing_is_missed(platform: Platform, token: str) -> None:
    with Listening(platform, token) as listening:
        seen = listening.hear_count()["id"]
        for worker in psutil.Process(platform.stack.roots()["stream"]).children():
            os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises((OSError, HTTPException)):
            listening.hear_on()
    tell(platform, "While nobody listened")
    with listen_again(platform, token, seen) as again:
        event = again.hear()
        if event["event"] == "unread_count":  # the worker was still on its way with it
            event = again.hear()
    assert event["data"]["title"] == "While nobody listened"


def test_no_token_is_in_any_log(platform: Platform, token: str) -> None:
    with Listening(platform, token) as listening:
        listening.hear_count()
    log = (platform.folder / "up.log").read_text(encoding="utf-8", errors="replace")
    assert "stream.opened" in log
    assert (token in log, "token=" in log) == (False, False)
