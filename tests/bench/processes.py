"""What processes cost: CPU by group, with nothing lost, and memory now and then. Linux only: it reads /proc.

A group is the tree under one process. The kernel adds the time of a child to its parent when the parent collects it
(`cutime`), so the sum over a living tree holds every pool child and database backend that has come and gone.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

_TICK = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
#: Seconds between two looks at memory: a look at fifty processes costs 50 ms of kernel time.
LOOK_EVERY = 4.0


#: The group of the bench itself, which every meter knows.
BENCH = "bench, driver"


class ProcessLostError(Exception):
    """The first process of a group ended while it was measured: its figures would be wrong."""


class Row(NamedTuple):
    """One process."""

    parent: int
    #: User and system time of its own and of children it has collected.
    seconds: float


class Memory(NamedTuple):
    """Bytes of one group: each page of memory counted once, shared ones by halves (PSS)."""

    #: Pages of the program and its data.
    own: int = 0
    #: Shared memory, which is PostgreSQL's cache.
    cache: int = 0


class Cost(NamedTuple):
    """What one group took during a measurement."""

    cpu_seconds: float
    peak: Memory


def read_rows() -> dict[int, Row]:
    """Every process by pid."""
    rows = {}
    for folder in _PROC.glob("[0-9]*"):
        if (row := _row(int(folder.name))) is not None:
            rows[int(folder.name)] = row
    return rows


def trees(rows: Mapping[int, Row], roots: Mapping[str, int]) -> dict[str, list[int]]:
    """Pids by group; a process belongs to the nearest root above it."""
    names = {pid: name for name, pid in roots.items()}
    found: dict[str, list[int]] = {name: [] for name in roots}
    for pid in rows:
        at = pid
        while at not in names and at in rows:
            at = rows[at].parent
        if at in names:
            found[names[at]].append(pid)
    return found


def cpu_seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """Time each group has taken since it was born."""
    rows = read_rows()
    for name, pid in roots.items():
        if pid not in rows:
            raise ProcessLostError(f"{name} (process {pid}) has ended")
    return {name: sum(rows[pid].seconds for pid in pids) for name, pids in trees(rows, roots).items()}


def busy_seconds() -> float:
    """Time the machine has spent on anything since it started: all of `cpu` but idle and waiting for disks."""
    with (_PROC / "stat").open() as stat:
        user, nice, system, _, _, *interrupts = (int(word) for word in stat.readline().split()[1:9])
    return (user + nice + system + sum(interrupts)) / _TICK


def memory(roots: Mapping[str, int]) -> dict[str, Memory]:
    """What each group holds now; processes that end meanwhile or are not ours to see count nothing."""
    held = {}
    for name, pids in trees(read_rows(), roots).items():
        parts = [_memory(pid) for pid in pids]
        held[name] = Memory(sum(part.own for part in parts), sum(part.cache for part in parts))
    return held


class Meter:
    """A context around what is measured; `costs` afterwards."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = {**roots, BENCH: os.getpid()}
        self._peaks = dict.fromkeys(self._roots, Memory())
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self.costs: dict[str, Cost] = {}
        #: Share of the machine that went to processes that are neither measured nor ours.
        self.strangers = 0.0

    def __enter__(self) -> Self:
        self._before = cpu_seconds(self._roots)
        self._began, self._busy = time.monotonic(), busy_seconds()
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        after = cpu_seconds(self._roots) if kind is None else self._before
        self.strangers = self._strangers(sum(after.values()) - sum(self._before.values()))
        self._ended.set()
        self._watch.join()
        self.costs = {name: Cost(seconds - self._before[name], self._peaks[name]) for name, seconds in after.items()}

    def _strangers(self, ours: float) -> float:
        available = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        return max(0.0, busy_seconds() - self._busy - ours) / available

    def _look(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(LOOK_EVERY)
            for name, now in memory(self._roots).items():
                peak = self._peaks[name]
                self._peaks[name] = Memory(max(peak.own, now.own), max(peak.cache, now.cache))


def _row(pid: int) -> Row | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()
    return Row(int(fields[1]), sum(map(int, fields[11:15])) / _TICK)


def _memory(pid: int) -> Memory:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return Memory()
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    cache = kilobytes.get("Pss_Shmem", 0)
    return Memory((kilobytes.get("Pss", 0) - cache) * 1024, cache * 1024)
