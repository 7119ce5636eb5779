"""Sees to it that no process outlives a supervisor that was killed with -9.

The guard is a fork of the supervisor that reads from a pipe which process groups there are. When the pipe ends,
the supervisor is gone, and the guard stops what is left. Works on every Unix.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from select import select
from time import monotonic

_LOOK_EVERY = 0.1


class Guard:
    """The supervisor's end."""

    def __init__(self, *, grace: float) -> None:
        self._grace = grace
        self._groups: set[int] = set()
        self.pid = 0
        self._pipe = -1

    def start(self, unwanted: Iterable[int] = ()) -> None:
        """Fork; `unwanted` are the supervisor's descriptors that the guard must not keep open."""
        if self._pipe >= 0:
            os.close(self._pipe)
        reader, self._pipe = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            for fd in (self._pipe, *unwanted):
                os.close(fd)
            _stand_guard(reader, self._grace)
            os._exit(0)
        os.close(reader)
        for group in self._groups:
            self._tell(f"+{group}\n")

    def watch(self, group: int) -> None:
        """This group has to die with the supervisor."""
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """This group is gone."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def dismiss(self) -> None:
        """Everything has ended as it should."""
        os.close(self._pipe)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def is_gone(self) -> bool:
        """Whether somebody has killed the guard."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True

    def _tell(self, line: str) -> None:
        with suppress(BrokenPipeError):
            os.write(self._pipe, line.encode())


def kill_group(group: int, number: int) -> bool:
    """Send a signal to every process of a group; says whether there was any."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers so for a group of zombies
        return False
    return True


def _stand_guard(reader: int, grace: float) -> None:
    """The guard's whole life."""
    signal.set_wakeup_fd(-1)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    rest = b""
    while chunk := os.read(reader, 4096):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    _stop_groups(groups, grace)


def _stop_groups(groups: set[int], grace: float) -> None:
    for group in groups:
        kill_group(group, signal.SIGTERM)
    end = monotonic() + grace
    while groups and monotonic() < end:
        select((), (), (), _LOOK_EVERY)
        groups = {group for group in groups if kill_group(group, 0)}
    for group in groups:
        kill_group(group, signal.SIGKILL)
