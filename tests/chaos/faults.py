"""What is done to the platform, one at a time: a process is ended with -9, or Valkey is emptied."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

import psutil
import redis

from celeryconfig import POOLS
from tests.bench.stack import Servers, Stack


class Fault(NamedTuple):
    """One thing that goes wrong, by the name it has in the report."""

    name: str
    strike: Callable[[Stack, Servers], None]


def _kill(pid: int, with_: signal.Signals = signal.SIGKILL) -> None:
    """End a process; raises ProcessLookupError where it is not there, as while its keeper starts it again."""
    if pid <= 0:  # to a kernel that is all of our own group
        raise ProcessLookupError
    os.kill(pid, with_)


def _process(name: str) -> Callable[[Stack, Servers], None]:
    def strike(stack: Stack, _: Servers) -> None:
        _kill(stack.roots()[name])

    return strike


def _busiest_child(name: str) -> Callable[[Stack, Servers], None]:
    def strike(stack: Stack, _: Servers) -> None:
        children = psutil.Process(stack.roots()[name]).children()
        _kill(max(children, key=lambda child: sum(child.cpu_times()[:2])).pid)

    return strike


def _at_once(_: Stack, servers: Servers) -> None:
    """What an operator's `pg_ctl stop -m immediate` does; the keeper starts it again."""
    _kill(servers.roots()["postgres"], signal.SIGQUIT)


def _flush(_: Stack, servers: Servers) -> None:
    redis.Redis.from_url(servers.valkey_url(0)).flushall()


FAULTS = (
    Fault("a pool child of the workers", _busiest_child("worker-medium")),
    Fault("the worker of the priority", _process("worker-medium")),
    Fault("the housekeeping worker", _process("worker-housekeeping")),
    Fault("beat", _process("beat")),
    Fault("a web process, after its answers", _busiest_child("web")),
    Fault("the web server as a whole", _process("web")),
    Fault("Valkey", _process("valkey")),
    Fault("FLUSHALL on Valkey", _flush),
    Fault("PostgreSQL", _process("postgres")),
    Fault("the keeper of the embedded servers", _process("keeper")),
)

_CHILDREN = {pool.name: pool.concurrency for pool in POOLS}
#: Who sends a campaign: those who tell slices, and those who send what comes later of it.
_SENDERS = _CHILDREN["campaigns"] + _CHILDREN["low"]
#: What befalls a campaign, and how many pages or slices are with providers in what dies of it: that bounds the repeats.
#: Workers end what they have in hand when they lose the broker, and cannot put down what they sent without PostgreSQL.
BLOWS = {
    Fault("a child of the campaigns' pool", _busiest_child("worker-campaigns")): 1,
    Fault("the campaigns' worker", _process("worker-campaigns")): _CHILDREN["campaigns"],
    Fault("a child of the low pool", _busiest_child("worker-low")): 1,
    Fault("the low worker", _process("worker-low")): _CHILDREN["low"],
    Fault("the housekeeping worker", _process("worker-housekeeping")): 0,
    Fault("beat", _process("beat")): 0,
    Fault("the web server", _process("web")): 0,
    Fault("Valkey", _process("valkey")): _SENDERS,
    Fault("FLUSHALL on Valkey", _flush): 0,
    Fault("PostgreSQL", _process("postgres")): _SENDERS,
    Fault("PostgreSQL, stopped at once", _at_once): _SENDERS,
}
