"""(d): how long one urgent notification takes, alone and while a mass of others goes out.

The calls are due at instants fixed beforehand (an open loop), and time counts from those: a server that stalls delays
every call behind it, and all of that is seen.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from config.lab.ledger import mark_of
from tests.bench import driver
from tests.bench.companion import Companion
from tests.bench.database import Database
from tests.bench.flow import APART, DRIVER, refuse_problems
from tests.bench.lab import Came, Lab
from tests.bench.processes import Meter
from tests.bench.proof import Sent
from tests.bench.results import LatencyResult
from tests.bench.stack import Stack
from tests.bench.workload import BULK_TYPE, PRIORITIES, URGENT

RATE = 50.0
#: Seconds by which the mass is ahead of the first urgent call.
HEAD_START = 1.0
_MISSING = float("inf")


def measure_latency(stack: Stack, lab: Lab, database: Database, sent: Sent, mass: Sent | None) -> LatencyResult:
    """Send a run one by one at a steady rate; with a mass, while that goes out."""
    with (
        Companion(DRIVER, paced_job(stack, sent, RATE), driver.Report) as caller,
        Companion(DRIVER, _mass_job(stack, mass), driver.Report) if mass else nullcontext() as crowd,
    ):
        database.wait_until_idle()
        with Meter(stack.roots() | {"stand-in": lab.pid}) as meter:
            began = time.time()
            if crowd:
                crowd.start()
                time.sleep(HEAD_START)  # noqa: TID251 - nothing can be asked whether a crowd is under way
            caller.start()
            report = caller.finish()
            refuse_problems(report)
            if crowd:
                refuse_problems(crowd.finish())
            database.wait_until_idle()
    mass_ended = database.last_sent(began, PRIORITIES[BULK_TYPE]) if mass else 0.0
    return latency_of(sent, report, lab.came(), mass_ended, meter)


def latency_of(
    sent: Sent, report: driver.Report, came: Iterable[Came], mass_ended: float, meter: Meter
) -> LatencyResult:
    """From the instants at which calls were due to those at which their messages came."""
    due = {mark_of(*one): report.due[serial] for serial, one in enumerate(sent.expected())}
    at = {one.mark: one.at for one in came if one.mark in due}
    took = sorted((at.get(mark, _MISSING) - instant) * 1000 for mark, instant in due.items())
    answered = sorted(seconds * 1000 for seconds in report.seconds)
    covered = sum(due < mass_ended for due in report.due.values()) / len(report.due)
    return LatencyResult(
        samples=len(took),
        p50_ms=quantile(took, 0.5),
        p99_ms=quantile(took, 0.99),
        max_ms=took[-1],
        answer_p50_ms=quantile(answered, 0.5),
        answer_p99_ms=quantile(answered, 0.99),
        under_load=covered,
        cpu_us=sum(cost.cpu_seconds for name, cost in meter.costs.items() if name not in APART) / sent.total * 1e6,
        strangers=meter.strangers,
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed."""
    return ordered[max(0, -(-int(share * 10_000) * len(ordered) // 10_000) - 1)]


def paced_job(stack: Stack, sent: Sent, rate: float) -> driver.Job:
    """Urgent ones, so many a second, one a call."""
    return driver.Job(
        port=stack.port,
        key=stack.key,
        run=sent.run,
        total=sent.total,
        population=sent.population,
        per_call=1,
        way=URGENT,
        rate=rate,
    )


def _mass_job(stack: Stack, mass: Sent) -> driver.Job:
    return driver.Job(port=stack.port, key=stack.key, run=mass.run, total=mass.total, population=mass.population)
