"""`python -m tests.bench [--json FILE] [--only a,b,c,d] [--quick]`: one run on one machine, a table, and JSON."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from rich.console import Console

from tests.bench.api import measure_api
from tests.bench.bare import measure_bare
from tests.bench.database import Database
from tests.bench.flow import measure_flow
from tests.bench.goals import goals_of
from tests.bench.lab import Lab
from tests.bench.latency import RATE, measure_latency
from tests.bench.naive.jobs import WARM_UP
from tests.bench.naive_run import measure_naive
from tests.bench.people import settle_in
from tests.bench.proof import Sent, faults_of
from tests.bench.results import FlowResult, Results
from tests.bench.sizes import FULL, QUICK, Sizes
from tests.bench.stack import Servers, Stack
from tests.bench.table import show

#: Processes that send in part (a).
_SENDERS = (1, 2)
#: The mass of part (d) is made to last this much longer than the urgent calls.
_MASS_MARGIN = 1.4
#: Notifications, and urgent ones among them, after which every process has loaded what it loads once.
_WARM_UP, _WARM_UP_URGENT = 2_000, 100


class Bench:
    """The parts in their order, and what they have sent so far."""

    def __init__(self, folder: Path, parts: frozenset[str], sizes: Sizes, console: Console) -> None:
        self._folder, self._parts, self._sizes, self._console = folder, parts, sizes, console
        self._sent: list[Sent] = []
        self.results = Results(machine=_machine())

    def run(self) -> None:
        """Everything that was asked for; then the proof."""
        started = time.monotonic()
        with Lab(self._folder / "lab") as lab:
            if "a" in self._parts:
                self._bare(lab)
            with Servers(self._folder / "home") as servers:
                if not self._parts.isdisjoint("bd"):
                    self._product(lab, servers)
                if "c" in self._parts:
                    self._naive(lab, servers)
            self._say("proving")
            faults = faults_of(lab.arrivals(), self._sent)
        self.results.proof = "; ".join(faults) or _all_arrived(self._sent)
        self.results.goals = goals_of(self.results)
        self.results.seconds = time.monotonic() - started
        if faults:
            raise SystemExit("bench: NOT PROVEN. " + "; ".join(faults))

    def _bare(self, lab: Lab) -> None:
        self._say("(a) bare transport")
        self.results.bare = [measure_bare(lab, self._sizes.bare, processes) for processes in _SENDERS]
        lab.reset()

    def _product(self, lab: Lab, servers: Servers) -> None:
        self._say("starting the product")
        with Stack(self._folder, servers, lab.providers_file()) as stack, Database(servers.database_url()) as database:
            settle_in(stack, self._sizes.population)
            measure_flow(stack, lab, database, self._next("warm", min(_WARM_UP, self._sizes.small)))
            if "b" in self._parts:
                self._flows(stack, lab, database)
            if "d" in self._parts:
                self._latencies(stack, lab, database)
            if "b" in self._parts:
                self._interface(stack)

    def _flows(self, stack: Stack, lab: Lab, database: Database) -> None:
        sizes, results = self._sizes, self.results
        self._say(f"(e) product, {sizes.small:,}")
        results.product_small = measure_flow(stack, lab, database, self._next("small", sizes.small))
        self._say(f"(b) product, {sizes.large:,}")
        results.product = measure_flow(stack, lab, database, self._next("large", sizes.large))

    def _latencies(self, stack: Stack, lab: Lab, database: Database) -> None:
        calls = int(self._sizes.latency_seconds * RATE)
        first = measure_latency(stack, lab, database, self._next("first", _WARM_UP_URGENT), None)
        self._say("(d) urgent ones, idle")
        idle = measure_latency(stack, lab, database, self._next("idle", calls), None)
        self._say("(d) urgent ones beside the mass")
        loaded = measure_latency(stack, lab, database, self._next("urgent", calls), self._next("mass", self._mass()))
        results = self.results
        results.latency_first, results.latency_idle, results.latency_loaded = first, idle, loaded

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

    def _next(self, run: str, total: int) -> Sent:
        sent = Sent(run, total, self._sizes.population)
        self._sent.append(sent)
        return sent

    def _say(self, words: str) -> None:
        self._console.print(f"[dim]{words} …[/dim]")


def _all_arrived(sent: list[Sent]) -> str:
    total = sum(run.total for run in sent)
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
    parser.add_argument("--only", default="a,b,c,d", help="parts: a bare, b product, c naive, d latency")
    parser.add_argument("--quick", action="store_true", help="small numbers, under a minute; its figures mean nothing")
    asked = parser.parse_args()
    if not sys.platform.startswith("linux"):
        raise SystemExit("bench: the accounting reads /proc and runs on Linux only")
    console = Console(width=None if sys.stdout.isatty() else 120)
    with tempfile.TemporaryDirectory(prefix="carillon-bench-") as folder:
        Path(folder).chmod(0o711)  # the servers of root run as another account, which has to pass through
        bench = Bench(Path(folder), frozenset(asked.only.split(",")), QUICK if asked.quick else FULL, console)
        try:
            bench.run()
        finally:
            show(bench.results, console)
            if asked.json:
                asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(bench.results)) + b"\n")


if __name__ == "__main__":
    main()
