"""`python -m tests.chaos`: every fault in turn while 20,000 notifications are on their way; a table and JSON."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from random import Random

import msgspec

from tests.bench.lab import Lab
from tests.bench.people import settle_in
from tests.bench.stack import Servers, Stack
from tests.chaos.faults import FAULTS
from tests.chaos.round import Outcome, Round


def main() -> int:
    """Play the rounds; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--total", type=int, default=20_000, help="notifications on their way in each round")
    parser.add_argument("--rounds", type=int, default=1, help="how often each fault is tried")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which the blows fall")
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--json", type=Path, help="write the outcomes here")
    options = parser.parse_args()
    outcomes = _play(options)
    _show(outcomes)
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(outcomes)))
    return 1 if any(outcome.problems() for outcome in outcomes) else 0


def _play(options: argparse.Namespace) -> list[Outcome]:
    outcomes = []
    chance = Random(options.seed)  # noqa: S311 - the moments must be repeatable, not secret
    with tempfile.TemporaryDirectory(prefix="carillon-chaos-") as root:
        folder = Path(root)
        folder.chmod(0o755)
        with (
            Lab(folder / "lab") as lab,
            Servers(folder / "home") as servers,
            Stack(folder, servers, lab.providers_file()) as stack,
        ):
            settle_in(stack, options.total)
            arena = Round(stack, servers, lab, total=options.total, population=options.total)
            for number in range(options.rounds):
                for fault in FAULTS:
                    if options.only in fault.name:
                        print(f"… {fault.name}", file=sys.stderr, flush=True)
                        run = f"c{number}{FAULTS.index(fault)}"
                        outcomes.append(arena.play(fault, run, chance))
    return outcomes


def _show(outcomes: list[Outcome]) -> None:
    head = ("killed", "accepted", "lost", "repeats", "in flight", "serves after", "all final after", "")
    print(f"{head[0]:36}{head[1]:>9}{head[2]:>6}{head[3]:>9}{head[4]:>11}{head[5]:>14}{head[6]:>17}")
    for one in outcomes:
        line = f"{one.fault:36}{one.accepted:>9}{one.lost:>6}{one.repeats:>9}{one.in_flight:>11}"
        line += f"{one.recovered_seconds:>12.1f} s{one.settled_seconds:>15.1f} s"
        print(f"{line}  {'; '.join(one.problems()) or 'held'}")


if __name__ == "__main__":
    sys.exit(main())
