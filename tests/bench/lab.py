"""The FCM stand-in beside the bench, and its ledger."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import msgspec
import orjson

#: Seconds it may take to stop: it waits for connections that somebody still holds.
_STOP_PATIENCE = 5.0


class Arrival(NamedTuple):
    """What the stand-in keeps of one delivery."""

    times: int
    token: str
    content_hash: str
    #: Epoch seconds of the first time.
    at: float


class Lab:
    """A context: the stand-in runs inside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "config.lab", "--with-parent", "--folder", str(self._folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        places: dict[str, Any] = orjson.loads(self._process.stdout.readline() or b"{}")
        if not places:
            raise SystemExit("bench: the FCM stand-in did not start")
        self.fcm: dict[str, str] = places["fcm"]
        self.ca_file: str = places["ca_file"]
        trusted = HTTPSHandler(context=ssl.create_default_context(cafile=self.ca_file))
        self._opener = build_opener(ProxyHandler({}), trusted)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The stand-in's process."""
        return self._process.pid

    @property
    def send_url(self) -> str:
        """Where messages are posted."""
        return f"{self.fcm['base_url']}/v1/projects/{self.fcm['project_id']}/messages:send"

    def accepted(self) -> int:
        """How many requests it has accepted since it was last reset."""
        return int(orjson.loads(self._ask("GET", "/__ledger/summary"))["requests"])

    def arrivals(self) -> dict[str, Arrival]:
        """The whole ledger by delivery id."""
        return msgspec.json.decode(self._ask("GET", "/__ledger"), type=dict[str, Arrival])

    def reset(self) -> None:
        """Forget what arrived."""
        self._ask("POST", "/__reset")

    def providers_file(self) -> str:
        """The providers file of an installation that sends all its push through the stand-in."""
        return f"""
[[provider]]
name = "fcm-bench"
adapter = "fcm"
channel = "push"
base_url = "{self.fcm["base_url"]}"
ca_file = "{self.ca_file}"
options = {{project_id = "{self.fcm["project_id"]}"}}
secrets = {{service_account = "file:{self.fcm["service_account_file"]}"}}
"""

    def _ask(self, method: str, path: str) -> bytes:
        url = self.fcm["base_url"] + path
        request = Request(url, method=method, data=b"{}" if method == "POST" else None)  # noqa: S310 - loopback
        with self._opener.open(request, timeout=60) as answer:
            return bytes(answer.read())
