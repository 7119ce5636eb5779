"""The tables of docs/capacity.md, between marks that say where they belong; the words around them are people's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from config.capacity import report
from config.capacity.figures import Figures
from config.capacity.load import Load
from config.capacity.plan import plan_for

#: What docs/capacity.md compares: a name for the column, and the load.
SCENARIOS = {
    "100 million": Load(),
    "1 billion": Load(events_per_day=1e8, users=1e8),
    "10 billion": Load(events_per_day=1e9, users=1e9),
    "1 billion, 1,000 an event": Load(events_per_day=1e6, recipients_per_event=1_000, users=1e8),
}


def page_of(text: str, figures: Figures) -> str:
    """The page with its tables computed anew."""
    for mark, written in _MARKS.items():
        text = _between(text, mark, written(figures))
    return text


def _between(text: str, mark: str, table: str) -> str:
    begin, end = f"<!-- computed: {mark} -->", f"<!-- end of {mark} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"docs/capacity.md has no place for {mark}: write {begin} and {end} where it belongs")
    return f"{before}{begin}\n\n{table}\n{end}{after}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, ["---"] * len(head), *rows))


def _source(figures: Figures) -> str:
    line = figures.cost
    parts = {
        "web": (line.page.web, line.each.web),
        "workers": (line.page.workers, line.each.workers),
        "housekeeping, beat": (line.page.housekeeping, line.each.housekeeping),
        "PostgreSQL": (line.page.postgres, line.each.postgres),
        "Valkey, counters and queues": (line.page.redis, line.each.redis),
        "all": (line.page.total, line.each.total),
    }
    rows = [(name, *(report.amount(value) for value in values)) for name, values in parts.items()]
    measured = f"Measured on {figures.measured_on}: {figures.machine}.\n\n"
    return measured + _table(("CPU, µs", "a page (an event of up to 500)", "and each notification on it"), rows)


def _scenarios(figures: Figures) -> str:
    told = [report.sections(load, plan_for(load, figures)) for load in SCENARIOS.values()]
    parts = []
    for same in zip(*told, strict=True):
        columns = [list(section.rows.values()) for section in same]
        rows = zip(same[0].rows, *columns, strict=True)
        parts.append(_table((f"**{same[0].title}**", *SCENARIOS), rows))
    return "\n".join(parts)


def _limits(figures: Figures) -> str:
    plan = plan_for(SCENARIOS["1 billion"], figures)
    head = ("one of", "is full at", "needed for 1 billion a day", "then")
    return _table(head, report.limits(plan))


def _lever(figures: Figures) -> str:
    head = ("recipients of an event", "CPU each", "messages each", "cores of everything at the peak")
    return _table(head, report.lever(SCENARIOS["100 million"], figures))


def _estimates(figures: Figures) -> str:
    """The requirements' own estimates by the same arithmetic."""
    lines = Load(events_per_day=1e8, record_bytes=100, retention_days=30)
    year = Load(record_bytes=500, retention_days=365)
    users = Load(users=5e8)
    logs, rows, quarter, people = (plan_for(load, figures) for load in (lines, year, Load(), users))
    found = [
        (
            "1 billion a day of 100 B, 30 days",
            "100 GB a day, 3 TB",
            _days(logs.database.estimated_bytes_per_day, logs.database.estimated_bytes_kept),
        ),
        (
            "100 million a day of 500 B, a year",
            "50 GB a day, 18 TB",
            _days(rows.database.estimated_bytes_per_day, rows.database.estimated_bytes_kept),
        ),
        ("100 million a day of 500 B, 3 months", "4.5 TB", report.of_bytes(quarter.database.estimated_bytes_kept)),
        (
            "1 billion a day, 1 KB each way",
            "11.5 MB/s",
            f"{report.of_bytes(logs.rates.bandwidth_bytes_per_second)}/s",
        ),
        ("500 million users, 2 devices of 64 B", "64 GB", report.of_bytes(people.database.estimated_device_bytes)),
        ("preferences of 10 million, 1 KB each", "10 GB", report.of_bytes(quarter.memory.preference_cache_bytes)),
    ]
    return _table(("estimate", "as required", "computed"), found)


def _days(daily: float, kept: float) -> str:
    return f"{report.of_bytes(daily)} a day, {report.of_bytes(kept)}"


_MARKS: dict[str, Callable[[Figures], str]] = {
    "source": _source,
    "scenarios": _scenarios,
    "limits": _limits,
    "lever": _lever,
    "estimates": _estimates,
}
