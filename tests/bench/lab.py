"""The providers' stand-ins beside the bench, and their ledgers."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import msgspec
import orjson

from config.lab.ledger import SHORT_ENTRY

#: Seconds it may take to stop: it waits for connections that somebody still holds.
_STOP_PATIENCE = 5.0
#: The one that lives at the root of the lab's addresses.
_AT_HOME = "fcm"


class Arrival(NamedTuple):
    """What a stand-in keeps of one delivery."""

    times: int
    address: str
    content_hash: str
    #: Epoch seconds of the first time.
    at: float


class Came(NamedTuple):
    """The same in short, without its delivery's id."""

    #: `config.lab.ledger.mark_of` address and words.
    mark: int
    at: float
    times: int


class Summary(msgspec.Struct, kw_only=True):
    """A ledger in numbers; instants are epoch seconds, 0 where nothing came."""

    deliveries: int
    #: Accepted ones.
    requests: int
    repeats: int
    #: Refused ones, by the reason.
    refusals: dict[str, int]
    first: float
    last: float


class Lab:
    """A context: the stand-ins run inside it, in one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "config.lab", "--with-parent", "--folder", str(self.folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.places: dict[str, Any] = orjson.loads(self._process.stdout.readline() or b"{}")
        if not self.places:
            raise SystemExit("bench: the stand-ins did not start")
        self.fcm: dict[str, str] = self.places["fcm"]
        self.ca_file: str = self.places["ca_file"]
        trusted = HTTPSHandler(context=ssl.create_default_context(cafile=self.ca_file))
        self._opener = build_opener(ProxyHandler({}), trusted)
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its pipes
            self._process.terminate()
            try:
                self._process.wait(_STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()

    @property
    def pid(self) -> int:
        """The stand-ins' process."""
        return self._process.pid

    @property
    def send_url(self) -> str:
        """Where FCM's messages are posted."""
        return f"{self.fcm['base_url']}/v1/projects/{self.fcm['project_id']}/messages:send"

    def accepted(self, name: str = _AT_HOME) -> int:
        """How many requests a stand-in has accepted since it was last reset."""
        return self.summary(name).requests

    def summary(self, name: str = _AT_HOME) -> Summary:
        """A stand-in's ledger in numbers."""
        return msgspec.json.decode(self.ask(name, "GET", "/__ledger/summary"), type=Summary, strict=False)

    def arrivals(self, name: str = _AT_HOME) -> dict[str, Arrival]:
        """A stand-in's whole ledger by delivery id."""
        return msgspec.json.decode(self.ask(name, "GET", "/__ledger"), type=dict[str, Arrival])

    def came(self, name: str = _AT_HOME) -> Iterator[Came]:
        """A stand-in's whole ledger in short: 20 bytes an entry."""
        return (Came(*entry) for entry in SHORT_ENTRY.iter_unpack(self.ask(name, "GET", "/__ledger/short")))

    def script(self, name: str, **script: Any) -> None:
        """Tell a stand-in what is wrong from now on; nothing heals it."""
        self.ask(name, "POST", "/__faults", script)

    def reset(self, name: str = _AT_HOME) -> None:
        """Forget what arrived, and heal."""
        self.ask(name, "POST", "/__reset")

    def ask(self, name: str, method: str, path: str, body: object = None) -> bytes:
        """One call of a stand-in's own controls."""
        base = self.fcm["base_url"] if name == _AT_HOME else f"{self.fcm['base_url']}/{name}"
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = Request(base + path, method=method, data=data)  # noqa: S310 - loopback
        with self._opener.open(request, timeout=60) as answer:
            return bytes(answer.read())
