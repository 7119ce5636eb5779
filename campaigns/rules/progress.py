"""What the numbers of a run say: how long it will take, and what should worry somebody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import ceil

import msgspec

from campaigns.policy import JUDGED_FROM
from campaigns.vocabulary import RunStatus


class Warned(msgspec.Struct, frozen=True):
    """Something about a run that should worry somebody, before it stops by itself."""

    code: str
    detail: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Shares at which a run stops by itself."""

    errors: float
    complaints: float


def processed(total: int, left: int, known: int, status: RunStatus) -> int:
    """People who have been told or refused; of a run that was cut short, those who have a word."""
    return known if status in (RunStatus.CANCELLED, RunStatus.FAILED) else max(total - left, 0)


def eta_seconds(
    left: int, rate: float, last_due_at: datetime | None, status: RunStatus, *, now: datetime
) -> int | None:
    """Seconds until the last is told: by the rate of now, and not before their hour; None: nobody can say."""
    if status is not RunStatus.RUNNING:
        return None
    if not left:
        return 0
    waits = (last_due_at - now).total_seconds() if last_due_at is not None else 0.0
    if rate <= 0:
        return ceil(waits) if waits > 0 else None
    return ceil(max(left / rate, waits))


def warnings(*, sent: int, failed: int, complaints: int, limits: Limits) -> Iterator[Warned]:
    """What comes near to stopping a run: half of the failures, a third of the complaints that would."""
    tried = sent + failed
    if tried < JUDGED_FROM:
        return
    if failed / tried >= limits.errors / 2:
        yield Warned("many_failures", _near(failed / tried, "failures", limits.errors))
    if complaints / max(sent, 1) >= limits.complaints / 3:
        yield Warned("many_complaints", _near(complaints / max(sent, 1), "complaints", limits.complaints))


def _near(share: float, of: str, limit: float) -> str:
    return f"{share:.2%} {of}; at {limit:.2%} the campaign stops by itself."
