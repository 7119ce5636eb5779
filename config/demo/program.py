"""One program that the demo starts and stops, with what it says in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from config.demo.place import DemoFault
from config.embedded.home import REPOSITORY
from config.supervise.guard import Guard, kill_group

_LAST_LINES = 5


class Program:
    """A child in a group of its own, out of reach of Ctrl-C."""

    def __init__(
        self, name: str, words: Sequence[str], log: Path, guard: Guard, environment: Mapping[str, str] | None = None
    ) -> None:
        self._name = name
        self._log = log
        self._guard = guard
        with log.open("wb") as errors:
            self._running = subprocess.Popen(  # noqa: S603 - our own interpreter, our own words
                [sys.executable, *words],
                cwd=REPOSITORY,
                env=os.environ | (environment or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if environment is None else errors,
                stderr=errors,
                process_group=0,
            )
        guard.watch(self._running.pid)

    @property
    def first_line(self) -> bytes:
        """What it says first, once it does; empty when it ends before that."""
        said: IO[bytes] | None = self._running.stdout
        return said.readline() if said is not None else b""

    def check(self) -> None:
        """Raise `DemoFault` when it has ended."""
        if self._running.poll() is not None:
            raise self.fault("has ended by itself")

    def fault(self, what: str) -> DemoFault:
        """What went wrong with it, and the last it said."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return DemoFault(f"{self._name} {what}. {self._log} ends like this:", lines[-_LAST_LINES:] or ["(empty)"])

    def ask_to_stop(self) -> None:
        """Ask once more."""
        self._running.terminate()

    def wait_for_end(self, patience: float) -> None:
        """Wait so many seconds, then leave it no choice."""
        try:
            self._running.wait(patience)
        except subprocess.TimeoutExpired:
            kill_group(self._running.pid, signal.SIGKILL)
            self._running.wait()
        self._guard.forget(self._running.pid)
        for pipe in (self._running.stdin, self._running.stdout):
            if pipe is not None:
                pipe.close()
