"""Figures into the documents: tables in Markdown, between marks that say where they belong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.results import FlowResult, Goal, Results
from tests.bench.table import flows_of, title_of

#: The marks in docs/performance.md: the usual run, and one with very many people.
MEASURED = "measured"
TEN_MILLION = "ten million"
_BOLD = "product"


def write_between(page: Path, mark: str, text: str) -> None:
    """Put a text between `<!-- mark -->` and `<!-- end of mark -->`; the rest of the page stays."""
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{page} has no place for {mark}: write {begin} and {end} where it belongs")
    page.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def measured(results: Results) -> str:
    """Everything a run of the bench found."""
    where = ", ".join(results.machine.values())
    parts = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} in {results.seconds:.0f} s: {where}. {results.proof}\n",
        _flows(results),
        _takers(flows_of(results)),
        _latencies(results),
        _storage(results),
        _gate(results),
        _facts(results),
        _inbox(results),
        _listeners(results),
        _campaigns(results),
        _campaign_memory(results),
        _import(results),
        _segments(results),
        goals_table(results.goals),
    ]
    return "\n".join(part for part in parts if part)


def goals_table(goals: Iterable[Goal]) -> str:
    """Figures, and what they were held against."""
    rows = [
        (goal.name, goal.wanted, f"{number(goal.value)} {goal.unit}".strip() + ("" if goal.reached else ", **missed**"))
        for goal in goals
    ]
    return table(("figure", "wanted", "found"), rows) if rows else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a row has as many cells as the head."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float) -> str:
    """Three digits that count, and commas between thousands."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _flows(results: Results) -> str:
    head = ("what", "number", "per second", "CPU µs each", "peak memory, MB", "strangers")
    rows = []
    for bare in results.bare:
        rate = _rate(bare.notifications, bare.per_second, bare.cpu_us)
        rows.append((f"bare transport, processes: {bare.processes}", *rate, "", f"{bare.strangers:.0%}"))
    for sent in results.channels:
        rate = _rate(sent.messages, sent.per_second, sent.cpu_us)
        title = f"{sent.way}, {sent.latency_ms} ms away, the channel alone"
        rows.append((title, *rate, "", f"{sent.strangers:.0%}"))
    for title, flow in flows_of(results).items():
        peak = sum(group.peak_mb for group in flow.groups.values())
        name = f"**{title}**" if title == _BOLD else title
        rate = _rate(flow.notifications, flow.per_second, flow.cpu_us)
        rows.append((name, *rate, number(round(peak)), f"{flow.strangers:.0%}"))
    return table(head, rows) if rows else ""


def _rate(count: int, per_second: float, cpu_us: float) -> tuple[str, str, str]:
    return number(count), number(round(per_second)), number(cpu_us)


def _takers(flows: dict[str, FlowResult]) -> str:
    """CPU µs each by who takes them: a column for each that went through the product."""
    through = {title: flow for title, flow in flows.items() if "web" in flow.groups}
    names = {name for flow in through.values() for name in flow.groups}
    order = sorted(names, key=lambda name: -max(flow.groups[name].cpu_us for flow in through.values()))
    rows = [[name, *(number(flow.groups[name].cpu_us) for flow in through.values())] for name in order]
    apart = {name for flow in through.values() for name in flow.apart}
    rows += [
        [f"apart: {name}", *(number(flow.apart[name].cpu_us) for flow in through.values())] for name in sorted(apart)
    ]
    return table(("CPU µs each", *through), rows) if rows else ""


def _latencies(results: Results) -> str:
    found = (
        ("the first after the start", results.latency_first),
        ("idle", results.latency_idle),
        ("beside the mass", results.latency_loaded),
        ("beside a campaign", results.latency_campaign),
    )
    rows = [
        (title, number(one.samples), *(f"{value:.0f}" for value in (one.p50_ms, one.p99_ms, one.max_ms)))
        for title, one in found
        if one is not None
    ]
    return table(("one urgent notification, ms", "samples", "p50", "p99", "max"), rows) if rows else ""


def _campaigns(results: Results) -> str:
    head = ("campaigns", "said no", "sent", "per second", "CPU µs each", "seconds", "completed after")
    rows = [
        (
            title_of(found),
            *map(number, (found.suppressed, found.flow.notifications, round(found.flow.per_second))),
            number(found.flow.cpu_us),
            *(f"{seconds:.1f}" for seconds in (found.flow.seconds, found.completed_seconds)),
        )
        for found in results.campaigns
    ]
    return table(head, rows) if rows else ""


def _campaign_memory(results: Results) -> str:
    """Who needs how much at most, as campaigns grow."""
    found = {title_of(one): one.flow for one in results.campaigns}
    names = sorted({name for flow in found.values() for name in flow.groups})
    rows = [[name, *(number(round(flow.groups[name].peak_mb)) for flow in found.values())] for name in names]
    return table(("peak memory, MB", *found), rows) if rows else ""


def _import(results: Results) -> str:
    found = results.imports
    if found is None:
        return ""
    figures = (found.rows, round(found.seconds), round(found.per_second), round(found.again_per_second))
    return table(("a file of people, rows", "seconds", "rows/s", "the same again, rows/s"), [[*map(number, figures)]])


def _segments(results: Results) -> str:
    rows = [
        (
            f"`{found.segment}`",
            number(found.count) + (", estimated" if found.is_estimate else ""),
            number(found.truth),
            f"{found.seconds:.2f}",
        )
        for found in results.segments
    ]
    head = (f"segment, among {number(results.segments[0].people)} people", "count", "truth", "seconds") if rows else ()
    return table(head, rows) if rows else ""


def _storage(results: Results) -> str:
    if results.capacity is None:
        return ""
    found = results.capacity.thousands_storage
    rows = [
        (name, *(number(value) for value in (size.rows, size.heap_bytes, size.index_bytes)))
        for name, size in found.tables.items()
    ]
    rows += [
        ("all", "", number(found.heap_bytes), number(found.index_bytes)),
        ("write-ahead log", "", number(found.wal_bytes), ""),
    ]
    return table(("bytes of one notification", "rows", "table", "indexes"), rows)


def _inbox(results: Results) -> str:
    head = ("an inbox's first page and count", "HTTP p50, ms", "p99", "page p50, µs", "p99", "count p50, µs", "p99")
    rows = [
        (
            f"{number(found.rows)} rows",
            *(f"{value:.1f}" for value in (found.http_p50_ms, found.http_p99_ms)),
            *map(number, map(round, (found.page_p50_us, found.page_p99_us, found.count_p50_us, found.count_p99_us))),
        )
        for found in results.inbox
    ]
    return table(head, rows) if rows else ""


def _listeners(results: Results) -> str:
    heard = results.listeners
    if heard is None:
        return ""
    head = ("live streams", "messages", "p50, ms", "p99", "CPU µs each of the stream process", "its memory, MB")
    title = f"{heard.listeners} listeners, {heard.per_second} messages a second"
    figures = (heard.p50_ms, heard.p99_ms, heard.cpu_us, heard.peak_mb)
    return table(head, [(title, number(heard.messages), *(number(round(value)) for value in figures))])


def _facts(results: Results) -> str:
    head = ("facts and decision, µs each in a page of 500", "µs", "CPU", "of which decision", "PostgreSQL", "Redis")
    rows = [
        (
            found.state,
            *map(number, (found.us, found.cpu_us, found.decision_cpu_us, found.postgres_cpu_us, found.redis_cpu_us)),
        )
        for found in results.facts
    ]
    return table(head, rows) if rows else ""


def _gate(results: Results) -> str:
    gate = results.gate
    if gate is None:
        return ""
    head = ("the gate before an adapter", "µs", "CPU µs", "CPU µs of Redis")
    times = (gate.us_per_page, gate.cpu_us_per_page, gate.redis_cpu_us_per_page)
    rows = [
        (f"a page of {gate.page}", *(number(value) for value in times)),
        ("a message", *(f"{value / gate.page:.2f}" for value in times)),
    ]
    return table(head, rows)
