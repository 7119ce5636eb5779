"""The edge of the world: a provider of e-mail, text messages and push that keeps a line of all it was given.

Written from docs/adding-a-channel.md; it shares no code with the program. What it took is a message received; a word in
the address, or chance, has it refuse.
"""

from __future__ import annotations

import base64
import hmac
import json
import random
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

SIGNING = base64.b64encode(bytes(range(32))).decode()
RECEIPTS = base64.b64encode(bytes(range(32, 64))).decode()
#: Accounts by channel: mail has a second one, which is asked where the first refuses.
ACCOUNTS = {"mail": "email", "mail-too": "email", "text": "sms", "push": "push"}
#: An address with this in it is no address any more.
DEAD = "nobody"


def sign(secret: str, call_id: str, at: int, body: bytes) -> str:
    """A signature of Standard Webhooks."""
    digest = hmac.digest(base64.b64decode(secret), f"{call_id}.{at}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


class Gateway:
    """A context: an HTTP server on loopback."""

    def __init__(self, now: Callable[[], float], chance: random.Random, faults: float) -> None:
        self.received: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        self._now, self._chance, self._faults = now, chance, faults
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def declare(self, folder: Path) -> Path:
        """The providers file of its accounts."""
        for name, secret in (("signing", SIGNING), ("receipts", RECEIPTS)):
            (folder / name).write_text(f"whsec_{secret}")
        port = self._server.server_address[1]
        file = folder / "providers.toml"
        file.write_text(
            "\n".join(
                f'[[provider]]\nname = "{name}"\nadapter = "http"\nchannel = "{channel}"\npriority = {rank}\n'
                f'base_url = "http://127.0.0.1:{port}/{name}"\nsecrets = {{ signing_secret = "file:{folder}/signing", '
                f'receipts_secret = "file:{folder}/receipts" }}\n'
                for rank, (name, channel) in enumerate(ACCOUNTS.items(), start=1)
            )
        )
        return file

    def take(self, account: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        """The answer to one request, written down first."""
        call_id, at = headers["webhook-id"], int(headers["webhook-timestamp"])
        if not hmac.compare_digest(headers["webhook-signature"], sign(SIGNING, call_id, at, body)):
            return 401, {"code": "unauthorized"}
        told = json.loads(body)
        line = {
            "at": self._now(),
            "account": account,
            "channel": told["channel"],
            "id": told["id"],
            "to": told["to"],
            "words": f"{told.get('subject') or told.get('title') or ''}\n{told.get('text') or told.get('body') or ''}",
            "way_out": (told.get("headers") or {}).get("List-Unsubscribe", ""),
        }
        code = self._refusal(told["to"])
        if code:
            self.refused.append(line | {"code": code})
            return 422 if code == "invalid_recipient" else 503, {"code": code}
        self.received.append(line)
        return 202, {"id": f"g-{len(self.received)}-{told['id']}"}

    def _refusal(self, to: str) -> str:
        if DEAD in to:
            return "invalid_recipient"
        return "unavailable" if self._chance.random() < self._faults else ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def _handler_of(gateway: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, words = gateway.take(self.path.strip("/"), self.headers, body)
            answer = json.dumps(words).encode()
            head = f"HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
            self.wfile.write(head.encode() + answer)

        def log_message(self, *_: Any) -> None:
            """Addresses have no place in a log."""

    return Handler
