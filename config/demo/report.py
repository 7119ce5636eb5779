"""What is said at the end: what became of each and why, how long it took, and where to look next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from config.demo.client import Trace, TraceEntry
from config.demo.findings import Latency
from config.demo.people import Person
from config.demo.place import Access, DemoFault, Place
from config.demo.watching import Followed
from config.demo.wording import channel_in_words, language_of, status_of, why
from notify.vocabulary import DeliveryStatus

_WIDEST = 100
_INDENT = 2
_STYLES: dict[str, str] = {
    DeliveryStatus.SENT: "cyan",
    DeliveryStatus.DELIVERED: "green",
    DeliveryStatus.SUPPRESSED: "magenta",
    DeliveryStatus.CANCELLED: "magenta",
    DeliveryStatus.FAILED: "red",
    DeliveryStatus.BOUNCED: "red",
}
#: What of a trace entry's detail is worth a word, in this order.
_TELLING = ("application", "address", "provider", "code", "answer", "why", "until", "channels")
_Row = tuple[str, str, str, str, str]


def heading(console: Console, words: str) -> None:
    """A line that begins a part."""
    console.print()
    console.print(Text(words, style="bold"))


def opening(console: Console) -> None:
    """What this is."""
    console.print(Text("Carillon, the demo", style="bold"))
    console.print("Real servers, sample people; the providers are stand-ins on this machine.\n")


def outcome(console: Console, people: Sequence[Person], followed: Sequence[Followed]) -> None:
    """A table for each person."""
    heading(console, "What became of each, and why")
    for person in people:
        own = [one for one in followed if one.person is person]
        title = Text(f"\n{person.name}", style="bold")
        title.append(f" · {language_of(person.locale)} · {person.city}", style="dim")
        if person.case:
            title.append(f" · {person.case}", style="yellow")
        console.print(title)
        console.print(_indented(_of_person(console, own)))
    console.print()
    words = (
        "sent: the provider has it. delivered: it has arrived, and somebody said so. suppressed: not sent, on purpose."
    )
    for line in wrap(words, min(console.width, _WIDEST)):
        console.print(Text(line, style="dim"))


def lessons(console: Console, people: Sequence[Person], wrong: Sequence[Person | None]) -> None:
    """What was to be seen, ticked off."""
    heading(console, "In words")
    for person in people:
        if person.lesson:
            tick(console, person.lesson, is_well=person not in wrong)
    others = [person for person in people if not person.lesson]
    words = f"The other {len(others)} got everything on every channel, in their own language."
    tick(console, words, is_well=not any(person in wrong for person in others))
    words = "Vonage, the first for SMS, was down: Twilio took over at once, and its receipts say that all arrived."
    tick(console, words, is_well=None not in wrong)


def tick(console: Console, words: str, *, is_well: bool = True) -> None:
    """One finding."""
    sign = Text("✓ ", style="green") if is_well else Text("✗ ", style="red")
    lines = wrap(words, min(console.width, _WIDEST) - _INDENT)
    console.print(sign.append(Text(f"\n{' ' * _INDENT}".join(lines), style="")), soft_wrap=True)


def fault(console: Console, found: DemoFault) -> None:
    """Why it cannot go on."""
    console.print()
    tick(console, str(found), is_well=False)
    for line in found.said:
        console.print(Text(f"    {line}", style="dim"), no_wrap=True, overflow="ellipsis")


def latency(console: Console, found: Sequence[Latency]) -> None:
    """How long it took, by priority."""
    heading(console, "Latency, from acceptance by the API to acceptance by the provider")
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("  priority")
    for name in ("deliveries", "p50", "slowest"):
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(f"  {one.priority}", str(one.deliveries), f"{one.p50:.0f} ms", f"{one.slowest:.0f} ms")
    console.print(table)
    console.print(Text("  The first of each kind is slower: connections are opened, tokens fetched.", style="dim"))


def example(console: Console, one: Followed, trace: Trace) -> None:
    """One trace in full."""
    heading(console, f"Why? Every notification can tell. {one.person.name}'s {one.telling.type}, for example")
    console.print(Text(f"  GET /v1/notifications/{one.id}/trace", style="dim"))
    table = _grid(console, 8, 8, 7, 19, None)
    start = trace.trace[0].at
    for entry in trace.trace:
        after = (entry.at - start).total_seconds() * 1000
        channel = channel_in_words(entry.channel) if entry.channel else ""
        table.add_row(f"+{after:.0f} ms", entry.step, channel, entry.decision, _told(entry))
    console.print(_indented(table))


def where_next(console: Console, url: str, place: Place, access: Access, *, is_up: bool) -> None:
    """What can be visited, now or later."""
    heading(console, "Where to look next" if is_up else "Where to look next, once `make up` is running")
    entrance = _short(place.access_file)
    password = access.admin_password if is_up else f"in {entrance}"
    rows = [
        ("Admin", f"{url}/admin/   user {access.admin_user}, password {password}"),
        ("API", f"{url}/v1/docs/   key in {entrance}"),
        ("Metrics", f"{url}/metrics"),
        ("Mails", _short(place.mails)),
        ("Providers", _short(place.providers)),
        ("Log", _short(place.platform_log)),
    ]
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, words in rows:
        grid.add_row(Text(f"  {name}", style="dim"), Text(words, overflow="fold"))
    console.print(grid)
    if is_up:
        console.print(Text("  Later: `make up` serves the same data.", style="dim"))


def _short(path: Path) -> str:
    """As it is reached from here, where that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _of_person(console: Console, followed: Sequence[Followed]) -> Table:
    table = _grid(console, 17, 9, 10, None, 8)
    for (what, channel, status, reason, provider), times in Counter(_rows(followed)).items():
        shown = f"{channel} x{times}" if times > 1 else channel
        table.add_row(what, shown, Text(status, style=_STYLES.get(status, "yellow")), reason, Text(provider, "dim"))
    return table


def _rows(followed: Sequence[Followed]) -> Iterator[_Row]:
    for one in followed:
        deliveries = one.seen.deliveries if one.seen is not None else []
        for each in deliveries:
            channel = channel_in_words(each.channel)
            yield one.telling.type, channel, each.status, why(one, each), each.provider or ""
        if not deliveries:
            reason = "called off before its time" if one.telling.is_cancelled else ""
            yield one.telling.type, "", status_of(one), reason, ""


def _grid(console: Console, *widths: int | None) -> Table:
    """Columns of these widths; the one without a width takes what is left."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.width = min(console.width, _WIDEST) - _INDENT
    for width in widths:
        table.add_column(width=width, ratio=None if width else 1)
    return table


def _indented(table: Table) -> Padding:
    return Padding(table, (0, 0, 0, _INDENT), expand=False)


def _told(entry: TraceEntry) -> str:
    detail: dict[str, Any] = entry.detail
    words = [] if entry.reason_code is None else [entry.reason_code]
    # How it ended was said before, in full.
    words += [str(detail[name]) for name in _TELLING if detail.get(name) and entry.step != "end"]
    return " · ".join(dict.fromkeys(words))
