"""File locks of the kernel: they vanish with the last process that holds them, however it died."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class FileLock:
    """One open description of a lock file; forks share it, programs started by `exec` do not."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def share(self) -> None:
        """Hold it together with others; waits while somebody holds it alone."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def hold(self) -> None:
        """Hold it alone; waits for everybody else."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def try_share(self) -> bool:
        """Hold it together with others, or answer False at once."""
        return self._try(fcntl.LOCK_SH)

    def try_hold(self) -> bool:
        """Hold it alone, or answer False at once."""
        return self._try(fcntl.LOCK_EX)

    def release(self) -> None:
        """Let go, and keep the file open for another time."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go for good."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _try(self, mode: int) -> bool:
        try:
            fcntl.flock(self._fd, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def is_held(path: Path) -> bool:
    """Whether some process holds this lock alone."""
    try:
        with FileLock(path) as lock:
            return not lock.try_share()
    except FileNotFoundError:
        return False
