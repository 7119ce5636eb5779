"""Where rounds and scenes are played: one running platform, its stand-ins, and independent questions to both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import psycopg

from tests.bench import driver
from tests.bench.companion import Companion
from tests.bench.flow import DRIVER, refuse_problems
from tests.bench.lab import Lab
from tests.bench.proof import Sent
from tests.bench.stack import Servers, Stack

#: Seconds after which a round or a scene is given up.
PATIENCE = 240.0


class Arena:
    """A platform at work, and what may be asked about it."""

    def __init__(self, stack: Stack, servers: Servers, lab: Lab) -> None:
        self.stack, self.servers, self.lab = stack, servers, lab

    @contextmanager
    def telling(self, sent: Sent, *, per_call: int = 1_000, rate: float = 0.0) -> Iterator[None]:
        """A run posted in a process of its own: `rate` calls a second, or as fast as they are answered.

        It must be accepted whole before the context ends.
        """
        job = driver.Job(
            port=self.stack.port,
            key=self.stack.key,
            run=sent.run,
            total=sent.total,
            population=sent.population,
            per_call=per_call,
            way=sent.way,
            rate=rate,
        )
        with Companion(DRIVER, job, driver.Report) as caller:
            caller.start()
            yield
            refuse_problems(caller.finish())

    def wait(self, condition: Callable[[], bool], every: float = 0.2, patience: float = PATIENCE) -> float:
        """Wait for something to become true; the instant of `time.monotonic()` at which it was seen."""
        ends, pause = time.monotonic() + patience, Event()
        while not condition():
            if time.monotonic() > ends:
                raise SystemExit(f"chaos: no end after {patience:.0f} s")
            pause.wait(every)
        return time.monotonic()

    def let_pass(self, seconds: float) -> None:
        """The time an outage lasts, and nothing else."""
        Event().wait(seconds)

    def is_idle(self) -> bool:
        """Whether nothing is on a page or waits for another try, both at one instant."""
        try:
            return not self.one("""SELECT EXISTS (SELECT 1 FROM notify_page)
                                   OR EXISTS (SELECT 1 FROM notify_delivery WHERE next_attempt_at IS NOT NULL)""")
        except psycopg.OperationalError:
            return False

    def end_waits(self) -> None:
        """Let all that is held or deferred be due now: for those who have no half minute."""
        self.rows("UPDATE notify_delivery SET next_attempt_at = now() WHERE next_attempt_at > now() RETURNING 1")

    def end_leases(self) -> bool:
        """Let what the dead had in hand be free now, for those who have no time to wait for it; False: not yet."""
        try:
            self.rows("UPDATE notify_delivery SET lease_until = now() WHERE status = 'sending' RETURNING 1")
            self.rows(
                "UPDATE notify_page SET due_at = now(), claimed_until = now() WHERE claimed_until > now() RETURNING 1"
            )
            self.rows("UPDATE campaigns_slice SET claimed_until = now() WHERE claimed_until > now() RETURNING 1")
        except psycopg.OperationalError:
            return False
        return True

    def statuses(self, since: float) -> dict[str, int]:
        """Deliveries by status, of what was accepted since an instant (epoch seconds)."""
        asked = f"SELECT status, count(*) FROM notify_delivery WHERE {_since(since)} GROUP BY status"
        return dict(self.rows(asked))

    def attempts(self, since: float) -> dict[int, int]:
        """The same by the attempts they took."""
        asked = f"SELECT attempts, count(*) FROM notify_delivery WHERE {_since(since)} GROUP BY attempts"
        return dict(self.rows(asked))

    def one(self, asked: str) -> Any:
        """The one value that answers a question."""
        return self.rows(asked)[0][0]

    def rows(self, asked: str) -> list[tuple[Any, ...]]:
        """The answer of the product's database, over a connection of its own: the server may just have died."""
        with psycopg.connect(self.servers.database_url(), autocommit=True, connect_timeout=3) as connection:
            return connection.execute(asked.encode()).fetchall()


def _since(since: float) -> str:
    return f"id >= notify_first_id(to_timestamp({since}))"
