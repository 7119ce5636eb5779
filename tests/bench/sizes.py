"""How much each part does: in full, and in a minute."""

from __future__ import annotations

import msgspec


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of notifications, and seconds where they say so."""

    population: int
    bare: int
    small: int
    large: int
    naive: int
    naive_kept: int
    latency_seconds: int
    #: Calls of one recipient, and recipients in calls of 1,000.
    api_single: int
    api_bulk: int


FULL = Sizes(
    population=100_000,
    bare=60_000,
    small=10_000,
    large=100_000,
    naive=3_000,
    naive_kept=2_000,
    latency_seconds=20,
    api_single=4_000,
    api_bulk=40_000,
)
QUICK = Sizes(
    population=5_000,
    bare=10_000,
    small=1_000,
    large=5_000,
    naive=100,
    naive_kept=100,
    latency_seconds=3,
    api_single=300,
    api_bulk=5_000,
)
