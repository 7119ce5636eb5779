"""What the bench and the naive app's callers say to each other."""

from __future__ import annotations

import msgspec

#: Tasks before the clock runs: they show that the worker is there, and load what it loads once.
WARM_UP = 20


class Job(msgspec.Struct, kw_only=True):
    """How many to tell."""

    run: str
    total: int


class Report(msgspec.Struct, kw_only=True):
    """Epoch seconds: the first task asked for, the last one, and all of them on record as sent."""

    started: float
    asked: float
    ended: float
