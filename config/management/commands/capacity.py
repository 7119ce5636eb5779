"""`manage.py capacity`: what a load needs, computed from the bench's figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from channels.vocabulary import Channel
from config.capacity import report
from config.capacity.figures import Figures, FiguresFault, read_figures
from config.capacity.load import CapacityFault, Load, checked
from config.capacity.plan import Plan, plan_for
from notify.vocabulary import Priority

Word = TypeVar("Word", bound=StrEnum)

#: Options that are one number: what they mean.
_NUMBERS = {
    "events_per_day": "events, each one call or one campaign",
    "recipients_per_event": "the fan-out multiplier: who is told of one event",
    "record_bytes": "of a log's row in the estimate beside what was measured",
    "retention_days": "days the log is kept",
    "users": "registered users",
    "peak": "the busiest second, in times of the mean one",
    "payload_bytes": "of a notification on its way in, and again on its way out",
    "cores": "of one machine",
    "utilisation": "how far machines are filled at the peak, above 0 to 1",
    "cpu_us": "CPU of one notification in µs, instead of the bench's figure",
}
#: Columns, where nobody's terminal says how many.
_WIDTH = 120


class Command(BaseCommand):
    help = "Compute machines, queues, connections and storage for a load: a straight line from the bench's figures."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        start = Load()
        for name, about in _NUMBERS.items():
            default = getattr(start, name)
            told = "the bench's" if default is None else f"{default:g}"
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, type=float, default=default, metavar="N", help=f"{about} (default {told})")
        parser.add_argument("--mix", metavar="push=60,…", help="percent of deliveries by channel")
        parser.add_argument("--priorities", metavar="low=70,…", help="percent of notifications by priority")
        parser.add_argument(
            "--latency-ms", metavar="push=50,…", help="until a provider answers; others keep their default"
        )
        parser.add_argument("--figures", type=Path, default=settings.BASE_DIR / "docs/performance.json", metavar="FILE")
        parser.add_argument("--json", action="store_true", help="everything in plain units, for programs")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            load = checked(_load(options))
            figures = read_figures(options["figures"])
        except (CapacityFault, FiguresFault) as fault:
            raise CommandError(str(fault)) from None
        plan = plan_for(load, figures)
        if options["json"]:
            answer = {"load": load, "plan": plan, "measured_on": figures.measured_on, "machine": figures.machine}
            self.stdout.write(msgspec.json.format(msgspec.json.encode(answer)).decode())
        else:
            console = Console(width=None if self.stdout.isatty() else _WIDTH)
            with console.capture() as captured:
                _show(console, load, plan, figures)
            self.stdout.write(captured.get(), ending="")


def _load(options: Mapping[str, Any]) -> Load:
    load = Load(**{name: options[name] for name in _NUMBERS})
    return msgspec.structs.replace(
        load,
        mix=_shares("mix", options["mix"], Channel, load.mix),
        priorities=_shares("priorities", options["priorities"], Priority, load.priorities),
        latency_ms={**load.latency_ms, **_amounts("latency-ms", options["latency_ms"], Channel)},
    )


def _shares(option: str, text: str | None, words: type[Word], default: Mapping[Word, float]) -> Mapping[Word, float]:
    if text is None:
        return default
    return {word: percent / 100 for word, percent in _amounts(option, text, words).items()}


def _amounts(option: str, text: str | None, words: type[Word]) -> dict[Word, float]:
    """`push=60,sms=40` by its words; each at most once."""
    found: dict[Word, float] = {}
    for part in (text or "").split(",") if text is not None else ():
        name, _, number = part.partition("=")
        word = _read(option, name.strip(), words, f"is none of {', '.join(words)}")
        if word in found:
            raise CapacityFault(option, f"{word} stands there twice", "Name each once")
        found[word] = _read(option, number.strip(), float, f"is no number for {word}")
    return found


Read = TypeVar("Read")


def _read(option: str, text: str, kind: Callable[[str], Read], problem: str) -> Read:
    try:
        return kind(text)
    except ValueError:
        raise CapacityFault(option, f"'{text}' {problem}", "Write it like name=number,name=number") from None


def _show(console: Console, load: Load, plan: Plan, figures: Figures) -> None:
    for section in report.sections(load, plan):
        _table(console, section.title, ("", ""), section.rows.items())
    _table(console, "What leaves the straight line first", ("", "full at", "needed", "then"), report.limits(plan))
    head = ("recipients of an event", "CPU each", "messages each", "cores at the peak")
    _table(console, "The lever: as many notifications in fewer or more events", head, report.lever(load, figures))
    console.print(
        f"A linear model, not a measurement: from the bench of {figures.measured_on} on {figures.machine}. "
        "docs/capacity.md says what it leaves out."
    )


def _table(console: Console, title: str, head: tuple[str, ...], rows: Any) -> None:
    console.print(f"\n[bold]{title}[/bold]")
    table = Table(show_header=any(head))
    for name in head:
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    console.print(table)
