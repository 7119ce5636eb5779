"""`python -m tests.chaos`: every fault in turn while 20,000 notifications are on their way, then a campaign that meets
all of them, then providers that fail.

A table, and if asked for JSON and the figures of docs/chaos.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import msgspec

from tests.bench.lab import Lab
from tests.bench.page import write_between
from tests.bench.people import settle_in
from tests.bench.stack import Servers, Stack
from tests.chaos import campaign, dead_tokens, failover, revoked_key, storm
from tests.chaos.arena import Arena
from tests.chaos.faults import FAULTS
from tests.chaos.providers import accounts_of
from tests.chaos.report import CAMPAIGNS, KILLED, PROVIDERS, Report, keep, killed_table, scenes_tables, show
from tests.chaos.round import Outcome, Round
from tests.chaos.scene import FULL, QUICK, Played, Scene, Sizes

SCENES = {
    CAMPAIGNS: (campaign.SCENE,),
    PROVIDERS: (failover.SCENE, storm.SCENE, dead_tokens.SCENE, revoked_key.SCENE),
}


def main() -> int:
    """Play rounds and scenes; 1 when a promise was broken."""
    options = _options()
    with arena_with(options.sizes) as arena:
        report = Report(
            killed=_rounds(arena, options),
            campaigns=_scenes(arena, options, CAMPAIGNS),
            providers=_scenes(arena, options, PROVIDERS),
        )
    show(report)
    whole = keep(report, options.json) if options.json else report
    if options.page:
        write_between(options.page, KILLED, killed_table(whole.killed))
        write_between(options.page, CAMPAIGNS, scenes_tables(whole.campaigns))
        write_between(options.page, PROVIDERS, scenes_tables(whole.providers))
    return 1 if report.problems() else 0


@contextmanager
def arena_with(sizes: Sizes) -> Iterator[Arena]:
    """The platform and its stand-ins at work."""
    with tempfile.TemporaryDirectory(prefix="carillon-chaos-") as root:
        folder = Path(root)
        folder.chmod(0o755)
        with (
            Lab(folder / "lab") as lab,
            Servers(folder / "home") as servers,
            Stack(folder, servers, accounts_of(lab, sizes)) as stack,
        ):
            yield Arena(stack, servers, lab)


def play_scene(arena: Arena, scene: Scene, sizes: Sizes) -> Played:
    """One scene, its people included."""
    scene.settle_in(arena.stack, sizes)
    began = time.monotonic()
    goals = scene.play(arena, sizes)
    return Played(scene=scene.name, goals=goals, seconds=time.monotonic() - began)


def _rounds(arena: Arena, options: argparse.Namespace) -> list[Outcome]:
    faults = [fault for fault in FAULTS if options.only in fault.name or options.only == KILLED]
    if not faults:
        return []
    chance = Random(options.seed)  # noqa: S311 - the moments must be repeatable, not secret
    settle_in(arena.stack, options.total)
    round_ = Round(arena, total=options.total, population=options.total)
    outcomes = []
    for number in range(options.rounds):
        for fault in faults:
            print(f"… {fault.name}", file=sys.stderr, flush=True)
            outcomes.append(round_.play(fault, f"c{number}{FAULTS.index(fault)}", chance))
    return outcomes


def _scenes(arena: Arena, options: argparse.Namespace, kind: str) -> list[Played]:
    found = []
    for scene in SCENES[kind]:
        if options.only in scene.name or options.only == kind:
            print(f"… {scene.name}", file=sys.stderr, flush=True)
            found.append(play_scene(arena, scene, options.sizes))
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--total", type=int, default=20_000, help="notifications on their way in each round")
    parser.add_argument("--rounds", type=int, default=1, help="how often each fault is tried")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which the blows fall")
    parser.add_argument(
        "--only",
        default="",
        help=f"faults and scenes whose names contain this, or `{KILLED}`, `{CAMPAIGNS}` or `{PROVIDERS}`",
    )
    parser.add_argument("--quick", action="store_true", help="short scenes; their figures mean little")
    parser.add_argument("--outage", type=float, help="seconds for which the first SMS provider is down")
    parser.add_argument("--pushes", type=int, help="pushes of which one in fifty goes to a dead token")
    parser.add_argument("--people", type=int, help="people of the campaign")
    parser.add_argument("--json", type=Path, help="keep what was found here, beside what this run did not play")
    parser.add_argument("--page", type=Path, help="put the figures into this page (docs/chaos.md)")
    options = parser.parse_args()
    changes = {
        "outage": options.outage,
        "fading_pushes": options.pushes,
        "campaign_people": options.people,
        "seed": options.seed,
    }
    options.sizes = msgspec.structs.replace(
        QUICK if options.quick else FULL, **{name: value for name, value in changes.items() if value is not None}
    )
    return options


if __name__ == "__main__":
    sys.exit(main())
