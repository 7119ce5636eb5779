"""How an account has been doing: lines of a minute each, what they add up to, and what that does to its weight.

The model is GOV.UK Notify's: errors and slowness take weight away, never because everybody is slow, and quiet minutes
give it back. Here it follows from the last minutes alone, so nothing has to be moved and put back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import ceil

import msgspec

from channels import policy

#: Upper edges in milliseconds of all columns of the histogram but the last.
EDGES = (10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0)
_PERCENTILE = 0.95


class Minute(msgspec.Struct, array_like=True):
    """What an account's answers of one minute add up to; the order of the fields is that of the shared state."""

    #: Answers of a provider at work, whatever they say about the message.
    sound: int = 0
    #: Transient and ambiguous ones.
    faults: int = 0
    throttled: int = 0
    #: Refused for our credentials or settings.
    refused: int = 0
    #: Sum over the sound ones.
    latency_ms: float = 0.0
    #: Sound ones by latency, a column for each of EDGES and one for what is above.
    columns: list[int] = msgspec.field(default_factory=lambda: [0] * (len(EDGES) + 1))

    def add_sound(self, latencies_ms: Sequence[float]) -> None:
        """Count sound answers."""
        self.sound += len(latencies_ms)
        self.latency_ms += sum(latencies_ms)
        columns = self.columns
        for latency in latencies_ms:
            columns[bisect_left(EDGES, latency)] += 1

    def add(self, other: Minute) -> None:
        """Count another line in."""
        self.sound += other.sound
        self.faults += other.faults
        self.throttled += other.throttled
        self.refused += other.refused
        self.latency_ms += other.latency_ms
        self.columns = [mine + more for mine, more in zip(self.columns, other.columns, strict=True)]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What the last minutes add up to."""

    sound: int = 0
    faults: int = 0
    throttled: int = 0
    refused: int = 0
    #: Sound ones among sound and faults, from 0 to 1; None: nothing was decided.
    success_rate: float | None = None
    mean_ms: float | None = None
    #: Upper edge of the histogram's column in which the 95th percentile lies.
    p95_ms: float | None = None


def score_of(lines: Mapping[int, Minute], *, now_minute: int) -> Score:
    """The sum of the last minutes, by number."""
    total = Minute()
    for number, line in lines.items():
        if now_minute - policy.SCORECARD_MINUTES < number <= now_minute:
            total.add(line)
    decided = total.sound + total.faults
    return Score(
        sound=total.sound,
        faults=total.faults,
        throttled=total.throttled,
        refused=total.refused,
        success_rate=total.sound / decided if decided else None,
        mean_ms=total.latency_ms / total.sound if total.sound else None,
        p95_ms=_percentile(total.columns) if total.sound else None,
    )


def _percentile(columns: Sequence[int]) -> float:
    wanted, seen = ceil(sum(columns) * _PERCENTILE), 0
    for edge, count in zip(EDGES, columns, strict=False):
        seen += count
        if seen >= wanted:
            return edge
    return 2 * EDGES[-1]


class Vitals(msgspec.Struct, frozen=True):
    """One account's recent errors and latency, the older the fainter."""

    #: Share of faults, from 0 to 1.
    error_share: float
    #: None: nothing sound was answered.
    mean_ms: float | None


def vitals_of(lines: Mapping[int, Minute], *, now_minute: int) -> Vitals:
    """The last minutes, each counting half as much as one that is a half-life younger."""
    sound = faults = latency_ms = 0.0
    for number, line in lines.items():
        age = now_minute - number
        if 0 <= age < policy.SCORECARD_MINUTES:
            share = 0.5 ** (age / policy.HEALTH_HALF_LIFE_MINUTES)
            sound += share * line.sound
            faults += share * line.faults
            latency_ms += share * line.latency_ms
    return Vitals(faults / (sound + faults + policy.HEALTH_CREDIT), latency_ms / sound if sound else None)


def health_of(vitals: Mapping[str, Vitals]) -> dict[str, float]:
    """The share of its weight each of several equals keeps: from `policy.LEAST_HEALTH` to 1.

    Half of the requests in error leave a quarter of the weight. Who is slow keeps as much as the fastest of them is
    faster; where all are slow, all keep theirs.
    """
    fastest = min((one.mean_ms for one in vitals.values() if one.mean_ms is not None), default=0.0)
    return {name: _health(one, fastest) for name, one in vitals.items()}


def _health(one: Vitals, fastest: float) -> float:
    health = (1.0 - one.error_share) ** 2
    bearable = max(policy.SLOW_MS, policy.SLOW_TIMES * fastest)
    if one.mean_ms is not None and one.mean_ms > bearable:
        health *= bearable / one.mean_ms
    return max(policy.LEAST_HEALTH, health)
