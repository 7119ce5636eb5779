"""Peers that misbehave on the wire, below what a well-bred HTTP server can do."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: SO_LINGER with no time: closing sends a reset.
_RESET = struct.pack("ii", 1, 0)


class Peer:
    """Listens on loopback and serves each connection in a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def serve(self, connection: socket.socket) -> None:
        """Speak to one client."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self.serve(connection)
        except (OSError, ValueError):
            pass  # the client went, which is what some tests are about
        finally:
            connection.close()


class HttpPeer(Peer):
    """HTTP/1.1 in cleartext; `act(number)` answers the bytes to send, or `rst`, `eof`, `silent`."""

    def __init__(self, act: Callable[[int], bytes | str]) -> None:
        self._act = act
        self.requests: list[bytes] = []
        #: Each request's headers, by lower-case name, and its body.
        self.calls: list[tuple[dict[str, str], bytes]] = []
        super().__init__()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        """Read requests with a Content-Length, one after the other."""
        stream = connection.makefile("rb")
        while (head := _read_head(stream)) is not None:
            length = next((int(line[15:]) for line in head if line.lower().startswith(b"content-length:")), 0)
            pairs = (line.decode("latin-1").partition(":") for line in head[1:])
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = stream.read(length)
            self.requests.append(body)
            self.calls.append((headers, body))
            answer = self._act(len(self.requests))
            if isinstance(answer, str):
                if answer == "silent":
                    continue
                cut(connection, reset=answer == "rst")
                return
            connection.sendall(answer)


def http_answer(status: int, body: bytes = b"{}", *headers: str) -> bytes:
    """An HTTP/1.1 answer with its length."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def cut(connection: socket.socket, *, reset: bool) -> None:
    """End a connection with a reset, or with an ordinary farewell."""
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    else:
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class Http2Peer(Peer):
    """HTTP/2 over TLS; `act(number)` says what becomes of each request.

    `ok`; `refuse` (RST_STREAM REFUSED_STREAM); `error` (RST_STREAM INTERNAL_ERROR); `goaway` (the stream was not
    processed); `rst`, `eof` (the connection ends); `silent`.
    """

    def __init__(self, act: Callable[[int], str], *, certificate: Path, key: Path) -> None:
        self._act = act
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(["h2"])
        self.requests: list[int] = []
        super().__init__()

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        """Just enough of RFC 9113 to be believed."""
        with self._context.wrap_socket(connection, server_side=True) as tls:
            stream = tls.makefile("rb")
            stream.read(24)
            tls.sendall(_frame(4, 0, 0))
            while len(head := stream.read(9)) == 9:
                kind, flags = head[3], head[4]
                number = int.from_bytes(head[5:], "big")
                payload = stream.read(int.from_bytes(head[:3], "big"))
                if kind in {4, 6} and not flags & 1:
                    tls.sendall(_frame(kind, 1, 0, payload if kind == 6 else b""))
                if kind in {0, 1} and flags & 1 and not self._answer(tls, number):
                    return

    def _answer(self, tls: ssl.SSLSocket, stream: int) -> bool:
        """Act on one request; False when the connection is over."""
        self.requests.append(stream)
        act = self._act(len(self.requests))
        frames = {
            "ok": _frame(1, 4, stream, b"\x88") + _frame(0, 1, stream, b"{}"),
            "refuse": _frame(3, 0, stream, struct.pack(">I", 7)),
            "error": _frame(3, 0, stream, struct.pack(">I", 2)),
            "goaway": _frame(7, 0, 0, struct.pack(">II", max(0, stream - 2), 0)),
            "silent": b"",
        }
        if act in frames:
            tls.sendall(frames[act])
            return True
        cut(socket.socket(fileno=tls.detach()), reset=act == "rst")
        return False


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _read_head(stream: Any) -> list[bytes] | None:
    lines: list[bytes] = []
    while line := stream.readline():
        if line == b"\r\n":
            return lines
        lines.append(line.strip())
    return None


def dead_port() -> int:
    """A port on loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
