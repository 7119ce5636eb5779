"""The demo, really run: once into a pipe, and then on a terminal in the same home."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from config.embedded import record
from config.embedded.home import REPOSITORY, Home

#: What would lead the demo to other servers, ports and settings than those a newcomer has.
_FOREIGN = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "PORT", "DJANGO_SETTINGS_MODULE", "NO_COLOR", "COLUMNS")
_WAITING = b"stays up until you press Ctrl-C."
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")

Row = tuple[str, str, str, str, str]


@dataclass(frozen=True)
class Run:
    """A run that is over."""

    exit_code: int
    #: As it was written, colours and all.
    said: str
    home: Path

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self.said).replace("\r", "")

    def rows_of(self, name: str) -> list[Row]:
        """What the table says of a person: what, channel, status, why, provider."""
        section = re.split(rf"^{name} · .*$", self.text, maxsplit=1, flags=re.MULTILINE)[1].strip("\n").split("\n\n")[0]
        return [_cells(line) for line in section.splitlines()]


def _cells(line: str) -> Row:
    """The columns stand at fixed places."""
    what, channel, status, why, provider = (
        line[a:b].strip() for a, b in ((2, 21), (21, 32), (32, 44), (44, 72), (72, 90))
    )
    return what, channel, status, why, provider


def left_behind(home: Path) -> list[str]:
    """Processes that still belong to a home."""
    marks = {str(home), record.load(Home(home).servers).place} - {""}
    return [
        " ".join(words)
        for process in psutil.process_iter(["cmdline", "environ"])
        if process.pid != os.getpid()
        and (words := process.info["cmdline"] or [])
        and (
            (process.info["environ"] or {}).get("CARILLON_HOME") == str(home)
            or any(mark in word for mark in marks for word in words)
        )
    ]


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("demo") / "home"
    yield home
    if place := record.load(Home(home).servers).place:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def piped(demo_home: Path) -> Run:
    """The first run, where nobody watches."""
    done = subprocess.run(
        _command(), cwd=REPOSITORY, env=_environment(demo_home), capture_output=True, text=True, check=False
    )
    return Run(done.returncode, done.stdout + done.stderr, demo_home)


@pytest.fixture(scope="session")
def watched(piped: Run) -> Run:
    """The second run, at a terminal of 80 columns, until Ctrl-C."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    demo = subprocess.Popen(
        _command(),
        cwd=REPOSITORY,
        env=_environment(piped.home) | {"TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = "".join(_until_closed(ours, demo))
    os.close(ours)
    return Run(demo.wait(), said, piped.home)


def _until_closed(terminal: int, demo: subprocess.Popen[bytes]) -> Iterator[str]:
    """All that is written; Ctrl-C is pressed when the demo says that it waits for it."""
    seen = b""
    while chunk := _read(terminal):
        yield chunk.decode(errors="replace")
        if _WAITING in seen + chunk and _WAITING not in seen:
            demo.send_signal(signal.SIGINT)
        seen += chunk


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux answers so when the other end is closed
        return b""


def _command() -> list[str]:
    return [sys.executable, "manage.py", "demo"]


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return kept | {"CARILLON_HOME": str(home), "CARILLON_KEEP_SECONDS": "0"}
