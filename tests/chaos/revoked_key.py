"""A provider's key is revoked while messages are on their way, and its file replaced later; nothing is restarted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping

import orjson

from celeryconfig import POOLS
from channels.policy import STOP_RETRY_SECONDS
from notify.policy import PAGE_SIZE
from tests.bench.proof import Sent, lost_and_repeated
from tests.bench.results import Goal
from tests.bench.workload import FCM
from tests.chaos.arena import Arena
from tests.chaos.providers import key_file
from tests.chaos.scene import Scene, Sizes, at_most, crowd_of, exactly, told

_GIVEN_UP = ("failed", "dead", "bounced", "expired", "suppressed")


def play(arena: Arena, sizes: Sizes) -> list[Goal]:
    """Revoke when a quarter has arrived; put the new key where the old one was; wait for all of it."""
    lab = arena.lab
    lab.reset()
    sent = Sent(f"key{time.time():.0f}", sizes.keyed_pushes, sizes.keyed_pushes, FCM)
    since, processes = time.time(), _processes(arena)
    with arena.telling(sent):
        arena.wait(lambda: lab.accepted() >= sent.total / 4, every=0.01)
        new_key = orjson.loads(lab.ask("fcm", "POST", "/__rotate"))["service_account_file"]
    arena.let_pass(sizes.revoked)
    held = arena.statuses(since)
    refused = sum(lab.summary().refusals.values())
    before = lab.accepted()
    shutil.copy(new_key, key_file(lab))
    replaced = time.time()
    if not sizes.patient:
        arena.end_waits()
    arena.wait(arena.is_idle)
    arrivals = lab.arrivals()
    lost, repeated = lost_and_repeated([arrivals], sent)
    pool = next(pool.concurrency for pool in POOLS if pool.name == "medium")
    return [
        told("accepted", sent.total),
        told("sent before the key was revoked", before),
        # Besides the pages in hand, one message every so often asks whether the old key is taken again.
        at_most("refusals by the provider", refused, PAGE_SIZE * pool + (replaced - since) // STOP_RETRY_SECONDS + 1),
        told("held while it was", held.get("retrying", 0)),
        exactly("given up while it was", sum(held.get(status, 0) for status in _GIVEN_UP), 0),
        exactly("lost", lost, 0),
        exactly("sent twice", repeated, 0),
        exactly("not sent in the end", sent.total - arena.statuses(since).get("sent", 0), 0),
        exactly("deliveries that used more than one attempt", sent.total - arena.attempts(since).get(1, 0), 0),
        exactly("processes restarted", len(processes.items() - _processes(arena).items()), 0),
        told("new key → the first acceptance", min(a.at for a in arrivals.values() if a.at > replaced) - replaced, "s"),
        told("new key → all of it", max(arrival.at for arrival in arrivals.values()) - replaced, "s"),
    ]


def _processes(arena: Arena) -> Mapping[str, int]:
    return arena.stack.roots()


SCENE = Scene("a provider's key is revoked", play, crowd_of(FCM, lambda sizes: sizes.keyed_pushes))
