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


class TableSize(msgspec.Struct, kw_only=True):
    """What one notification (or one row of people) takes in one table, its partitions and long values included."""

    rows: float
    heap_bytes: float
    index_bytes: float


class StorageResult(msgspec.Struct, kw_only=True):
    """What one notification leaves in PostgreSQL: one delivery, no receipts."""

    notifications: int
    tables: dict[str, TableSize]
    #: Sums over the tables.
    heap_bytes: float
    index_bytes: float
    #: Of the write-ahead log, whole pages after a checkpoint included.
    wal_bytes: float
    #: By table, of one row.
    people: dict[str, TableSize] = {}


class CapacityResult(msgspec.Struct, kw_only=True):
    """What docs/capacity.md is computed from: two points of the line from few to many recipients of a call."""

    #: The day, in ISO's words.
    measured_on: str
    tens: FlowResult
    thousands: FlowResult
    #: Measured around each.
    tens_storage: StorageResult
    thousands_storage: StorageResult


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


class WayResult(msgspec.Struct, kw_only=True):
    """The product with another provider at its end."""

    #: `push, APNs`.
    way: str
    #: Of the stand-in's answers.
    latency_ms: int
    flow: FlowResult


class ChannelResult(msgspec.Struct, kw_only=True):
    """Pages straight into the channel: gate, adapter and transport, without a pipeline."""

    way: str
    latency_ms: int
    messages: int
    per_second: float
    #: Of the senders.
    cpu_us: float
    strangers: float


class GateResult(msgspec.Struct, kw_only=True):
    """What stands before every adapter: order, breaker, limiter, scores, log."""

    #: Messages of a page.
    page: int
    pages: int
    #: On the clock, Redis's answers included.
    us_per_page: float
    #: Of the sending process, and of Redis.
    cpu_us_per_page: float
    redis_cpu_us_per_page: float
    us_per_message: float
    strangers: float


class FactsResult(msgspec.Struct, kw_only=True):
    """Facts and decision for one recipient of a page of 500, reached by push; all of it in microseconds."""

    #: Where the facts were: a word of `tests.bench.facts.STATES`.
    state: str
    recipients: int
    #: On the clock.
    us: float
    #: Of the asking process: all of it, and of that the decision.
    cpu_us: float
    decision_cpu_us: float
    postgres_cpu_us: float
    redis_cpu_us: float
    strangers: float


class InboxResult(msgspec.Struct, kw_only=True):
    """An inbox's first page of 20 and its count, with so many rows in the table."""

    rows: int
    #: Of each kind.
    reads: int
    fill_seconds: float
    #: Page and count together, over HTTP.
    http_p50_ms: float
    http_p99_ms: float
    #: Each statement by itself, as its caller sees it.
    page_p50_us: float
    page_p99_us: float
    count_p50_us: float
    count_p99_us: float
    strangers: float


class ListenersResult(msgspec.Struct, kw_only=True):
    """Live streams, and messages to people among them."""

    listeners: int
    per_second: float
    messages: int
    #: Until all were open and had been told their count.
    open_seconds: float
    #: From the instant a call was due to the event at the listener.
    p50_ms: float
    p99_ms: float
    #: CPU of the process that serves the streams, for a message.
    cpu_us: float
    peak_mb: float
    strangers: float


class CampaignResult(msgspec.Struct, kw_only=True):
    """A campaign, from the call that starts it to the last acceptance on record."""

    #: `push` or `email`.
    by: str
    #: Whether urgent ones went out beside it: their cost is in the flow.
    beside: bool
    #: People of the segment, and those of them who had said no; the flow counts the others.
    audience: int
    suppressed: int
    flow: FlowResult
    #: From the call until the platform itself calls the campaign completed.
    completed_seconds: float
    #: That it took to create those people who were not there before.
    fill_seconds: float


class ImportResult(msgspec.Struct, kw_only=True):
    """A file of so many rows, read, checked, sealed and written."""

    rows: int
    bytes: int
    #: As the command says it: from the first look at the file until its digests are cleared away.
    seconds: float
    per_second: float
    #: Rows that said the same of people who were there already.
    again_per_second: float
    strangers: float


class SegmentResult(msgspec.Struct, kw_only=True):
    """A segment, counted by `POST /v1/segments/preview`."""

    segment: str
    #: In the table of recipients.
    people: int
    #: As the answer has it, and as counted without haste.
    count: int
    is_estimate: bool
    truth: int
    #: Of the call, the slowest of some.
    seconds: float
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
    capacity: CapacityResult | None = None
    naive: FlowResult | None = None
    #: The naive app once more, with its connections kept.
    naive_kept: FlowResult | None = None
    #: The very first ones after the start, when each process still loads what it needs.
    latency_first: LatencyResult | None = None
    latency_idle: LatencyResult | None = None
    latency_loaded: LatencyResult | None = None
    api: list[ApiResult] = []
    ways: list[WayResult] = []
    channels: list[ChannelResult] = []
    gate: GateResult | None = None
    inbox: list[InboxResult] = []
    listeners: ListenersResult | None = None
    facts: list[FactsResult] = []
    #: The largest of the campaigns by push with nothing beside it, as config/capacity reads it.
    campaign: FlowResult | None = None
    campaigns: list[CampaignResult] = []
    #: Urgent ones beside a smaller one.
    latency_campaign: LatencyResult | None = None
    imports: ImportResult | None = None
    segments: list[SegmentResult] = []
    goals: list[Goal] = []
    #: What the ledger proved, or what is wrong.
    proof: str = ""
    seconds: float = 0.0
