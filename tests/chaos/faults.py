"""What is done to the platform, one at a time: a process is ended with -9, or Valkey is emptied."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

import psutil
import redis

from tests.bench.stack import Servers, Stack


class Fault(NamedTuple):
    """One thing that goes wrong, by the name it has in the report."""

    name: str
    strike: Callable[[Stack, Servers], None]


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _process(name: str) -> Callable[[Stack, Servers], None]:
    def strike(stack: Stack, _: Servers) -> None:
        _kill(stack.roots()[name])

    return strike


def _pool_child(stack: Stack, _: Servers) -> None:
    children = psutil.Process(stack.roots()["worker-medium"]).children()
    _kill(max(children, key=lambda child: sum(child.cpu_times()[:2])).pid)


def _web_worker(stack: Stack, _: Servers) -> None:
    children = psutil.Process(stack.roots()["web"]).children()
    _kill(max(children, key=lambda child: sum(child.cpu_times()[:2])).pid)


def _flush(_: Stack, servers: Servers) -> None:
    redis.Redis.from_url(servers.valkey_url(0)).flushall()


FAULTS = (
    Fault("a pool child of the workers", _pool_child),
    Fault("the worker of the priority", _process("worker-medium")),
    Fault("the housekeeping worker", _process("worker-housekeeping")),
    Fault("beat", _process("beat")),
    Fault("a web process, after its answers", _web_worker),
    Fault("the web server as a whole", _process("web")),
    Fault("Valkey", _process("valkey")),
    Fault("FLUSHALL on Valkey", _flush),
    Fault("PostgreSQL", _process("postgres")),
    Fault("the keeper of the embedded servers", _process("keeper")),
)
