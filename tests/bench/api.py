"""What accepting costs: calls whose notifications are due tomorrow, so that nothing but the API works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.bench import driver
from tests.bench.companion import Companion
from tests.bench.flow import DRIVER, grouped, refuse_problems
from tests.bench.processes import BENCH, Meter
from tests.bench.results import ApiResult
from tests.bench.stack import Stack

#: Callers side by side: twice the web processes, so that none of them waits for a caller.
_CONNECTIONS = 4


def measure_api(stack: Stack, run: str, total: int, per_call: int, population: int) -> ApiResult:
    """Have `total` recipients accepted in calls of `per_call`."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    job = driver.Job(
        port=stack.port,
        key=stack.key,
        run=run,
        total=total,
        population=population,
        per_call=per_call,
        schedule_at=tomorrow,
        connections=_CONNECTIONS,
    )
    with Companion(DRIVER, job, driver.Report) as caller, Meter(stack.roots()) as meter:
        caller.start()
        report = caller.finish()
    refuse_problems(report)
    groups = grouped(meter.costs, total)
    del groups[BENCH]
    return ApiResult(
        recipients_per_call=per_call,
        calls_per_second=len(report.seconds) / (report.ended - report.started),
        cpu_us_per_recipient=sum(group.cpu_us for group in groups.values()),
        groups=groups,
        strangers=meter.strangers,
    )
