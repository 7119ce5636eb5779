"""The answer as people read it: the same lines for the terminal and for docs/capacity.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from channels.vocabulary import Channel
from config.capacity.figures import Figures
from config.capacity.load import Load
from config.capacity.plan import Plan, cost_for
from config.capacity.way import way_of
from notify.vocabulary import Priority

#: Recipients of an event that the table of the lever shows.
LEVER = (1, 10, 100, 1_000)
#: From here on what stands behind the point says nothing.
_WHOLE = 100
_KILO = 1_000
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")


class Section(msgspec.Struct, frozen=True):
    """A title, and what is told below it: label and value."""

    title: str
    rows: dict[str, str]


def sections(load: Load, plan: Plan) -> list[Section]:
    """Everything a plan says, in the order in which one asks."""
    return [
        Section("Load", dict(_load(load, plan))),
        Section("Rates", dict(_rates(plan))),
        Section("Machines at the peak", dict(_machines(load, plan))),
        Section("Worker processes: mean second / peak", dict(_pools(plan))),
        Section("Queues and connections", dict(_lines(plan))),
        Section("Storage", dict(_storage(load, plan))),
        Section("Memory", dict(_memory(plan))),
        Section("Messages in a provider's hands at the peak", {name: amount(n) for name, n in plan.in_flight.items()}),
    ]


def limits(plan: Plan) -> list[tuple[str, str, str, str]]:
    """What is not simply doubled: name, full at, needed, cure; the first to be met comes first."""
    return [(one.name, f"{amount(one.per_second)}/s", amount(one.needed), one.cure) for one in plan.limits]


def lever(load: Load, figures: Figures) -> list[tuple[str, str, str, str]]:
    """As many notifications, in events of fewer or more recipients: CPU of each, messages of each, stateless cores."""
    found = []
    notifications = load.events_per_day * load.recipients_per_event
    for recipients in LEVER:
        turned = msgspec.structs.replace(
            load, events_per_day=notifications / recipients, recipients_per_event=recipients, cpu_us=None
        )
        _, cost = cost_for(turned, figures)
        cores = notifications / 86_400 * load.peak * cost.total / 1e6 / load.utilisation
        messages = way_of(turned).messages
        found.append((amount(recipients), f"{amount(cost.total)} µs", amount(messages), amount(cores)))
    return found


def amount(value: float) -> str:
    """Three digits that count, and commas between thousands."""
    if value < _WHOLE and value != round(value):
        return f"{value:.3g}"
    return f"{float(f'{value:.3g}'):,.0f}"


def of_bytes(value: float) -> str:
    """Three digits that count, in the largest decimal unit of which there is one."""
    power = 0
    while value >= _KILO and power < len(_UNITS) - 1:
        value, power = value / _KILO, power + 1
    return f"{amount(value)} {_UNITS[power]}"


def _percents(shares: Mapping[Channel, float] | Mapping[Priority, float]) -> str:
    return ", ".join(f"{name} {100 * share:.3g} %" for name, share in shares.items())


def _load(load: Load, plan: Plan) -> Iterator[tuple[str, str]]:
    yield "events a day", amount(load.events_per_day)
    yield "recipients of an event", amount(load.recipients_per_event)
    yield "registered users", amount(load.users)
    yield "channels", _percents(load.mix)
    yield "priorities", _percents(load.priorities)
    yield "figure used", plan.figure
    yield "CPU of a notification", f"{amount(plan.cost.total)} µs"


def _rates(plan: Plan) -> Iterator[tuple[str, str]]:
    rates = plan.rates
    yield "notifications a day", amount(rates.notifications_per_day)
    yield "mean", f"{amount(rates.average_per_second)}/s"
    yield "peak", f"{amount(rates.peak_per_second)}/s"
    yield "calls at the peak", f"{amount(rates.events_peak_per_second)}/s"
    yield "bandwidth in, and again out, mean", f"{of_bytes(rates.bandwidth_bytes_per_second)}/s"
    yield "the same at the peak", f"{of_bytes(rates.bandwidth_peak_bytes_per_second)}/s"


def _machines(load: Load, plan: Plan) -> Iterator[tuple[str, str]]:
    found = plan.machines
    yield "cores of web", amount(found.web_cores)
    yield "cores of workers and housekeeping", amount(found.worker_cores)
    yield "cores of PostgreSQL", amount(found.postgres_cores)
    yield "cores of Redis", amount(found.redis_cores)
    yield "web and workers, where queues take the peak", f"{amount(found.average_cores)} cores"
    yield f"machines of {load.cores:g} cores: web and workers", amount(found.stateless)
    yield "PostgreSQL primaries (shards)", amount(found.primaries)
    yield "Redis nodes", amount(found.redis_nodes)


def _pools(plan: Plan) -> Iterator[tuple[str, str]]:
    for name, processes in plan.pools.items():
        yield name, f"{amount(processes.average)} / {amount(processes.peak)}"


def _lines(plan: Plan) -> Iterator[tuple[str, str]]:
    database = plan.database
    yield "queues", amount(plan.broker.queues)
    yield "messages (pages) at the peak", f"{amount(plan.broker.messages_peak_per_second)}/s"
    yield "messages for one notification", amount(plan.broker.messages_per_notification)
    yield "connections to PostgreSQL, one a process", amount(database.connections)
    yield "a pooler (PgBouncer)", "due" if database.pooler_needed else "not needed"


def _storage(load: Load, plan: Plan) -> Iterator[tuple[str, str]]:
    found = plan.database
    yield "log of one notification", f"{amount(found.bytes_per_notification)} B"
    yield "log, a day", of_bytes(found.bytes_per_day)
    yield f"log, {load.retention_days:g} days", of_bytes(found.bytes_kept)
    yield f"log rows, one a notification, {load.retention_days:g} days", amount(found.log_rows)
    yield "rows in PostgreSQL for them", amount(found.rows_kept)
    yield f"the estimate's {load.record_bytes:g} B a row: a day", of_bytes(found.estimated_bytes_per_day)
    yield f"the same, {load.retention_days:g} days", of_bytes(found.estimated_bytes_kept)
    yield "write-ahead log, a day", of_bytes(found.wal_bytes_per_day)
    yield "write-ahead log at the peak", f"{of_bytes(found.wal_peak_bytes_per_second)}/s"
    yield "people", of_bytes(found.people_bytes)
    yield "two devices each", of_bytes(found.device_bytes)
    yield "the estimate's 64 B a device", of_bytes(found.estimated_device_bytes)


def _memory(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "worker processes at the peak", of_bytes(plan.memory.worker_bytes)
    yield "Redis, if everybody is remembered at once", of_bytes(plan.memory.redis_bytes)
    yield "preference cache, as estimated (1 KB a person)", of_bytes(plan.memory.preference_cache_bytes)
