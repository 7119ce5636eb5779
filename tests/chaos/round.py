"""One round: notifications on their way, one blow at a seeded moment, and what came of every one of them."""

from __future__ import annotations

import time
from collections import Counter
from random import Random
from threading import Event

import msgspec
import psycopg

from config.lab.ledger import content_hash
from notify.policy import PAGE_SIZE
from tests.bench.lab import Lab
from tests.bench.stack import Servers, Stack
from tests.bench.workload import expected_of
from tests.chaos.caller import Caller
from tests.chaos.faults import Fault

#: Seconds after recovery within which every notification must have reached its end.
PROMISE = 60.0
#: Seconds after which a round is given up.
_PATIENCE = 240.0


class Outcome(msgspec.Struct):
    """What a round showed."""

    fault: str
    accepted: int
    #: Deliveries by status, once nothing moved any more.
    statuses: dict[str, int]
    #: Accepted ones of which the stand-in never heard.
    lost: int
    #: Arrivals beyond the first of each.
    repeats: int
    #: Ids on pages that a worker held when the blow fell: the bound on repeats.
    in_flight: int
    #: From the blow until the platform served again, and from then until all was final.
    recovered_seconds: float
    settled_seconds: float
    repeated_calls: int

    def problems(self) -> list[str]:
        """What breaks the promise; empty when it held."""
        said = []
        if self.lost:
            said.append(f"{self.lost} were lost")
        if set(self.statuses) != {"sent"} or self.statuses.get("sent") != self.accepted:
            said.append(f"ended as {self.statuses}")
        if self.repeats > self.in_flight:
            said.append(f"{self.repeats} repeats, {self.in_flight} in flight")
        if self.settled_seconds > PROMISE:
            said.append(f"took {self.settled_seconds:.0f} s after recovery")
        return said


class Round:
    """One fault against one running stack."""

    def __init__(self, stack: Stack, servers: Servers, lab: Lab, *, total: int, population: int) -> None:
        self._stack, self._servers, self._lab = stack, servers, lab
        self._total, self._population = total, population

    def play(self, fault: Fault, run: str, chance: Random) -> Outcome:
        """Post, strike at a random moment, wait for the end, compare with the stand-in's ledger."""
        self._lab.reset()
        since = time.time()
        with Caller(self._stack, run, self._total, self._population) as caller:
            self._wait_for_arrivals(chance.uniform(0.05, 0.7) * self._total)
            in_flight = self._in_flight()
            fault.strike(self._stack, self._servers)
            struck = time.monotonic()
            recovered = self._wait(self._serves) - struck
        settled = self._wait(self._is_idle) - struck - recovered
        if caller.problems:
            raise SystemExit(f"chaos: {caller.problems[0]}")
        lost, repeats = self._compare(run, caller.accepted)
        return Outcome(
            fault=fault.name,
            accepted=caller.accepted,
            statuses=self._statuses(since),
            lost=lost,
            repeats=repeats,
            in_flight=in_flight,
            recovered_seconds=recovered,
            settled_seconds=max(0.0, settled),
            repeated_calls=caller.repeated_calls,
        )

    def _wait_for_arrivals(self, wanted: float) -> None:
        self._wait(lambda: self._lab.accepted() >= wanted, every=0.02)

    def _wait(self, condition: object, every: float = 0.2) -> float:
        assert callable(condition)
        ends, pause = time.monotonic() + _PATIENCE, Event()
        while not condition():
            if time.monotonic() > ends:
                raise SystemExit(f"chaos: no end after {_PATIENCE:.0f} s")
            pause.wait(every)
        return time.monotonic()

    def _serves(self) -> bool:
        try:
            with self._stack.connection() as connection:
                return connection.call("GET", "/readyz").status == 200
        except OSError:
            return False

    def _in_flight(self) -> int:
        """Ids of pages in a worker's hands, and of the next page each child may have taken meanwhile."""
        held = self._ask("SELECT coalesce(sum(cardinality(ids)), 0) FROM notify_page WHERE claimed_until > now()")
        return int(held[0][0]) + 2 * PAGE_SIZE

    def _is_idle(self) -> bool:
        try:
            return int(self._ask("SELECT count(*) FROM notify_page")[0][0]) == 0 and not self._waiting()
        except psycopg.OperationalError:
            return False

    def _waiting(self) -> bool:
        asked = "SELECT EXISTS (SELECT 1 FROM notify_delivery WHERE next_attempt_at IS NOT NULL)"
        return bool(self._ask(asked)[0][0])

    def _statuses(self, since: float) -> dict[str, int]:
        asked = f"""SELECT status, count(*) FROM notify_delivery
                    WHERE id >= notify_first_id(to_timestamp({since})) GROUP BY status"""
        return {str(status): int(count) for status, count in self._ask(asked)}

    def _compare(self, run: str, accepted: int) -> tuple[int, int]:
        came: Counter[tuple[str, str]] = Counter()
        for arrival in self._lab.arrivals().values():
            came[arrival.token, arrival.content_hash] += arrival.times
        expected = (expected_of(run, serial, self._population) for serial in range(self._total))
        times = [came[token, content_hash(title, body)] for token, title, body in expected]
        assert accepted == self._total
        return times.count(0), sum(count - 1 for count in times if count)

    def _ask(self, asked: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self._servers.database_url(), autocommit=True, connect_timeout=3) as connection:
            return connection.execute(asked).fetchall()
