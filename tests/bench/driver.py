"""The callers: a companion that posts to the API and notes when it did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from tests.bench.companion import work_for
from tests.bench.wire import Answer, Connection
from tests.bench.workload import FCM, Way, send_body

#: Connections of the open loop: none of its calls waits for another one's answer.
_PACED_CONNECTIONS = 24


class Job(msgspec.Struct, kw_only=True):
    """What to post."""

    port: int
    key: str
    run: str
    total: int
    population: int
    per_call: int = 1_000
    way: Way = FCM
    schedule_at: str = ""
    #: Closed loop: as many callers, each with its next call as soon as it has its answer.
    connections: int = 2
    #: Open loop: calls a second, at instants fixed beforehand; 0: closed loop.
    rate: float = 0.0


class Report(msgspec.Struct, kw_only=True):
    """What came of it; instants are epoch seconds."""

    started: float
    ended: float
    #: Of each call: when it was due, by serial of its first recipient.
    due: dict[int, float]
    #: Of each call: seconds until its answer.
    seconds: list[float]
    #: What was answered other than 202 with everybody accepted; at most a few.
    problems: list[str]


class _Accepted(msgspec.Struct):
    notifications_queued: int


class Callers:
    """Threads that share the calls of one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._calls = list(_calls(job))
        self.due: dict[int, float] = {}
        self.seconds: list[float] = []
        self.problems: list[str] = []

    def run(self) -> None:
        """Make every call."""
        job = self._job
        count = min(_PACED_CONNECTIONS if job.rate else job.connections, len(self._calls))
        work = self._paced if job.rate else self._closed
        start = time.time() + 0.2
        turns: Iterator[tuple[int, tuple[range, bytes]]] = iter(enumerate(self._calls))
        taking = threading.Lock()
        with ThreadPoolExecutor(count) as threads:
            for done in [threads.submit(work, start, _Turns(turns, taking)) for _ in range(count)]:
                done.result()

    def _paced(self, start: float, turns: _Turns) -> None:
        """Each call at its instant; a late one counts from the instant it was due."""
        pause = threading.Event()
        with Connection(self._job.port, self._job.key) as connection:
            for number, (serials, body) in turns:
                due = start + number / self._job.rate
                pause.wait(max(0.0, due - time.time()))
                self._post(connection, serials, body, due)

    def _closed(self, _: float, turns: _Turns) -> None:
        with Connection(self._job.port, self._job.key) as connection:
            for _, (serials, body) in turns:
                self._post(connection, serials, body, time.time())

    def _post(self, connection: Connection, serials: range, body: bytes, due: float) -> None:
        answer = connection.call("POST", "/v1/notifications", body)
        self.due[serials.start] = due
        self.seconds.append(time.time() - due)
        if not _is_whole(answer, len(serials)) and len(self.problems) < 5:
            self.problems.append(f"{answer.status} {answer.body[:500].decode(errors='replace')}")


class _Turns:
    """The calls, handed to whichever thread is free next."""

    def __init__(self, turns: Iterator[tuple[int, tuple[range, bytes]]], taking: threading.Lock) -> None:
        self._turns, self._taking = turns, taking

    def __iter__(self) -> _Turns:
        return self

    def __next__(self) -> tuple[int, tuple[range, bytes]]:
        with self._taking:
            return next(self._turns)


def _calls(job: Job) -> Iterator[tuple[range, bytes]]:
    for first in range(0, job.total, job.per_call):
        serials = range(first, min(first + job.per_call, job.total))
        yield serials, send_body(job.run, serials, job.population, way=job.way, schedule_at=job.schedule_at)


def _is_whole(answer: Answer, count: int) -> bool:
    return answer.status == 202 and msgspec.json.decode(answer.body, type=_Accepted).notifications_queued == count


def prepare(job: Job) -> Callable[[], Report]:
    """Build every body; the answer makes the calls."""
    callers = Callers(job)

    def work() -> Report:
        started = time.time()
        callers.run()
        return Report(
            started=started,
            ended=time.time(),
            due=callers.due,
            seconds=callers.seconds,
            problems=callers.problems,
        )

    return work


if __name__ == "__main__":
    work_for(Job, prepare)
