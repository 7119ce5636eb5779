"""One round: notifications on their way, one blow at a seeded moment, and what came of every one of them."""

from __future__ import annotations

import time
from collections import Counter
from random import Random

import msgspec

from config.lab.ledger import content_hash
from notify.policy import PAGE_SIZE
from tests.bench.workload import expected_of
from tests.chaos.arena import Arena
from tests.chaos.caller import Caller
from tests.chaos.faults import Fault

#: Seconds after recovery within which every notification must have reached its end.
PROMISE = 60.0


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

    def __init__(self, arena: Arena, *, total: int, population: int) -> None:
        self._arena = arena
        self._total, self._population = total, population

    def play(self, fault: Fault, run: str, chance: Random) -> Outcome:
        """Post, strike at a random moment, wait for the end, compare with the stand-in's ledger."""
        arena = self._arena
        arena.lab.reset()
        since = time.time()
        with Caller(arena.stack, run, self._total, self._population) as caller:
            self._wait_for_arrivals(chance.uniform(0.05, 0.7) * self._total)
            in_flight = self._in_flight()
            fault.strike(arena.stack, arena.servers)
            struck = time.monotonic()
            recovered = arena.wait(self._serves) - struck
        settled = arena.wait(arena.is_idle) - struck - recovered
        if caller.problems:
            raise SystemExit(f"chaos: {caller.problems[0]}")
        lost, repeats = self._compare(run, caller.accepted)
        return Outcome(
            fault=fault.name,
            accepted=caller.accepted,
            statuses=arena.statuses(since),
            lost=lost,
            repeats=repeats,
            in_flight=in_flight,
            recovered_seconds=recovered,
            settled_seconds=max(0.0, settled),
            repeated_calls=caller.repeated_calls,
        )

    def _wait_for_arrivals(self, wanted: float) -> None:
        self._arena.wait(lambda: self._arena.lab.accepted() >= wanted, every=0.02)

    def _serves(self) -> bool:
        try:
            with self._arena.stack.connection() as connection:
                return connection.call("GET", "/readyz").status == 200
        except OSError:
            return False

    def _in_flight(self) -> int:
        """Ids of pages in a worker's hands, and of the next page each child may have taken meanwhile."""
        held = "SELECT coalesce(sum(cardinality(ids)), 0) FROM notify_page WHERE claimed_until > now()"
        return int(self._arena.one(held)) + 2 * PAGE_SIZE

    def _compare(self, run: str, accepted: int) -> tuple[int, int]:
        came: Counter[tuple[str, str]] = Counter()
        for arrival in self._arena.lab.arrivals().values():
            came[arrival.address, arrival.content_hash] += arrival.times
        expected = (expected_of(run, serial, self._population) for serial in range(self._total))
        times = [came[token, content_hash(title, body)] for token, title, body in expected]
        assert accepted == self._total
        return times.count(0), sum(count - 1 for count in times if count)
