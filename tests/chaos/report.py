"""What was found, for people, for programs and for docs/chaos.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.bench.page import goals_table, table
from tests.chaos.round import Outcome
from tests.chaos.scene import Played

#: The marks in docs/chaos.md.
KILLED, CAMPAIGNS, PROVIDERS = "killed", "campaigns", "providers"


class Report(msgspec.Struct, kw_only=True):
    """Everything that was played."""

    killed: list[Outcome] = []
    campaigns: list[Played] = []
    providers: list[Played] = []

    def problems(self) -> list[str]:
        """Every promise that was broken."""
        return [problem for one in (*self.killed, *self.campaigns, *self.providers) for problem in one.problems()]


def keep(report: Report, file: Path) -> Report:
    """Write it to a file, beside what the file has of what was not played now; the answer is all of it."""
    before = msgspec.json.decode(file.read_bytes(), type=Report) if file.exists() else Report()
    killed = {one.fault: one for one in before.killed} | {one.fault: one for one in report.killed}
    whole = Report(
        killed=list(killed.values()),
        campaigns=_with(before.campaigns, report.campaigns),
        providers=_with(before.providers, report.providers),
    )
    file.write_bytes(msgspec.json.format(msgspec.json.encode(whole)) + b"\n")
    return whole


def _with(before: Sequence[Played], now: Sequence[Played]) -> list[Played]:
    return list(({one.scene: one for one in before} | {one.scene: one for one in now}).values())


def show(report: Report) -> None:
    """Print it."""
    for line in _lines(report):
        print(line)


def _lines(report: Report) -> Iterator[str]:
    if report.killed:
        head = ("killed", "accepted", "lost", "repeats", "in flight", "serves after", "all final after", "")
        yield f"{head[0]:36}{head[1]:>9}{head[2]:>6}{head[3]:>9}{head[4]:>11}{head[5]:>14}{head[6]:>17}"
    for one in report.killed:
        line = f"{one.fault:36}{one.accepted:>9}{one.lost:>6}{one.repeats:>9}{one.in_flight:>11}"
        line += f"{one.recovered_seconds:>12.1f} s{one.settled_seconds:>15.1f} s"
        yield f"{line}  {'; '.join(one.problems()) or 'held'}"
    for played in (*report.campaigns, *report.providers):
        yield f"\n{played.scene} ({played.seconds:.0f} s): {'BROKEN' if played.problems() else 'held'}"
        for goal in played.goals:
            verdict = "" if goal.reached else "  BROKEN"
            yield f"  {goal.name:56}{goal.value:>12,.2f} {goal.unit:3}{goal.wanted}{verdict}"


def killed_table(killed: Sequence[Outcome]) -> str:
    """The rounds, in Markdown."""
    head = ("killed with -9", "accepted", "lost", "repeats", "bound", "serves again after", "all final after")
    rows = [
        (
            *(one.fault, f"{one.accepted:,}", f"{one.lost:,}", f"{one.repeats:,}", f"{one.in_flight:,}"),
            *(f"{one.recovered_seconds:.1f} s", f"{one.settled_seconds:.1f} s"),
        )
        for one in killed
    ]
    return table(head, rows)


def scenes_tables(played: Sequence[Played]) -> str:
    """The scenes, in Markdown."""
    return "\n".join(f"### {_title(one.scene)}\n\n{goals_table(one.goals)}" for one in played)


def _title(words: str) -> str:
    return words[:1].upper() + words[1:]
