"""A process of the bench's own: it is given a job, prepares it, says so, waits for the start, works, reports.

So that preparing costs nothing while the clock runs, and what the bench does itself stands apart from what it measures.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Generic, Self, TypeVar

import msgspec

Job = TypeVar("Job", bound=msgspec.Struct)
Report = TypeVar("Report")

_READY = b"ready\n"


class CompanionFailedError(Exception):
    """A process of the bench ended without its report; its own words are on standard error."""


class Companion(Generic[Report]):
    """The bench's end; a context, after which the process is gone."""

    def __init__(
        self, module: str, job: msgspec.Struct, report: type[Report], environment: Mapping[str, str] | None = None
    ) -> None:
        self._module, self._job, self._report, self._environment = module, job, report, environment

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", self._module]
        self._process = subprocess.Popen(command, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._say(msgspec.json.encode(self._job))
        if self._hear() != _READY:
            raise CompanionFailedError(self._module)
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its pipes
            self._process.kill()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def start(self) -> None:
        """Let it work."""
        self._say(b"go")

    def finish(self) -> Report:
        """Wait until it has, and read its report."""
        line = self._hear()
        if not line:
            raise CompanionFailedError(self._module)
        return msgspec.json.decode(line, type=self._report)

    def _say(self, words: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(words + b"\n")
        self._process.stdin.flush()

    def _hear(self) -> bytes:
        assert self._process.stdout is not None
        return bytes(self._process.stdout.readline())


def work_for(job: type[Job], prepare: Callable[[Job], Callable[[], Any]]) -> None:
    """The companion's end."""
    work = prepare(msgspec.json.decode(sys.stdin.buffer.readline(), type=job))
    sys.stdout.buffer.write(_READY)
    sys.stdout.flush()
    sys.stdin.buffer.readline()
    report = msgspec.json.encode(work())
    sys.stdout.buffer.write(report + b"\n")
    sys.stdout.flush()


def cpu_seconds() -> float:
    """What this process has taken so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
