"""One child process: started, restarted ever more slowly while it keeps crashing, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from config.supervise.guard import Guard, kill_group
from config.supervise.plan import Child

#: Seconds a process must have lived for its next start to be immediate.
SETTLED = 10.0
#: Seconds before the second quick restart, doubled at each further one, and the most it comes to.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


class Running:
    """A child and what became of it."""

    def __init__(self, child: Child, guard: Guard, folder: Path) -> None:
        self.child = child
        self.due = 0.0
        self.exit_code = 0
        self._guard = guard
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._crashes = 0
        self._deadline = 0.0
        self._is_forced = False

    @property
    def pid(self) -> int:
        """The process, or 0."""
        return self._process.pid if self._process else 0

    def start(self, now: float) -> int:
        """Start it in a group of its own, out of reach of Ctrl-C; answers where its output is read."""
        reader, writer = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603  the table is ours
            self.child.command,
            cwd=self._folder,
            env={**os.environ, **self.child.environment},
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            process_group=0,
        )
        os.close(writer)
        self._guard.watch(self._process.pid)
        self._started = now
        return reader

    def reap(self, now: float) -> str:
        """If it has ended: clear away what it left, decide when it is due again, and say so."""
        if self._process is None or self._process.poll() is None:
            return ""
        code, group, lived = self._process.returncode, self._process.pid, now - self._started
        self.exit_code = code
        kill_group(group, signal.SIGKILL)  # a pool child without its parent can deliver no result
        self._guard.forget(group)
        self._process = None
        self._crashes = 0 if lived >= SETTLED else self._crashes + 1
        pause = min(FIRST_PAUSE * (1 << min(self._crashes, 10)) / 2, LONGEST_PAUSE) if self._crashes else 0.0
        self.due = now + pause
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        return f"{how} after {lived:.0f} s; starts again {f'in {pause:g} s' if pause else 'now'}"

    def ask_to_stop(self, now: float) -> None:
        """Ask, and note when patience ends."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._deadline = now + self.child.grace

    def force(self, now: float, *, now_or_never: bool) -> bool:
        """Kill it where patience has ended; says so once."""
        if self._process is None or self._is_forced or not (now_or_never or now >= self._deadline):
            return False
        self._is_forced = True
        return kill_group(self._process.pid, signal.SIGKILL)
