"""What is seen while it happens: a table that moves on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections import Counter
from time import monotonic
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from config.demo.watching import Watch
from config.demo.wording import STAGES, channel_in_words
from notify.vocabulary import Priority

#: Seconds between two lines where nobody watches a terminal.
_LINE_EVERY = 1.0
_COLOURS = {"on its way": "yellow", "sent": "cyan", "delivered": "green", "withheld": "magenta", "failed": "red"}
_BAR = 15


class Progress(Protocol):
    """A context that shows a watch again and again."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """End with how it all stands."""

    def show(self, watch: Watch) -> None:
        """Show how it stands."""


def progress_on(console: Console) -> Progress:
    """The progress that suits where the output goes."""
    can_move = console.is_terminal and not console.is_dumb_terminal
    return MovingTable(console) if can_move else Lines(console)


class MovingTable:
    """For people at a terminal."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="visible")

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, watch: Watch) -> None:
        """Draw the table anew."""
        self._live.update(Group(_table(watch), Text(_headline(watch), style="dim")), refresh=True)


class Lines:
    """For files, pipes and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._due = 0.0
        self._last = ""
        self._watch: Watch | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._due = 0.0
        if self._watch is not None:
            self.show(self._watch)

    def show(self, watch: Watch) -> None:
        """Write a line when there is news and the last is old enough."""
        self._watch = watch
        if monotonic() < self._due:
            return
        totals = sum((_staged(counts) for counts in watch.counts().values()), Counter[str]())
        line = ", ".join(f"{totals[stage]} {stage}" for stage in STAGES)
        if line != self._last:
            self._console.print(f"  {monotonic() - watch.started:4.1f} s  {line}", highlight=False)
            self._last, self._due = line, monotonic() + _LINE_EVERY


def _staged(counts: Counter[str]) -> Counter[str]:
    """Statuses counted by the columns they stand in."""
    return Counter({stage: sum(counts[status] for status in statuses) for stage, statuses in STAGES.items()})


def _table(watch: Watch) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("  priority")
    table.add_column("channel", width=7)
    for stage in STAGES:
        table.add_column(stage, justify="right", width=len(stage))
    table.add_column("", width=_BAR)
    found = watch.counts()
    for priority in Priority:
        for name, channel in sorted(key for key in found if key[0] == priority):
            table.add_row(f"  {name}", channel_in_words(channel), *_cells(_staged(found[name, channel])))
    return table


def _cells(staged: Counter[str]) -> list[Text]:
    numbers = [
        Text(str(staged[stage]), style=_COLOURS[stage]) if staged[stage] else Text("·", style="dim") for stage in STAGES
    ]
    return [*numbers, _bar(staged)]


def _bar(staged: Counter[str]) -> Text:
    """One sign per delivery, in the colour of where it stands."""
    bar = Text()
    for stage in reversed(STAGES):
        bar.append(("-" if stage == "on its way" else "■") * staged[stage], style=_COLOURS[stage])
    bar.truncate(_BAR)
    return bar


def _headline(watch: Watch) -> str:
    waiting = len(watch.waiting())
    words = f"  {len(watch.followed)} notifications in {monotonic() - watch.started:.1f} s"
    return f"{words} · {waiting} waiting for its time" if waiting else words
