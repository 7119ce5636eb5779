"""Each notification arrived exactly once, at the right address, with the right words; or the bench fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from config.lab.ledger import content_hash, mark_of
from tests.bench.lab import Arrival, Lab
from tests.bench.workload import FCM, Way, expected_of


class Expected(Protocol):
    """What has been sent, and must be in a ledger."""

    @property
    def run(self) -> str:
        """Its name."""

    @property
    def stand_in(self) -> str:
        """Whose ledger."""

    def expected(self) -> Iterator[tuple[str, str]]:
        """Address and hash of the words of each message."""


class Sent(NamedTuple):
    """A run that has been sent: serials 0 to `total`."""

    run: str
    total: int
    population: int
    way: Way = FCM

    @property
    def stand_in(self) -> str:
        """Whose ledger tells what arrived."""
        return self.way.stand_in

    def expected(self) -> Iterator[tuple[str, str]]:
        """Address and hash of the words, by serial."""
        for serial in range(self.total):
            address, top, text = expected_of(self.run, serial, self.population, self.way)
            yield address, content_hash(top, text)


class Proof(NamedTuple):
    """What the ledgers say of runs."""

    #: Messages that had to arrive.
    total: int
    #: What is wrong, in words.
    faults: list[str]


def lost_and_repeated(
    ledgers: Iterable[Mapping[str, Arrival]], sent: Sent, but: Callable[[int], bool] = lambda _: False
) -> tuple[int, int]:
    """How many of a run are in none of the ledgers, and how many are there more than once; `but` leaves serials out."""
    came: Counter[tuple[str, str]] = Counter()
    for arrival in (arrival for ledger in ledgers for arrival in ledger.values()):
        came[arrival.address, arrival.content_hash] += arrival.times
    times = [came[one] for serial, one in enumerate(sent.expected()) if not but(serial)]
    return times.count(0), sum(count > 1 for count in times)


def proof_of(lab: Lab, runs: Iterable[Expected]) -> Proof:
    """Hold the ledgers of all stand-ins that the runs went to against what had to arrive."""
    by_stand_in: dict[str, list[Expected]] = {}
    for sent in runs:
        by_stand_in.setdefault(sent.stand_in, []).append(sent)
    proofs = [proof_by(((one.mark, one.times) for one in lab.came(name)), mine) for name, mine in by_stand_in.items()]
    return Proof(sum(one.total for one in proofs), [fault for one in proofs for fault in one.faults])


def proof_by(entries: Iterable[tuple[int, int]], runs: Iterable[Expected]) -> Proof:
    """Hold one ledger, as marks with how often each came, against what had to arrive: each once, and nothing else."""
    came: Counter[int] = Counter()
    for mark, times in entries:
        came[mark] += times
    total, faults = 0, []
    for sent in runs:
        counts = Counter(came.pop(mark_of(*one), 0) for one in sent.expected())
        total += (mine := counts.total())
        if counts[0]:
            faults.append(f"run {sent.run}: {counts[0]} of {mine} did not arrive with the right words")
        repeated = sum(number for times, number in counts.items() if times > 1)
        if repeated:
            faults.append(f"run {sent.run}: {repeated} of {mine} arrived more than once")
    if came:
        faults.append(f"{came.total()} messages arrived that nobody expects, or with wrong words")
    return Proof(total, faults)
