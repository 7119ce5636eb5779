"""How long to wait before the next attempt."""

from __future__ import annotations

from datetime import timedelta

from notify.policy import RetryPolicy

#: 5^10 s is 113 days, beyond any cap: keeps the power inside what a timedelta can hold.
_MAX_EXPONENT = 10


def ceiling(attempt: int, policy: RetryPolicy) -> timedelta:
    """The longest wait after attempt number `attempt` (1 is the first): base x factor^(attempt-1), at most the cap."""
    exponent = min(max(attempt - 1, 0), _MAX_EXPONENT)
    return min(policy.base * float(policy.factor) ** exponent, policy.cap)


def delay_after(attempt: int, policy: RetryPolicy, *, chance: float) -> timedelta:
    """Full jitter: a share `chance` (0 to 1) of the ceiling, so that a thousand failures do not return as one."""
    return ceiling(attempt, policy) * chance
