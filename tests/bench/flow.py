"""(b) and (e): notifications through the whole product, from the first call to the last acceptance on record."""

from __future__ import annotations

from collections.abc import Mapping

from tests.bench import driver
from tests.bench.companion import Companion
from tests.bench.database import Database
from tests.bench.lab import Lab
from tests.bench.processes import BENCH, Cost, Meter
from tests.bench.proof import Sent
from tests.bench.results import FlowResult, GroupCost
from tests.bench.stack import GROUPS, Stack

DRIVER = "tests.bench.driver"
#: What is told, and in no sum.
APART = ("stand-in", BENCH)
_MEGABYTE = 1e6


def measure_flow(stack: Stack, lab: Lab, database: Database, sent: Sent, per_call: int = 1_000) -> FlowResult:
    """Post a run in calls of so many and wait until all of it is on record as accepted by the provider."""
    job = driver.Job(
        port=stack.port,
        key=stack.key,
        run=sent.run,
        total=sent.total,
        population=sent.population,
        per_call=per_call,
        way=sent.way,
    )
    with Companion(DRIVER, job, driver.Report) as caller:
        database.wait_until_idle()
        with Meter(stack.roots() | {"stand-in": lab.pid}) as meter:
            caller.start()
            report = caller.finish()
            refuse_problems(report)
            ended = database.wait_until_idle()
    outcomes = database.outcomes(report.started)
    if outcomes != {"sent": sent.total}:
        raise SystemExit(f"bench: run {sent.run} ended as {outcomes} instead of {sent.total} sent")
    groups = grouped(meter.costs, sent.total)
    apart = {name: groups.pop(name) for name in APART}
    return FlowResult(
        notifications=sent.total,
        seconds=ended - report.started,
        per_second=sent.total / (ended - report.started),
        accept_seconds=report.ended - report.started,
        cpu_us=sum(group.cpu_us for group in groups.values()),
        groups=groups,
        apart=apart,
        strangers=meter.strangers,
    )


def refuse_problems(report: driver.Report) -> None:
    """A call that was not accepted whole ends the bench."""
    if report.problems:
        raise SystemExit("bench: the API answered\n" + "\n".join(report.problems))


def grouped(costs: Mapping[str, Cost], count: int) -> dict[str, GroupCost]:
    """Costs per notification by the lines of the table."""
    groups: dict[str, GroupCost] = {}
    for name, cost in costs.items():
        group = groups.setdefault(GROUPS.get(name, name), GroupCost(cpu_us=0.0, peak_mb=0.0))
        group.cpu_us += cost.cpu_seconds / count * 1e6
        group.peak_mb += cost.peak.own / _MEGABYTE
        group.cache_mb += cost.peak.cache / _MEGABYTE
    return groups
