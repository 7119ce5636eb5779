"""The results as people read them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tests.bench.results import ApiResult, FlowResult, LatencyResult, Results

_FLOWS = (
    ("product_small", "product, small"),
    ("product", "product"),
    ("naive", "naive"),
    ("naive_kept", "naive, connections kept"),
)


def show(results: Results, console: Console) -> None:
    """Print everything that was measured."""
    flows = {title: flow for name, title in _FLOWS if (flow := getattr(results, name)) is not None}
    tables = [_rates(results, flows), _latencies(results), _interface(results), _goals(results)]
    for table in [*tables, *(_groups(title, flow) for title, flow in flows.items())]:
        if table.row_count:
            console.print(table)
    console.print("Strangers: the share of the machine that processes apart from the bench took meanwhile.")
    console.print(f"{results.proof}  Measured in {results.seconds:.0f} s on {', '.join(results.machine.values())}.")


def _rates(results: Results, flows: dict[str, FlowResult]) -> Table:
    table = _table("Notifications", "", "number", "per second", "CPU µs each", "peak MB", "strangers")
    for bare in results.bare:
        title = f"bare transport, processes: {bare.processes}"
        found = (_n(bare.notifications), _n(bare.per_second), _n(bare.cpu_us, 1), "")
        table.add_row(title, *found, _percent(bare.strangers))
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
