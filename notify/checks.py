"""Start-up checks of the pipeline: what would lose or repeat work is refused before the first task runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from django.core.checks import CheckMessage, Error, register

import celeryconfig
from notify.policy import DISPATCH_BUDGET, LEASE, LEASE_MARGIN
from notify.rules.schedule import instant_of_local


@register("carillon")
def check_leases(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """A lease that ends while its worker may still be sending would send twice."""
    del app_configs
    limit = timedelta(seconds=float(str(celeryconfig.COMMON["task_time_limit"])))
    found: list[CheckMessage] = []
    if limit >= LEASE - LEASE_MARGIN:
        found.append(
            Error(
                f"task_time_limit ({limit.total_seconds():.0f} s) reaches the lease ({LEASE.total_seconds():.0f} s)",
                hint="lower task_time_limit in celeryconfig.py, or raise LEASE in notify/policy.py",
                id="notify.E001",
            )
        )
    if limit <= DISPATCH_BUDGET:
        found.append(
            Error(
                "the dispatch budget is longer than a task may run",
                hint="lower DISPATCH_BUDGET in notify/policy.py, or raise task_time_limit in celeryconfig.py",
                id="notify.E002",
            )
        )
    return found


@register("carillon")
def check_zone_data(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Times of day are computed with the pinned zone data, never with whatever the machine has."""
    del app_configs
    year = int(version("tzdata").split(".", 1)[0])
    if year < _OLDEST_ZONES:
        return [
            Error(
                f"the tzdata package is of {year}: people would be told at the wrong hour",
                hint="install the requirements again: pip install --require-hashes -r requirements.txt",
                id="notify.E003",
            )
        ]
    told = instant_of_local(*_KNOWN_HOUR)
    if told != _KNOWN_INSTANT:
        return [
            Error(
                f"zones are not read from the pinned tzdata package: 09:00 in Vancouver would be {told:%H:%M} UTC",
                hint="start by manage.py, celery or granian with config.settings, which turn the system's files off",
                id="notify.E004",
            )
        ]
    return []


#: Since 2026 Vancouver stays on summer time; the files of many systems do not know.
_KNOWN_HOUR = (datetime.fromisoformat("2026-12-01T09:00"), "America/Vancouver")
_KNOWN_INSTANT = datetime(2026, 12, 1, 16, tzinfo=UTC)
#: Zone data older than this gives wrong hours for Vancouver, Edmonton, Havana and Casablanca.
_OLDEST_ZONES = 2026
