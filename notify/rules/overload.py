"""When the system spares itself, and when it goes on: thresholds with a gap between there and back (R342, R343)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from notify.policy import (
    EASED_AFTER,
    OPERATOR_STANDS,
    RECOVERED_ERRORS,
    SPARED_ERRORS,
    SPARED_LEAST_ANSWERS,
)
from notify.vocabulary import SystemMode

_ORDER = (SystemMode.NORMAL, SystemMode.DEGRADED, SystemMode.CRITICAL)


class Strain(msgspec.Struct, frozen=True, kw_only=True):
    """What weighs on the system."""

    #: Notifications and deliveries that wait for a step.
    waiting: int
    #: Answers of providers in the last minutes, and the errors among them.
    answers: int
    errors: int

    @property
    def error_share(self) -> float:
        """From 0 to 1; 0 while too few have answered to tell."""
        return self.errors / self.answers if self.answers >= SPARED_LEAST_ANSWERS else 0.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The mode in force, who chose it, and since when; None: it never was another."""

    mode: SystemMode
    is_automatic: bool
    since: datetime | None


class Proposal(msgspec.Struct, frozen=True):
    """Another mode, and why, in words for whoever wonders later."""

    mode: SystemMode
    reason: str


def judged(standing: Standing, strain: Strain, depth: int, *, now: datetime) -> Proposal | None:
    """The mode that should be in force instead; None: the present one is right, or is an operator's.

    From `depth` on that waits, or too many errors: degraded; from twice as many: critical. A mode is left, a step at a
    time, once less than half of its own depth waits, and no earlier than a minute after it was chosen.
    """
    if _belongs_to_an_operator(standing, now):
        return None
    wanted = _called_for(strain, depth)
    if _ORDER.index(wanted) > _ORDER.index(standing.mode):
        return Proposal(wanted, _because(strain, depth))
    if standing.mode is SystemMode.NORMAL or standing.since is None or now - standing.since < EASED_AFTER:
        return None
    if standing.mode is SystemMode.CRITICAL and strain.waiting < depth:
        return Proposal(SystemMode.DEGRADED, f"{strain.waiting:,} wait, less than {depth:,}")
    if standing.mode is SystemMode.DEGRADED and 2 * strain.waiting < depth and strain.error_share < RECOVERED_ERRORS:
        return Proposal(SystemMode.NORMAL, f"{strain.waiting:,} wait, less than half of {depth:,}")
    return None


def _belongs_to_an_operator(standing: Standing, now: datetime) -> bool:
    if standing.is_automatic or standing.since is None:
        return False
    return standing.mode is not SystemMode.NORMAL or now - standing.since < OPERATOR_STANDS


def _called_for(strain: Strain, depth: int) -> SystemMode:
    if strain.waiting >= 2 * depth:
        return SystemMode.CRITICAL
    if strain.waiting >= depth or strain.error_share > SPARED_ERRORS:
        return SystemMode.DEGRADED
    return SystemMode.NORMAL


def _because(strain: Strain, depth: int) -> str:
    if strain.waiting >= depth:
        return f"{strain.waiting:,} wait, of {depth:,} that may"
    return f"{strain.error_share:.0%} of providers' answers are errors"
