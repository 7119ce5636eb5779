"""The results as people read them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tests.bench.results import ApiResult, CampaignResult, FlowResult, LatencyResult, Results

_FLOWS = (
    ("product_small", "product, small"),
    ("product", "product"),
    ("naive", "naive"),
    ("naive_kept", "naive, connections kept"),
)


def show(results: Results, console: Console) -> None:
    """Print everything that was measured."""
    flows = flows_of(results)
    tables = [
        _rates(results, flows),
        _latencies(results),
        _interface(results),
        _gate(results),
        _facts(results),
        _inbox(results),
        _listeners(results),
        _campaigns(results),
        _import(results),
        _segments(results),
        _goals(results),
    ]
    for table in [*tables, *(_groups(title, flow) for title, flow in flows.items())]:
        if table.row_count:
            console.print(table)
    console.print("Strangers: the share of the machine that processes apart from the bench took meanwhile.")
    console.print(f"{results.proof}  Measured in {results.seconds:.0f} s on {', '.join(results.machine.values())}.")


def flows_of(results: Results) -> dict[str, FlowResult]:
    """Everything that went the whole way, by its title."""
    flows = {title: flow for name, title in _FLOWS if (flow := getattr(results, name)) is not None}
    if results.capacity is not None:
        flows["product, ten in a call"] = results.capacity.tens
    flows |= {f"{found.way}, {found.latency_ms} ms away": found.flow for found in results.ways}
    return flows | {title_of(found): found.flow for found in results.campaigns}


def title_of(campaign: CampaignResult) -> str:
    """What a campaign is called."""
    return f"campaign, {campaign.by}, {campaign.audience:,}" + ", urgent beside" * campaign.beside


def _rates(results: Results, flows: dict[str, FlowResult]) -> Table:
    table = _table("Notifications", "", "number", "per second", "CPU µs each", "peak MB", "strangers")
    for bare in results.bare:
        title = f"bare transport, processes: {bare.processes}"
        found = (_n(bare.notifications), _n(bare.per_second), _n(bare.cpu_us, 1), "")
        table.add_row(title, *found, _percent(bare.strangers))
    for sent in results.channels:
        title = f"{sent.way}, {sent.latency_ms} ms away, the channel alone"
        found = (_n(sent.messages), _n(sent.per_second), _n(sent.cpu_us, 1), "")
        table.add_row(title, *found, _percent(sent.strangers))
    for title, flow in flows.items():
        peak = sum(group.peak_mb for group in flow.groups.values())
        found = (_n(flow.notifications), _n(flow.per_second), _n(flow.cpu_us, 1), _n(peak))
        table.add_row(title, *found, _percent(flow.strangers))
    return table


def _groups(title: str, flow: FlowResult) -> Table:
    table = _table(f"{title}: who takes it", "", "CPU µs each", "peak MB", "cache MB")
    for name, group in sorted(flow.groups.items(), key=lambda pair: -pair[1].cpu_us):
        table.add_row(name, _n(group.cpu_us, 1), _n(group.peak_mb), _n(group.cache_mb))
    for name, group in flow.apart.items():
        table.add_row(f"apart: {name}", _n(group.cpu_us, 1), _n(group.peak_mb), "")
    return table


def _latencies(results: Results) -> Table:
    columns = ("", "samples", "p50", "p99", "max", "answer p99", "CPU µs each", "strangers")
    table = _table("One urgent notification, ms", *columns)
    rows = (
        ("the first ones after the start", results.latency_first),
        ("idle", results.latency_idle),
        ("beside the mass", results.latency_loaded),
        ("beside a campaign", results.latency_campaign),
    )
    for title, found in rows:
        if found is not None:
            table.add_row(title, *_latency(found))
    return table


def _latency(found: LatencyResult) -> Iterator[str]:
    yield _n(found.samples)
    for milliseconds in (found.p50_ms, found.p99_ms, found.max_ms, found.answer_p99_ms):
        yield _n(milliseconds, 1)
    yield "" if found.under_load else _n(found.cpu_us)
    yield _percent(found.strangers)


def _interface(results: Results) -> Table:
    table = _table("API alone", "recipients", "calls per second", "CPU µs each", "of which web", "PostgreSQL")
    for api in results.api:
        table.add_row(*_calls(api))
    return table


def _calls(api: ApiResult) -> Iterator[str]:
    yield _n(api.recipients_per_call)
    yield _n(api.calls_per_second, 1)
    yield _n(api.cpu_us_per_recipient, 1)
    for group in ("web", "PostgreSQL"):
        yield _n(api.groups[group].cpu_us, 1)


def _gate(results: Results) -> Table:
    columns = ("", "pages", "µs", "CPU µs", "of Redis", "µs a message", "strangers")
    table = _table("The gate before an adapter, for a page", *columns)
    if (found := results.gate) is not None:
        times = (found.us_per_page, found.cpu_us_per_page, found.redis_cpu_us_per_page)
        row = (_n(found.pages), *map(_n, times), _n(found.us_per_message, 2), _percent(found.strangers))
        table.add_row(f"pages of {found.page}", *row)
    return table


def _facts(results: Results) -> Table:
    columns = ("", "recipients", "µs", "CPU µs", "of which decision", "PostgreSQL", "Redis", "strangers")
    table = _table("Facts and decision in a page of 500, for each", *columns)
    for found in results.facts:
        times = (found.us, found.cpu_us, found.decision_cpu_us, found.postgres_cpu_us, found.redis_cpu_us)
        row = (_n(found.recipients), *(_n(one, 1) for one in times), _percent(found.strangers))
        table.add_row(found.state, *row)
    return table


def _inbox(results: Results) -> Table:
    columns = ("", "HTTP p50, ms", "p99", "page p50, µs", "p99", "count p50, µs", "p99", "filled in s", "strangers")
    table = _table("An inbox's first page and count", *columns)
    for found in results.inbox:
        http = (_n(found.http_p50_ms, 1), _n(found.http_p99_ms, 1))
        sql = map(_n, (found.page_p50_us, found.page_p99_us, found.count_p50_us, found.count_p99_us))
        table.add_row(f"{found.rows:,} rows", *http, *sql, _n(found.fill_seconds), _percent(found.strangers))
    return table


def _listeners(results: Results) -> Table:
    columns = ("", "messages", "p50, ms", "p99", "CPU µs each", "MB", "all open in s", "strangers")
    table = _table("Live streams: from the call to the event", *columns)
    if (found := results.listeners) is not None:
        figures = map(_n, (found.messages, found.p50_ms, found.p99_ms, found.cpu_us, found.peak_mb))
        title = f"{found.listeners} listeners, {found.per_second} a second"
        table.add_row(title, *figures, _n(found.open_seconds, 1), _percent(found.strangers))
    return table


def _campaigns(results: Results) -> Table:
    columns = ("", "said no", "sent", "per second", "CPU µs each", "seconds", "completed", "filled in")
    table = _table("Campaigns", *columns)
    for found in results.campaigns:
        flow = found.flow
        people = map(_n, (found.suppressed, flow.notifications, flow.per_second))
        times = (_n(flow.seconds, 1), _n(found.completed_seconds, 1), _n(found.fill_seconds))
        table.add_row(title_of(found), *people, _n(flow.cpu_us, 1), *times)
    return table


def _import(results: Results) -> Table:
    table = _table("A file of people", "rows", "MB", "seconds", "rows/s", "the same again, rows/s", "strangers")
    if (found := results.imports) is not None:
        rates = map(_n, (found.per_second, found.again_per_second))
        table.add_row(_n(found.rows), _n(found.bytes / 1e6), _n(found.seconds, 1), *rates, _percent(found.strangers))
    return table


def _segments(results: Results) -> Table:
    table = _table("Segments", "", "people", "count", "truth", "seconds", "")
    for found in results.segments:
        said = "an estimate" if found.is_estimate else ""
        row = (_n(found.people), _n(found.count), _n(found.truth), _n(found.seconds, 2), said)
        table.add_row(found.segment, *row)
    return table


def _goals(results: Results) -> Table:
    table = _table("Held against the goals", "", "value", "", "wanted", "")
    for goal in results.goals:
        verdict = "" if not goal.wanted else "reached" if goal.reached else "MISSED"
        table.add_row(goal.name, _n(goal.value, 2), goal.unit, goal.wanted, verdict)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _n(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}"
