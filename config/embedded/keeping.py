"""The life of one kept server: started for its users, restarted when it dies, stopped after the last user."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from config.embedded.locks import FileLock
from config.embedded.record import ServerState
from config.embedded.server import Server, ServerError, free_port, is_free

#: So many starts in a row may fail before the users are told; trying goes on for as long as they stay.
HOPELESS_AFTER = 3
#: Seconds before the next start: the first is immediate, a server that keeps dying is tried ever more rarely.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
#: Seconds a server must have been ready for its next death to count as the first.
SETTLED = 10.0


class Kept:
    """One server and what is known of its users."""

    def __init__(
        self, server: Server, state: ServerState, users: FileLock, *, grace: float, publish: Callable[[], None]
    ) -> None:
        self.state = state
        self._server = server
        self._users = users
        self._grace = grace
        self._publish = publish
        self._process: subprocess.Popen[bytes] | None = None
        self._prepared = False
        self._was_ready = False
        self._failures = 0
        self._not_before = 0.0
        self._ready_since = 0.0
        self._unused_since: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def is_starting(self) -> bool:
        """Whether there is a process that does not answer yet."""
        return self._process is not None and not self.state.ready

    def look(self, now: float) -> bool:
        """Do what is due; says whether the state has changed."""
        step = self._look_at_process if self._process else self._look_for_users
        return step(now)

    def is_abandoned(self) -> bool:
        """Whether nobody uses it; if so, nobody can begin to until this process ends."""
        return self._process is None and self._users.try_hold()

    def return_to_users(self) -> None:
        """Undo `is_abandoned`."""
        self._users.release()

    def stop(self) -> None:
        """Stop it with its data in order; by force only when it does not obey."""
        if self._process is None:
            return
        self._process.send_signal(self._server.stop_signal)
        try:
            self._process.wait(self._server.stop_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._gone()

    def _look_for_users(self, now: float) -> bool:
        if now < self._not_before:
            return False
        if self._users.try_hold():
            self._users.release()
            return False
        try:
            self._start()
        except (ServerError, OSError) as error:
            self._failures += 1
            self._not_before = now + LONGEST_PAUSE
            self.state.problem = str(error)
            self.state.cure = error.cure if isinstance(error, ServerError) else "See the logs of this home"
        return True

    def _look_at_process(self, now: float) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            self._died(now)
            return True
        if not self.state.ready:
            if not self._server.is_ready(self.state, self._process):
                return False
            self.state.ready, self.state.problem, self.state.cure = True, "", ""
            self._was_ready, self._ready_since = True, now
            return True
        self._stop_when_unused(now)
        return False

    def _start(self) -> None:
        if not self._prepared:
            self._server.clear_leftover(self.state)
            self._server.prepare(self.state)
            self._prepared = True
        if not self._was_ready and not (self.state.port and is_free(self.state.port)):
            self.state.port = free_port()
        self._process = self._server.start(self.state)
        self.state.pid = self._process.pid
        self._unused_since = None

    def _died(self, now: float) -> None:
        code = self._process.returncode if self._process else 0
        settled = self.state.ready and now - self._ready_since > SETTLED
        self._failures = 1 if settled else self._failures + 1
        self._gone()
        pause = FIRST_PAUSE * (1 << min(self._failures - 1, 10))
        self._not_before = now if self._failures == 1 else now + min(pause, LONGEST_PAUSE)
        if self._failures >= HOPELESS_AFTER:
            self.state.problem = f"it ended {self._failures} times, the last time with {code}"
            self.state.cure = "See the logs of this home"

    def _stop_when_unused(self, now: float) -> None:
        if not self._users.try_hold():
            self._unused_since = None
            return
        if self._unused_since is None:
            self._unused_since = now
        if (
            now - self._unused_since >= self._grace
        ):  # while we hold the lock nobody begins to use what is about to go; then everybody can see it
            self.stop()
            self._publish()
        self._users.release()

    def _gone(self) -> None:
        self._process = None
        self.state.ready, self.state.pid = False, 0
