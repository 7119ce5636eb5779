"""The real program in this process: its API, its tasks, PostgreSQL, and Redis as broker and for counters.

Messages go through the real broker and are taken from it one at a time, by chance out of any queue; some are lost and
some come twice. Beat is not there: a tick runs when a row says that something is due, a moment later.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from heapq import heappop, heappush
from typing import Any, Self

from celery.signals import after_task_publish
from django.db import connection
from django.test.utils import setup_test_environment

from campaigns import tasks as campaigning
from config.celery import app
from notify import tasks
from tests.week.clock import Clock

#: When anything is due next, of what no mode holds back for ever; and whether a campaign has people left to tell.
_DUE = """
SELECT EXISTS (SELECT FROM campaigns_slice JOIN campaigns_run r ON r.id = run_id WHERE r.status = 'running')
    OR EXISTS (SELECT FROM campaigns_run WHERE status = 'running' AND frozen_at IS NULL)
    OR EXISTS (SELECT FROM campaigns_campaign WHERE next_at <= clock.now() AND status IN ('scheduled', 'running')),
extract(epoch FROM least(
    (SELECT min(due_at) FROM notify_page),
    (SELECT min(next_attempt_at) FROM notify_delivery WHERE next_attempt_at < '9999-01-01'),
    (SELECT min(due_at) FROM notify_digest_item WHERE digest_id IS NULL),
    (SELECT min(due_at) FROM notify_receipt)))::float8
"""
#: Seconds a message lies in its queue at most, a tick is late at most, and pass between two runs of `maintain`.
_IN_QUEUE, _LATE, _MAINTAINED = 0.4, 2.0, 3 * 3_600.0
#: The same between two ticks while a campaign tells people; beat's are a second apart.
_CAMPAIGN_EVERY = 2.0
_LOST, _TWICE = 0.004, 0.01

Deed = Callable[[], None]


class Database(AbstractContextManager["Database"]):
    """A database of its own, with every table, that goes with the context."""

    def __enter__(self) -> Self:
        setup_test_environment()
        self._was = connection.settings_dict["NAME"]
        # Statements over partitioned tables take longer to plan than to run: here they are planned once.
        connection.settings_dict["OPTIONS"]["prepare_threshold"] = 3
        connection.settings_dict["TEST"]["NAME"] = f"week_{os.getpid()}"
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        return self

    def __exit__(self, *_: object) -> None:
        connection.creation.destroy_test_db(self._was, verbosity=0)


class Stage:
    """Where a week is played: deeds have their hour, and the program does its work between them."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self.clock, self.counts = clock, Counter[str]()
        self._chance = chance
        self._deeds: list[tuple[float, int, Deed]] = []
        self._number = 0
        #: Names of the queues that hold a message, once for each.
        self._waiting: list[str] = []
        self._queues = {queue.name: queue for queue in app.conf.task_queues}
        self._due: float | None = None
        self._is_fresh = self._is_campaigning = False
        self._maintain_at = clock.at
        after_task_publish.connect(self._published, weak=False)
        self._connection = app.connection_for_read()
        self._channel = self._connection.default_channel

    def at(self, when: float, deed: Deed) -> None:
        """Something somebody does at an instant."""
        self._number += 1
        heappush(self._deeds, (when, self._number, deed))

    def play(self, until: float) -> None:
        """Let time go by until an instant, or until nobody does anything and nothing is due."""
        while True:
            at, step = self._next()
            if at > until:
                return
            self.clock.move(at)
            self.run(step)

    def run(self, step: Deed) -> None:
        """Something of the program, at this instant."""
        self.clock.tell()
        step()
        self._is_fresh = False

    def _next(self) -> tuple[float, Deed]:
        """What comes first: a deed, a message out of a queue, or a tick."""
        deed_at = self._deeds[0][0] if self._deeds else float("inf")
        if self._waiting:
            at = self.clock.at + self._chance.random() * _IN_QUEUE
            return (deed_at, self._deed) if deed_at < at else (at, self._message)
        tick_at = self._tick_at()
        return (deed_at, self._deed) if deed_at < tick_at else (tick_at, self._tick)

    def _deed(self) -> None:
        heappop(self._deeds)[2]()
        self.counts["deeds"] += 1

    def _tick_at(self) -> float:
        if not self._is_fresh:
            self.clock.tell()
            with connection.cursor() as cursor:
                cursor.execute(_DUE)
                is_campaigning, self._due = cursor.fetchone()
            self._is_campaigning = is_campaigning
            if is_campaigning:
                self._due = min(self._due or self.clock.at + _CAMPAIGN_EVERY, self.clock.at + _CAMPAIGN_EVERY)
            self._late = self._chance.random() * _LATE
            self._is_fresh = True
        if self._due is None:
            return self._maintain_at if self._deeds else float("inf")
        return min(self._due + self._late, self._maintain_at)

    def _tick(self) -> None:
        """What beat runs, when something is due; the hourly one in its turn."""
        if self.clock.at >= self._maintain_at:
            self._maintain_at += _MAINTAINED
            tasks.maintain()
            campaigning.watch_runs()
            return
        for task in (tasks.sweep_pages, tasks.collect_due, tasks.make_digests, tasks.receive_receipts):
            task()
        if self._is_campaigning:
            campaigning.launch_due()
            campaigning.watch_runs()
        self.counts["ticks"] += 1

    def _published(self, routing_key: str = "", **_: Any) -> None:
        self._waiting.append(routing_key)

    def _message(self) -> None:
        """Take a message from a queue and do what it says: as a rule once."""
        name = self._waiting.pop(self._chance.randrange(len(self._waiting)))
        message = self._queues[name](self._channel).get(no_ack=True)
        if message is None:
            raise SystemExit(f"week: the queue {name} has lost a message by itself")
        fate = self._chance.random()
        if fate < _LOST:
            self.counts["messages lost"] += 1
            return
        args, _, _ = message.decode()
        for _ in range(2 if fate > 1 - _TWICE else 1):
            app.tasks[message.headers["task"]](*args)
            self.counts["messages"] += 1
        self.counts["messages twice"] += int(fate > 1 - _TWICE)
