"""One in fifty phones has lost the app: exactly those devices are taken out of use."""

from __future__ import annotations

import time

from tests.bench.proof import Sent, lost_and_repeated
from tests.bench.results import Goal
from tests.bench.workload import BULK_TYPE, Crowd, Way, is_dead, person
from tests.chaos.arena import Arena
from tests.chaos.scene import Scene, Sizes, crowd_of, exactly, told

STAND_IN = "fcm"
_WAY = Way(Crowd.FADING, BULK_TYPE, STAND_IN)


def play(arena: Arena, sizes: Sizes) -> list[Goal]:
    """Tell everybody, and compare the devices with whom the stand-in refused."""
    arena.lab.reset(STAND_IN)
    total = sizes.fading_pushes
    sent = Sent(f"fading{time.time():.0f}", total, total, _WAY)
    since = time.time()
    with arena.telling(sent):
        pass
    arena.wait(arena.is_idle)
    seconds = time.time() - since
    dead = {person(number, Crowd.FADING).user_id for number in range(total) if is_dead(number)}
    out_of_use = _out_of_use(arena)
    arrivals = arena.lab.arrivals(STAND_IN)
    lost, repeated = lost_and_repeated([arrivals], sent, but=is_dead)
    statuses = arena.statuses(since)
    return [
        told("accepted", total),
        told("dead tokens", len(dead)),
        exactly("dead ones that are still in use", len(dead - out_of_use), 0),
        exactly("living ones that were taken out of use", len(out_of_use - dead), 0),
        exactly("living ones that heard nothing", lost, 0),
        exactly("living ones that heard it twice", repeated, 0),
        exactly("asked about each dead one", arena.lab.summary(STAND_IN).refusals.get("unregistered", 0), len(dead)),
        exactly("sent", statuses.get("sent", 0), total - len(dead)),
        exactly("failed", statuses.get("failed", 0), len(dead)),
        told("from the first call to the last row", seconds, "s"),
    ]


def _out_of_use(arena: Arena) -> set[str]:
    asked = f"""SELECT r.user_id FROM preferences_device d JOIN preferences_recipient r ON r.id = d.recipient_id
                WHERE NOT d.active AND r.user_id LIKE '{Crowd.FADING}\\_%'"""
    return {str(user_id) for (user_id,) in arena.rows(asked)}


SCENE = Scene("2 % of the tokens are dead", play, crowd_of(_WAY, lambda sizes: sizes.fading_pushes))
