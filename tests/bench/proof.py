"""Each notification arrived exactly once, at the right token, with the right words; or the bench fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from config.lab.ledger import content_hash
from tests.bench.lab import Arrival
from tests.bench.workload import expected_of


class Sent(NamedTuple):
    """A run that has been sent: serials 0 to `total`."""

    run: str
    total: int
    population: int


def expected_hashes(sent: Sent) -> Iterator[tuple[str, str]]:
    """Token and hash of the words, by serial."""
    for serial in range(sent.total):
        token, title, body = expected_of(sent.run, serial, sent.population)
        yield token, content_hash(title, body)


def faults_of(arrivals: Mapping[str, Arrival], runs: Iterable[Sent]) -> list[str]:
    """What is wrong, in words; empty when each came exactly once and nothing else came."""
    came: Counter[tuple[str, str]] = Counter()
    for arrival in arrivals.values():
        came[arrival.token, arrival.content_hash] += arrival.times
    faults = []
    for sent in runs:
        counts = Counter(came.pop(one, 0) for one in expected_hashes(sent))
        if counts[0]:
            faults.append(f"run {sent.run}: {counts[0]} of {sent.total} did not arrive with the right words")
        repeated = sum(number for times, number in counts.items() if times > 1)
        if repeated:
            faults.append(f"run {sent.run}: {repeated} of {sent.total} arrived more than once")
    if came:
        faults.append(f"{sum(came.values())} messages arrived that nobody expects, or with wrong words")
    return faults
