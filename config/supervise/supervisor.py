"""The loop of `make up`: starts, restarts and stops the children, and passes on what they say."""

from __future__ import annotations

import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Self

from config.supervise.guard import Guard
from config.supervise.output import Lines
from config.supervise.plan import Child
from config.supervise.running import Running

#: Seconds between two looks at what announces itself by no signal and no output.
LOOK_EVERY = 0.25
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """A context: inside it signals are the supervisor's, after it no process is left."""

    def __init__(self, folder: Path, lines: Lines, *, grace: float) -> None:
        self._folder = folder
        self._lines = lines
        self._guard = Guard(grace=grace)
        self._running: list[Running] = []
        self._selector = selectors.DefaultSelector()
        self._alarm, self._ring = socket.socketpair()
        self._requests = 0

    def __enter__(self) -> Self:
        self._guard.start([self._alarm.fileno(), self._ring.fileno(), self._selector_fd()])
        for end in (self._alarm, self._ring):
            end.setblocking(False)
        signal.set_wakeup_fd(self._ring.fileno(), warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._stop_asked) for number in _STOPPING}
        self._handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _only_wake)
        self._selector.register(self._alarm, selectors.EVENT_READ, "")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_all()
        self._guard.dismiss()
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._selector.close()
        self._alarm.close()
        self._ring.close()

    @property
    def pids(self) -> dict[str, int]:
        """The processes by name."""
        return {each.child.name: each.pid for each in self._running}

    def run_once(self, child: Child) -> bool:
        """Run a child that ends by itself; says whether it ended well and nobody asked to stop."""
        running = Running(child, self._guard, self._folder)
        self._running = [running]
        self._start(running)
        while running.pid and not self._requests:
            self._pass_on(LOOK_EVERY)
            running.reap(monotonic())
        self._stop_all()
        self._running = []
        return running.exit_code == 0 and not self._requests

    def run(self, children: Iterable[Child], look: Callable[[], None]) -> None:
        """Keep them running until somebody asks to stop; `look` is called a few times a second."""
        self._running = [Running(child, self._guard, self._folder) for child in children]
        while not self._requests:
            self._start_what_is_due()
            self._pass_on(self._patience())
            self._reap()
            look()

    def _start_what_is_due(self) -> None:
        for running in self._running:
            if not running.pid and monotonic() >= running.due:
                self._start(running)
        if self._guard.is_gone():
            self._guard.start(self._descriptors())

    def _start(self, running: Running) -> None:
        output = running.start(monotonic())
        os.set_blocking(output, False)
        self._selector.register(output, selectors.EVENT_READ, running.child.name)

    def _patience(self) -> float:
        waiting = [each.due - monotonic() for each in self._running if not each.pid]
        return max(0.0, min([LOOK_EVERY, *waiting]))

    def _pass_on(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            if key.data:
                self._read(key.fd, key.data)
            else:
                self._alarm.recv(4096)

    def _read(self, output: int, name: str) -> None:
        if chunk := os.read(output, 65_536):
            self._lines.feed(name, chunk)
            return
        self._lines.end(name)
        self._selector.unregister(output)
        os.close(output)

    def _reap(self) -> None:
        for running in self._running:
            if news := running.reap(monotonic()):
                self._lines.say(f"{running.child.name} {news}")

    def _stop_all(self) -> None:
        """Ask all at once, wait for each as long as it is granted; a second request ends the patience."""
        for running in self._running:
            running.ask_to_stop(monotonic())
        asked = self._requests
        while any(running.pid for running in self._running):
            self._pass_on(LOOK_EVERY)
            for running in self._running:
                if running.force(monotonic(), now_or_never=self._requests > max(asked, 1)):
                    self._lines.say(f"{running.child.name} did not stop in time and was killed")
                running.reap(monotonic())
        self._drain()

    def _drain(self) -> None:
        """What was still in the pipes; a stranger that holds one open is not waited for."""
        while outputs := [key for key, _ in self._selector.select(0) if key.data]:
            for key in outputs:
                self._read(key.fd, key.data)

    def _descriptors(self) -> list[int]:
        outputs = [key.fd for key in self._selector.get_map().values()]
        return [*outputs, self._ring.fileno(), self._selector_fd()]

    def _selector_fd(self) -> int:
        return self._selector.fileno()  # epoll and kqueue both have one

    def _stop_asked(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._requests += 1


def _only_wake(number: int, frame: FrameType | None) -> None:
    """A signal that has a handler reaches the wake-up descriptor; nothing else is wanted of this one."""
    del number, frame
