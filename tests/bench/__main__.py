"""`python -m tests.bench [--json FILE] [--only a,b,…] [--quick]`: one run on one machine, a table, and JSON."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from config.lab.accounts import entry_of, providers_file
from tests.bench.api import measure_api
from tests.bench.bare import measure_bare
from tests.bench.campaigns import Campaigns
from tests.bench.channel import measure_channel
from tests.bench.database import Database
from tests.bench.facts import measure_facts
from tests.bench.flow import measure_flow
from tests.bench.gate import measure_gate
from tests.bench.goals import goals_of
from tests.bench.imports import measure_imports
from tests.bench.inbox import measure_inbox
from tests.bench.lab import Lab
from tests.bench.latency import RATE, measure_latency
from tests.bench.listeners import measure_listeners
from tests.bench.naive.jobs import WARM_UP
from tests.bench.naive_run import measure_naive
from tests.bench.page import MEASURED, TEN_MILLION, measured, write_between
from tests.bench.people import settle_in
from tests.bench.proof import Expected, Sent, proof_of
from tests.bench.results import CapacityResult, FlowResult, Results, WayResult
from tests.bench.segments import measure_segments
from tests.bench.sizes import FULL, QUICK, Sizes
from tests.bench.stack import Servers, Stack
from tests.bench.storage import Storage
from tests.bench.table import show
from tests.bench.ways import LATENCIES, NO_RECEIPTS, ROUTES, Route
from tests.bench.workload import BULK_TYPE, FCM, MAIL_TYPE, Crowd, Way

_PARTS = (
    "parts: a bare, b product, c naive, d latency, f further providers near and far, g the gate before an adapter, "
    "h facts and decision, i inboxes and listeners, j campaigns, k import, and segments among ten million (minutes)"
)
#: What runs unless something else is asked for: all that takes no hours, and no tens of gigabytes.
_USUAL = "a,b,c,d,f,g,h,i,j"
_TEN_MILLION = 10_000_000
#: Processes that send in part (a).
_SENDERS = (1, 2)
#: The mass of part (d) is made to last this much longer than the urgent calls.
_MASS_MARGIN = 1.4
#: Notifications, and urgent ones among them, after which every process has loaded what it loads once.
_WARM_UP, _WARM_UP_URGENT = 2_000, 100
#: Recipients of an event as R025 has it.
_TEN = 10


class Bench:
    """The parts in their order, and what they have sent so far."""

    def __init__(self, folder: Path, parts: frozenset[str], sizes: Sizes, console: Console) -> None:
        self._folder, self._parts, self._sizes, self._console = folder, parts, sizes, console
        self._sent: list[Expected] = []
        self._proven, self._faults = 0, list[str]()
        self.results = Results(machine=_machine())

    def run(self) -> None:
        """Everything that was asked for; then the proof."""
        started = time.monotonic()
        with Lab(self._folder / "lab") as lab:
            if "a" in self._parts:
                self._bare(lab)
            with Servers(self._folder / "home") as servers:
                if not self._parts.isdisjoint("bdfghijk"):
                    self._product(lab, servers)
                if "c" in self._parts:
                    self._naive(lab, servers)
            self._say("proving")
            self._prove(lab, self._sent)
        self.results.proof = "; ".join(self._faults) or _all_arrived(self._proven)
        self.results.goals = goals_of(self.results)
        self.results.seconds = time.monotonic() - started
        if self._faults:
            raise SystemExit("bench: NOT PROVEN. " + "; ".join(self._faults))

    def _prove(self, lab: Lab, sent: list[Expected]) -> None:
        """Hold the ledgers against all that was sent since they were last empty, and empty them."""
        proof = proof_of(lab, sent)
        self._proven += proof.total
        self._faults += proof.faults
        for name in {one.stand_in for one in sent}:
            lab.reset(name)

    def _bare(self, lab: Lab) -> None:
        self._say("(a) bare transport")
        self.results.bare = [measure_bare(lab, self._sizes.bare, processes) for processes in _SENDERS]
        lab.reset()

    def _product(self, lab: Lab, servers: Servers) -> None:
        self._say("starting the product")
        providers = providers_file(entry_of(end, lab.places) for end in self._ends())
        with Stack(self._folder, servers, providers) as stack, Database(servers.database_url()) as database:
            stack.run("-m", "tests.bench.counters")
            self._main_job(stack, lab, database)
            if "f" in self._parts:
                self._channels(stack, lab)
                self._ways(stack, lab, database)
            self._alone(stack)
            self._many(stack, lab, servers, database)

    def _ends(self) -> list[str]:
        """The stand-ins that the product sends to."""
        if "f" in self._parts:
            return ["fcm", *(route.way.stand_in for route in ROUTES)]
        return ["fcm", "sendgrid"] if "j" in self._parts else ["fcm"]

    def _main_job(self, stack: Stack, lab: Lab, database: Database) -> None:
        if not self._parts.isdisjoint("bdhj"):
            settle_in(stack, self._sizes.population)
        if not self._parts.isdisjoint("bd"):
            measure_flow(stack, lab, database, self._next("warm", min(_WARM_UP, self._sizes.small)))
        if "b" in self._parts:
            self._flows(stack, lab, database)
        if "d" in self._parts:
            self._latencies(stack, lab, database)
        if "b" in self._parts:
            self._interface(stack)

    def _alone(self, stack: Stack) -> None:
        """Parts of the way, with nothing else around them."""
        if "g" in self._parts:
            self._say("(g) the gate alone")
            self.results.gate = measure_gate(stack, self._sizes.gate_pages)
        if "h" in self._parts:
            self._say("(h) facts and decision")
            self.results.facts = measure_facts(stack, self._sizes.facts_pages, self._sizes.population)

    def _many(self, stack: Stack, lab: Lab, servers: Servers, database: Database) -> None:
        """What needs many rows, and leaves them behind."""
        if "i" in self._parts:
            self._inboxes(stack, servers)
        if "j" in self._parts:
            self._campaigns(stack, lab, database)
        if "k" in self._parts:
            self._say("(k) a file of people")
            self.results.imports = measure_imports(stack, self._sizes.import_rows)
            self._say("(k) segments among many people")
            self.results.segments = measure_segments(stack, servers, self._sizes.segment_people)

    def _campaigns(self, stack: Stack, lab: Lab, database: Database) -> None:
        """The ledgers are proven and emptied before, and after each: they would hold millions."""
        measure_latency(stack, lab, database, self._next("otpwarm", _WARM_UP_URGENT), None)
        self._prove(lab, self._sent)
        self._sent = []
        audiences, results = self._sizes.campaigns, self.results
        campaigns = Campaigns(
            stack, lab, database, population=self._sizes.population, prove=lambda sent: self._prove(lab, sent)
        )
        campaigns.warm_up(audiences[0])
        for audience in audiences:
            self._say(f"(j) a campaign to {audience:,}")
            results.campaigns.append(campaigns.push(audience))
        results.campaign = results.campaigns[-1].flow
        if self._sizes.crowd:
            self._say(f"(j) a campaign to some of {self._sizes.crowd:,}")
            results.campaigns.append(campaigns.push_to_some(self._sizes.crowd))
            return
        self._say("(j) a campaign with urgent ones beside it")
        results.campaigns.append(campaigns.push_beside())
        results.latency_campaign = campaigns.latency
        self._say("(j) a campaign by e-mail")
        results.campaigns.append(campaigns.mail())

    def _inboxes(self, stack: Stack, servers: Servers) -> None:
        sizes, results = self._sizes, self.results
        self._say("(i) live listeners")
        results.listeners = measure_listeners(stack, sizes.listeners, sizes.heard_per_second, sizes.listening_seconds)
        self._say("(i) inboxes among many rows")
        results.inbox = measure_inbox(stack, servers, sizes.inbox_rows, sizes.inbox_reads)

    def _flows(self, stack: Stack, lab: Lab, database: Database) -> None:
        sizes, results = self._sizes, self.results
        self._say(f"(e) product, {sizes.small:,}")
        results.product_small = measure_flow(stack, lab, database, self._next("small", sizes.small))
        self._say(f"(b) product, {sizes.large:,}")
        with Storage(database) as storage:
            results.product = large = measure_flow(stack, lab, database, self._next("large", sizes.large))
        self._say(f"(b) product, {sizes.tens:,} in calls of {_TEN}")
        with Storage(database) as storage_of_tens:
            tens = measure_flow(stack, lab, database, self._next("tens", sizes.tens), _TEN)
        results.capacity = CapacityResult(
            measured_on=f"{datetime.now(UTC):%Y-%m-%d}",
            tens=tens,
            thousands=large,
            tens_storage=storage_of_tens.each(sizes.tens),
            thousands_storage=storage.each(sizes.large),
        )

    def _latencies(self, stack: Stack, lab: Lab, database: Database) -> None:
        calls = int(self._sizes.latency_seconds * RATE)
        first = measure_latency(stack, lab, database, self._next("first", _WARM_UP_URGENT), None)
        self._say("(d) urgent ones, idle")
        idle = measure_latency(stack, lab, database, self._next("idle", calls), None)
        self._say("(d) urgent ones beside the mass")
        loaded = measure_latency(stack, lab, database, self._next("urgent", calls), self._next("mass", self._mass()))
        results = self.results
        results.latency_first, results.latency_idle, results.latency_loaded = first, idle, loaded

    def _channels(self, stack: Stack, lab: Lab) -> None:
        """Before the whole way, so that the ledgers can be emptied of what nobody planned."""
        for route in ROUTES:
            for latency_ms in LATENCIES:
                self._say(f"(f) {route.title}, {latency_ms} ms away, the channel alone")
                lab.script(route.way.stand_in, latency_ms=latency_ms, receipts=NO_RECEIPTS)
                found = measure_channel(stack, lab, route, self._sizes.ways, latency_ms)
                self.results.channels.append(found)
            lab.reset(route.way.stand_in)

    def _ways(self, stack: Stack, lab: Lab, database: Database) -> None:
        settle_in(stack, self._sizes.ways, Crowd.APPLE, (BULK_TYPE, MAIL_TYPE))
        for route in ROUTES:
            warm = self._next(f"{route.word}warm", min(_WARM_UP, self._sizes.ways), route.way)
            measure_flow(stack, lab, database, warm)
            for latency_ms in LATENCIES:
                self._way(stack, lab, database, route, latency_ms)
            lab.script(route.way.stand_in)

    def _way(self, stack: Stack, lab: Lab, database: Database, route: Route, latency_ms: int) -> None:
        self._say(f"(f) {route.title}, {latency_ms} ms away")
        lab.script(route.way.stand_in, latency_ms=latency_ms, receipts=NO_RECEIPTS)
        sent = self._next(f"{route.word}{latency_ms}", self._sizes.ways, route.way)
        flow = measure_flow(stack, lab, database, sent)
        self.results.ways.append(WayResult(way=route.title, latency_ms=latency_ms, flow=flow))

    def _mass(self) -> int:
        """As many as keep the product busy while the urgent ones come."""
        rate = self.results.product.per_second if self.results.product else 5_000
        return round(rate * self._sizes.latency_seconds * _MASS_MARGIN / 1_000) * 1_000

    def _interface(self, stack: Stack) -> None:
        self._say("API alone")
        sizes = self._sizes
        self.results.api = [
            measure_api(stack, "single", sizes.api_single, 1, sizes.population),
            measure_api(stack, "calls", sizes.api_bulk, 1_000, sizes.population),
        ]

    def _naive(self, lab: Lab, servers: Servers) -> None:
        self._say("(c) naive")
        self.results.naive = self._naive_once(lab, servers, "naive", self._sizes.naive, kept=False)
        self.results.naive_kept = self._naive_once(lab, servers, "kept", self._sizes.naive_kept, kept=True)

    def _naive_once(self, lab: Lab, servers: Servers, run: str, total: int, *, kept: bool) -> FlowResult:
        found = measure_naive(servers, lab, run, total, kept=kept)
        self._sent += [Sent(f"{run}warm", WARM_UP, max(total, WARM_UP)), Sent(run, total, max(total, WARM_UP))]
        return found

    def _next(self, run: str, total: int, way: Way = FCM) -> Sent:
        sent = Sent(run, total, self._sizes.population if way is FCM else self._sizes.ways, way)
        self._sent.append(sent)
        return sent

    def _say(self, words: str) -> None:
        self._console.print(f"[dim]{words} …[/dim]")


def _all_arrived(total: int) -> str:
    return f"All {total:,} arrived exactly once with the right words." if total else "Nothing was to be proven."


def _machine() -> dict[str, str]:
    """What it was measured on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")
    return {"cpu": f"{os.cpu_count()} of {model}", "system": platform.platform(), "python": platform.python_version()}


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the results here")
    parser.add_argument("--page", type=Path, help="also put the figures into this page (docs/performance.md)")
    parser.add_argument("--only", default=_USUAL, help=_PARTS)
    parser.add_argument("--ten-million", action="store_true", help="only a campaign to a fifth of so many people")
    parser.add_argument("--quick", action="store_true", help="small numbers, under a minute; its figures mean nothing")
    asked = parser.parse_args()
    if not sys.platform.startswith("linux"):
        raise SystemExit("bench: the accounting reads /proc and runs on Linux only")
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as folder:
        Path(folder).chmod(0o711)  # the servers of root run as another account, which has to pass through
        sizes, parts, mark = QUICK if asked.quick else FULL, asked.only, MEASURED
        if asked.ten_million:
            most = sizes.population if asked.quick else _TEN_MILLION
            sizes = msgspec.structs.replace(sizes, campaigns=(most // 100,), crowd=most)
            parts, mark = "j", TEN_MILLION
        bench = Bench(Path(folder), frozenset(parts.split(",")), sizes, console)
        try:
            bench.run()
        finally:
            show(bench.results, console)
            if asked.json:
                asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(bench.results)) + b"\n")
            if asked.page:
                write_between(asked.page, mark, measured(bench.results))


if __name__ == "__main__":
    main()
