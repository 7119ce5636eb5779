"""Somebody who is called: keeps every request as it came, so that a test can look at it or hand it to a reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from channels.vocabulary import ReceiptCall

_PATIENCE_SECONDS = 10.0


#: What to answer to a path and a body.
Answering = Callable[[str, bytes], bytes]


class Called(NamedTuple):
    """One request; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class Mailbox:
    """Listens on loopback while it is entered."""

    def __init__(self, answer: bytes | Answering = b"{}") -> None:
        self.calls: list[Called] = []
        decide = (lambda _path, _body: answer) if isinstance(answer, bytes) else answer
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.calls, decide))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int) -> list[Called]:
        """The first so many requests, once they have come."""
        end = time.monotonic() + _PATIENCE_SECONDS
        came = threading.Event()
        while len(self.calls) < count and time.monotonic() < end:
            came.wait(0.01)
        assert len(self.calls) >= count, f"{len(self.calls)} of {count} came"
        return self.calls[:count]

    def receipts(self, count: int) -> list[ReceiptCall]:
        """The same, as the receipts endpoint would hand them to a reader."""
        return [
            ReceiptCall(url=f"{self.url}{call.path}", headers=call.headers, body=call.body)
            for call in self.wait_for(count)
        ]


def _handler(calls: list[Called], decide: Answering) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            calls.append(Called(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            answer = decide(self.path, body)
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
