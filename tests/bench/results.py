"""What the bench found, as it is written to JSON; the table is made of nothing else."""

from __future__ import annotations

import msgspec


class GroupCost(msgspec.Struct, kw_only=True):
    """One group of processes during one measurement."""

    cpu_us: float
    peak_mb: float
    #: Shared memory, which is PostgreSQL's cache; not in `peak_mb`.
    cache_mb: float = 0.0


class BareResult(msgspec.Struct, kw_only=True):
    """The transport alone."""

    processes: int
    notifications: int
    per_second: float
    cpu_us: float
    strangers: float


class FlowResult(msgspec.Struct, kw_only=True):
    """Notifications from the first call to the last acceptance on record."""

    notifications: int
    seconds: float
    per_second: float
    #: Until the last call was answered.
    accept_seconds: float
    #: Per notification, summed over the groups; stand-in, driver and bench are not in it.
    cpu_us: float
    groups: dict[str, GroupCost]
    apart: dict[str, GroupCost]
    #: Share of the machine that went to processes which have nothing to do with the bench: the figures suffer by it.
    strangers: float


class LatencyResult(msgspec.Struct, kw_only=True):
    """Milliseconds from the instant a call was due to the provider's acceptance."""

    samples: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    #: Until the call was answered.
    answer_p50_ms: float
    answer_p99_ms: float
    #: Share of the samples that were due while the mass still went out.
    under_load: float
    #: CPU of the whole product for each; with a mass beside it, the mass's is in it.
    cpu_us: float
    strangers: float


class ApiResult(msgspec.Struct, kw_only=True):
    """Accepted and durable; nothing is sent."""

    recipients_per_call: int
    calls_per_second: float
    cpu_us_per_recipient: float
    groups: dict[str, GroupCost]
    strangers: float


class Goal(msgspec.Struct, kw_only=True):
    """A figure that the run is held against."""

    name: str
    value: float
    unit: str
    #: As `>= 40`; empty: told, not judged.
    wanted: str = ""
    reached: bool = True


class Results(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One run."""

    machine: dict[str, str]
    bare: list[BareResult] = []
    product_small: FlowResult | None = None
    product: FlowResult | None = None
    naive: FlowResult | None = None
    #: The naive app once more, with its connections kept.
    naive_kept: FlowResult | None = None
    #: The very first ones after the start, when each process still loads what it needs.
    latency_first: LatencyResult | None = None
    latency_idle: LatencyResult | None = None
    latency_loaded: LatencyResult | None = None
    api: list[ApiResult] = []
    goals: list[Goal] = []
    #: What the ledger proved, or what is wrong.
    proof: str = ""
    seconds: float = 0.0
