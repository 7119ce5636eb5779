"""What a load needs: pure arithmetic, a straight line from what two cores did.

Nothing here was measured at the rates it speaks of. `limits` names what leaves the line first, and from where on.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, inf

import msgspec

from celeryconfig import POOLS, queue_names
from config.capacity import assumptions as a
from config.capacity.figures import Cost, Figures
from config.capacity.load import Load
from config.capacity.way import Way, way_of
from notify.policy import PAGE_SIZE

_DAY = 86_400
_MICRO = 1e6


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """How much comes and goes."""

    notifications_per_day: float
    average_per_second: float
    peak_per_second: float
    events_peak_per_second: float
    #: Of payload, on its way in and again on its way out.
    bandwidth_bytes_per_second: float
    bandwidth_peak_bytes_per_second: float


class Machines(msgspec.Struct, frozen=True, kw_only=True):
    """Cores at the peak, filled as far as they may be; machines of the size that was named."""

    web_cores: float
    worker_cores: float
    postgres_cores: float
    redis_cores: float
    #: Workers and web with an average second's load: what is enough while queues take the peak.
    average_cores: float
    #: Web, workers, housekeeping; then PostgreSQL's primaries, and Redis's nodes.
    stateless: int
    primaries: int
    redis_nodes: int


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """Of one pool: enough for the mean second, while its queue takes the peak, and enough for the peak itself."""

    average: int
    peak: int


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Messages are pages of up to 500, not notifications."""

    queues: int
    messages_peak_per_second: float
    messages_per_notification: float


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """Connections, and bytes."""

    worker_connections: int
    web_connections: int
    connections: int
    pooler_needed: bool
    wal_bytes_per_day: float
    wal_peak_bytes_per_second: float
    bytes_per_notification: float
    bytes_per_day: float
    #: Kept for the retention, the answers to repeated calls among it.
    bytes_kept: float
    #: As an estimate counts them, one for each notification; and as they are in PostgreSQL.
    log_rows: float
    rows_kept: float
    #: As an estimate has it: rows of the size that was named.
    estimated_bytes_per_day: float
    estimated_bytes_kept: float
    people_bytes: float
    device_bytes: float
    #: As the requirements estimate it: two devices of 64 bytes.
    estimated_device_bytes: float


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is held in memory, in bytes."""

    #: As the requirements estimate it: everybody's preferences at once.
    preference_cache_bytes: float
    #: Everybody remembered at once, and one counter of a cap for each: the most Redis is asked to hold.
    redis_bytes: float
    worker_bytes: float


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not simply doubled: full at so many notifications a second, or so many kept."""

    name: str
    per_second: float
    #: How many are needed at this load's peak.
    needed: int
    cure: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    #: Which of the bench's figures it was computed from.
    figure: str
    cost: Cost
    rates: Rates
    machines: Machines
    pools: dict[str, Processes]
    broker: Broker
    database: Database
    memory: Memory
    #: Messages a provider has in hand at the peak, by channel: rate times latency.
    in_flight: dict[str, float]
    #: The first to be met comes first.
    limits: list[Limit]


def plan_for(load: Load, figures: Figures) -> Plan:
    """Everything a checked load needs."""
    figure, cost = cost_for(load, figures)
    rates = _rates(load)
    way = way_of(load)
    pools = _pools(load, rates, cost, way)
    limits = _limits(load, figures, cost, rates, way)
    return Plan(
        figure=figure,
        cost=cost,
        rates=rates,
        machines=_machines(load, cost, rates, limits),
        pools=pools,
        broker=_broker(rates, way),
        database=_database(load, figures, rates, cost, pools),
        memory=_memory(load, pools),
        in_flight={
            channel.value: rates.peak_per_second * share * load.latency_ms.get(channel, 0.0) / 1e3
            for channel, share in load.mix.items()
        },
        limits=limits,
    )


def cost_for(load: Load, figures: Figures) -> tuple[str, Cost]:
    """Which figure is used, in words, and what one notification costs by it.

    An event that fills pages is a campaign, if the bench has measured one; any other is a call, and lies on the line.
    """
    recipients = load.recipients_per_event
    if recipients >= PAGE_SIZE and figures.campaign is not None:
        figure, cost = "the campaign's", figures.campaign
    else:
        figure = f"calls of {recipients:,g} recipients, on the line through 10 and 1,000"
        cost = figures.cost.at(recipients)
    if load.cpu_us is not None:
        return f"{load.cpu_us:g} µs as named, in the proportions of {figure}", cost.times(load.cpu_us / cost.total)
    return figure, cost


def _rates(load: Load) -> Rates:
    daily = load.events_per_day * load.recipients_per_event
    average = daily / _DAY
    return Rates(
        notifications_per_day=daily,
        average_per_second=average,
        peak_per_second=average * load.peak,
        events_peak_per_second=average * load.peak / load.recipients_per_event,
        bandwidth_bytes_per_second=average * load.payload_bytes,
        bandwidth_peak_bytes_per_second=average * load.peak * load.payload_bytes,
    )


def _machines(load: Load, cost: Cost, rates: Rates, limits: list[Limit]) -> Machines:
    filled = rates.peak_per_second / _MICRO / load.utilisation
    stateless = (cost.web + cost.workers + cost.housekeeping) * filled
    needed = {limit.name: limit.needed for limit in limits}
    return Machines(
        web_cores=cost.web * filled,
        worker_cores=(cost.workers + cost.housekeeping) * filled,
        postgres_cores=cost.postgres * filled,
        redis_cores=cost.redis * filled,
        average_cores=stateless / load.peak,
        stateless=ceil(stateless / load.cores),
        primaries=max(needed[name] for name in _OF_PRIMARIES),
        redis_nodes=needed[_REDIS],
    )


def _pools(load: Load, rates: Rates, cost: Cost, way: Way) -> dict[str, Processes]:
    """A process is busy with a page for its own time and for the provider's; it has one page in hand.

    Never fewer than `celeryconfig.POOLS` has.
    """
    busy = rates.peak_per_second * way.busy_seconds(cost.workers / _MICRO) / load.utilisation
    shares = {priority.value: share for priority, share in load.priorities.items()}
    return {
        pool.name: Processes(
            average=max(pool.concurrency, ceil(busy / load.peak * shares.get(pool.name, 0.0))),
            peak=max(pool.concurrency, ceil(busy * shares.get(pool.name, 0.0))),
        )
        for pool in POOLS
    }


def _broker(rates: Rates, way: Way) -> Broker:
    return Broker(
        queues=len(queue_names()),
        messages_peak_per_second=rates.peak_per_second * way.messages,
        messages_per_notification=way.messages,
    )


def _database(load: Load, figures: Figures, rates: Rates, cost: Cost, pools: Mapping[str, Processes]) -> Database:
    kept, daily = figures.kept.at(load.recipients_per_event), rates.notifications_per_day
    workers = sum(processes.peak for processes in pools.values())
    web = ceil(rates.peak_per_second * cost.web * a.WEB_WAITS / _MICRO / load.utilisation)
    connections = workers + web + a.OTHER_CONNECTIONS
    return Database(
        worker_connections=workers,
        web_connections=web,
        connections=connections,
        pooler_needed=connections > a.DIRECT_CONNECTIONS,
        wal_bytes_per_day=kept.wal * daily,
        wal_peak_bytes_per_second=kept.wal * rates.peak_per_second,
        bytes_per_notification=kept.log,
        bytes_per_day=kept.log * daily,
        bytes_kept=kept.log * daily * load.retention_days + kept.answers * daily,
        log_rows=daily * load.retention_days,
        rows_kept=figures.rows * daily * load.retention_days,
        estimated_bytes_per_day=load.record_bytes * daily,
        estimated_bytes_kept=load.record_bytes * daily * load.retention_days,
        people_bytes=figures.person * load.users,
        device_bytes=figures.device * a.DEVICES_EACH * load.users,
        estimated_device_bytes=a.TOKEN_BYTES * a.DEVICES_EACH * load.users,
    )


def _memory(load: Load, pools: Mapping[str, Processes]) -> Memory:
    return Memory(
        preference_cache_bytes=a.PREFERENCE_BYTES * load.users,
        redis_bytes=(a.REMEMBERED_BYTES + a.COUNTER_BYTES) * load.users,
        worker_bytes=a.PROCESS_BYTES * sum(processes.peak for processes in pools.values()),
    )


_REDIS, _BROKER = "Redis's one thread", "the broker"
_WAL, _DISK, _CORES = "PostgreSQL's write-ahead log", "PostgreSQL's disk", "PostgreSQL's cores"
_OF_PRIMARIES = (_WAL, _DISK, _CORES)
_SPLIT = "RabbitMQ as broker takes the queues off it; then a Redis for each shard: counters of caps lie in one slot"
_SHARD = "shard by the user's hash (Citus, or a database for each share): nothing joins across users"


def _limits(load: Load, figures: Figures, cost: Cost, rates: Rates, way: Way) -> list[Limit]:
    """Where one of something is full, in notifications a second at the peak; the nearest first."""
    kept = figures.kept.at(load.recipients_per_event)
    on_disk = _rate(a.DISK_PER_PRIMARY * load.utilisation, kept.log * load.retention_days + kept.answers)
    full = {
        _REDIS: (_rate(_MICRO * a.REDIS_CORES * load.utilisation, cost.redis), _SPLIT),
        _CORES: (_rate(_MICRO * load.cores * load.utilisation, cost.postgres), f"a larger machine; then {_SHARD}"),
        _WAL: (_rate(a.WAL_PER_PRIMARY, kept.wal), _SHARD),
        _DISK: (on_disk / _DAY * load.peak, f"a shorter retention, or larger disks; then {_SHARD}"),
        _BROKER: (_rate(a.MESSAGES_PER_BROKER, way.messages), "a RabbitMQ cluster for each priority or two"),
    }
    found = [
        Limit(name=name, per_second=rate, needed=max(1, ceil(rates.peak_per_second / rate)), cure=cure)
        for name, (rate, cure) in full.items()
    ]
    return sorted(found, key=lambda one: one.per_second)


def _rate(capacity: float, each: float) -> float:
    return capacity / each if each else inf
