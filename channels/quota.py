"""Daily limits: what an account may still take today (UTC). PostgreSQL counts, so no flush grants a second day."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import structlog
from django.db import Error as DatabaseError

from channels import policy, store
from channels.rules.accounts import Account

_log = structlog.get_logger(__name__)


class Reserved(NamedTuple):
    """Messages of an account's day, reserved before they are sent."""

    granted: int
    #: The day they belong to.
    day: date
    #: Seconds until there may be room again for those that were not granted.
    wait_seconds: float


class _Spent:
    """Until when this process takes an account's day for used up, by `time.monotonic()`."""

    until: dict[str, float] = {}


def reserve(account: Account, wanted: int) -> Reserved:
    """Reserve up to `wanted` of the account's day; all of them where it has no limit.

    One statement per page of an account with a limit, none while the day is known to be used up. Nothing is granted
    when PostgreSQL cannot be asked: a limit that may be passed is none.
    """
    now = datetime.now(UTC)
    if not account.daily_limit or not wanted:
        return Reserved(wanted, now.date(), 0.0)
    wait = min(_seconds_of_today_left(now), policy.BACKOFF_CAP_SECONDS)
    if time.monotonic() < _Spent.until.get(account.name, 0.0):
        return Reserved(0, now.date(), wait)
    try:
        granted = store.reserve_day(account.name, now.date(), wanted, limit=account.daily_limit)
    except DatabaseError as fault:
        _log.warning("provider.day_unknown", provider=account.name, error=type(fault).__name__)
        return Reserved(0, now.date(), policy.DAY_SPENT_SECONDS)
    if granted < wanted:
        _Spent.until[account.name] = time.monotonic() + min(wait, policy.DAY_SPENT_SECONDS)
        _log.warning("provider.day_spent", provider=account.name, limit=account.daily_limit)
    return Reserved(granted, now.date(), wait)


def give_back(account: Account, reserved: Reserved, count: int) -> None:
    """Return what was reserved and not taken by the provider."""
    if not account.daily_limit or not count:
        return
    try:
        store.return_day(account.name, reserved.day, count)
    except DatabaseError as fault:
        _log.warning("provider.day_unknown", provider=account.name, error=type(fault).__name__)


def forget() -> None:
    """Ask PostgreSQL again."""
    _Spent.until.clear()


def _seconds_of_today_left(now: datetime) -> float:
    tomorrow = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    return (tomorrow - now).total_seconds()
