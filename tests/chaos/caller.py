"""A caller as the interface asks for: it keeps what is not accepted, and repeats it under the same key."""

from __future__ import annotations

import threading
import time
from typing import Self

import orjson

from tests.bench.stack import Stack
from tests.bench.wire import Connection
from tests.bench.workload import send_body

_CALL = 1_000
#: Seconds after which a call that is never accepted fails the run.
_PATIENCE = 120.0


class Caller:
    """A context: a thread posts a run in calls of 1,000, whatever happens to the server meanwhile."""

    def __init__(self, stack: Stack, run: str, total: int, population: int) -> None:
        self._stack, self._run, self._total, self._population = stack, run, total, population
        self._thread = threading.Thread(target=self._post_all)
        #: Notifications answered with 202 so far.
        self.accepted = 0
        self.repeated_calls = 0
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _post_all(self) -> None:
        for start in range(0, self._total, _CALL):
            serials = range(start, min(start + _CALL, self._total))
            self._post(send_body(self._run, serials, self._population))

    def _post(self, body: bytes) -> None:
        ends, pause = time.monotonic() + _PATIENCE, threading.Event()
        while time.monotonic() < ends:
            try:
                with Connection(self._stack.port, self._stack.key) as connection:
                    answer = connection.call("POST", "/v1/notifications", body)
            except OSError:
                answer = None
            if answer is not None and answer.status == 202:
                self.accepted += int(orjson.loads(answer.body)["notifications_queued"])
                return
            self.repeated_calls += 1
            pause.wait(0.2)
        self.problems.append("a call was never accepted")
