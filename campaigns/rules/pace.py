"""How fast a run may go: the lowest of what anybody asks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

#: A share of a second's work is taken at a time, so that a slow pace is even.
_EVENNESS = 0.5
#: A window that is nearly over is not emptied in one burst.
_LAST_SECONDS = 60.0


def window_rate(people_left: int, now: datetime, ends_at: datetime) -> float:
    """People a second at which those who are left are told evenly until the window's end."""
    return people_left / max((ends_at - now).total_seconds(), _LAST_SECONDS)


def lowest(rates: Iterable[float | None]) -> float | None:
    """The lowest of these; None: nobody limits it."""
    asked = [rate for rate in rates if rate]
    return min(asked) if asked else None


def portion(size: int, rate: float | None) -> int:
    """How many of so many people are told at once at this rate: half a second's worth, at least one."""
    return size if rate is None else min(size, max(1, math.ceil(rate * _EVENNESS)))
