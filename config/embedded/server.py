"""What PostgreSQL and Valkey have in common, and how a program is started so that it cannot be orphaned."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from config.embedded.account import Account
from config.embedded.record import ServerState

#: Below the ports that the kernel gives to outgoing connections (Linux from 32768, macOS from 49152): while a
#: server is being restarted nobody else may be given its port.
PORTS = range(15_000, 32_000)
#: A log is started anew when it is longer than this; one old one is kept.
LOG_BYTES = 5_000_000
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class ServerError(Exception):
    """A server cannot run, and trying again will not help: says why and what to do."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(problem)
        self.problem, self.cure = problem, cure


@dataclass(frozen=True, slots=True)
class Site:
    """Where a server lives and as whom."""

    place: Path
    logs: Path
    account: Account | None


class Server(Protocol):
    """One kind of server, as the keeper sees it."""

    name: str
    #: The kindest signal that makes it stop with its data in order.
    stop_signal: signal.Signals
    #: Seconds it may take for that.
    stop_seconds: float

    def prepare(self, state: ServerState) -> None:
        """Make ready what must be there before the first start; raise ServerError where that is hopeless."""

    def clear_leftover(self, state: ServerState) -> None:
        """Stop the same server left behind by a keeper that was killed."""

    def start(self, state: ServerState) -> subprocess.Popen[bytes]:
        """Start it on `state.port`."""

    def is_ready(self, state: ServerState, process: subprocess.Popen[bytes]) -> bool:
        """Whether it answers."""


def launch(
    command: Sequence[str | Path], site: Site, *, cwd: Path, log: Path, stdin: int, dies_with: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a server as the site's account; on Linux it gets `dies_with` when the keeper is gone."""
    identity = site.account.identity() if site.account else {}
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  a program we chose ourselves
            command,
            cwd=cwd,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            stdin=stdin,
            stdout=output,
            stderr=output,
            preexec_fn=_last_wish(dies_with),  # noqa: PLW1509  the keeper has no threads
            **identity,
        )


def _last_wish(dies_with: signal.Signals) -> Callable[[], None]:
    """Run in the new process: leave the keeper's session alone, and ask to be told of its death."""

    def before_exec() -> None:
        os.setsid()
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(dies_with))

    return before_exec


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    for port in random.SystemRandom().sample(PORTS, 200):
        if is_free(port):
            return port
    raise ServerError(f"no free port between {PORTS.start} and {PORTS.stop}", "Stop what uses them")


def is_free(port: int) -> bool:
    """Whether a server could bind this port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def rotate(log: Path) -> None:
    """Keep a log from growing for ever."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def last_lines(log: Path, count: int = 4) -> str:
    """The end of a log on one line."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "no log"
    return " | ".join(line.strip() for line in lines[-count:])
