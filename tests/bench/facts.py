"""(h): facts and decision, for each recipient of a page of 500: from PostgreSQL, read and remembered, and remembered.

The functions are those that planning calls, on the product's own servers, with nothing else in the page: what they
cost PostgreSQL and Redis is told beside the process's own time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from channels.vocabulary import Channel
from notify.rules.decision import Moment, Told, decide
from notify.vocabulary import Priority
from preferences.rules.quiet import QuietClock
from preferences.vocabulary import Category, RecipientFacts
from tests.bench.companion import Companion, work_for
from tests.bench.processes import Meter
from tests.bench.results import FactsResult
from tests.bench.stack import Stack
from tests.bench.workload import BULK_TYPE, person

_PAGE = 500
_NAME = UUID(int=0)
#: In their order: what the second leaves in Redis the third finds there.
STATES = ("from PostgreSQL", "cold, remembered from now on", "warm")
POSTGRES, COLD, WARM = STATES


class Job(msgspec.Struct, kw_only=True):
    """How many pages, of how many people, and what is remembered of them."""

    pages: int
    population: int
    state: str


class Report(msgspec.Struct, kw_only=True):
    """Seconds on the clock and of CPU, of all pages together; of the latter what deciding took."""

    recipients: int
    seconds: float
    cpu_seconds: float
    decision_cpu_seconds: float


def measure_facts(stack: Stack, pages: int, population: int) -> list[FactsResult]:
    """Each state in turn. Cold, everybody is met once, so there are no more pages than people."""
    return [_measure(stack, Job(pages=pages, population=population, state=state)) for state in STATES]


def _measure(stack: Stack, job: Job) -> FactsResult:
    with (
        Companion("tests.bench.facts", job, Report, stack.environment) as asker,
        Meter(stack.roots() | {"asker": asker.pid}) as meter,
    ):
        asker.start()
        report = asker.finish()
    each = 1e6 / report.recipients
    return FactsResult(
        state=job.state,
        recipients=report.recipients,
        us=report.seconds * each,
        cpu_us=report.cpu_seconds * each,
        decision_cpu_us=report.decision_cpu_seconds * each,
        postgres_cpu_us=meter.costs["postgres"].cpu_seconds * each,
        redis_cpu_us=meter.costs["valkey"].cpu_seconds * each,
        strangers=meter.strangers,
    )


def prepare(job: Job) -> Callable[[], Report]:
    """Look up everybody's number; the answer asks and decides page after page."""
    sys.__stdout__ = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the log goes there as long as this process lives
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from preferences import store

    ids = [ref.id for ref in store.resolve([person(n).user_id for n in range(job.population)]).values()]
    pages = [sorted(ids)[at : at + _PAGE] for at in range(0, len(ids) - _PAGE + 1, _PAGE)]
    wanted = [pages[number % len(pages)] for number in range(job.pages)]
    ask = store.facts_for if job.state == POSTGRES else store.recent_facts
    ask(pages[0][:1], (Channel.PUSH,))  # opens connections
    return lambda: _work(ask, wanted[: len(pages)] if job.state == COLD else wanted)


def _work(ask: Callable[..., dict[int, RecipientFacts]], pages: Sequence[Sequence[int]]) -> Report:
    decided = 0.0
    began, used = time.perf_counter(), time.process_time()
    for page in pages:
        facts = ask(page, (Channel.PUSH,))
        since = time.process_time()
        moment = Moment(QuietClock(datetime.now(UTC)))
        for one in page:
            decide(_told(one), facts[one], moment)
        decided += time.process_time() - since
    return Report(
        recipients=len(pages) * _PAGE,
        seconds=time.perf_counter() - began,
        cpu_seconds=time.process_time() - used,
        decision_cpu_seconds=decided,
    )


def _told(recipient_id: int) -> Told:
    return Told(
        id=_NAME,
        recipient_id=recipient_id,
        type_key=BULK_TYPE,
        category=Category.TRANSACTION,
        mandatory=False,
        priority=Priority.HIGH,
        expires_at=None,
        channels=(Channel.PUSH,),
    )


if __name__ == "__main__":
    work_for(Job, prepare)
