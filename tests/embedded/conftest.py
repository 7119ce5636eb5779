"""Homes of their own for real servers, and real processes that use them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select
from time import monotonic
from typing import Any

import psutil
import psycopg
import pytest

from config.embedded import record
from config.embedded.home import REPOSITORY, Home
from config.embedded.locks import is_held

#: A process that uses the servers until its standard input ends; its first line is where they are.
USER = """
import json, sys
from config.embedded import endpoints
where = endpoints()
print(json.dumps([where.database_url, where.redis_url, where.broker_url]), flush=True)
sys.stdin.read()
"""


def wait_until(condition: Callable[[], object], *, seconds: float = 15.0) -> None:
    """Look again and again; fail when the time is over."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, f"not within {seconds:g} s: {condition}"
        select((), (), (), 0.02)


@dataclass
class User:
    """A process that uses the servers of a home."""

    process: subprocess.Popen[str]
    database_url: str = ""
    redis_url: str = ""
    broker_url: str = ""
    #: What it said where it could not.
    error: str = ""

    def wait_for_servers(self) -> User:
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            self.database_url, self.redis_url, self.broker_url = json.loads(line)
        else:
            self.error = self.process.communicate()[1]
        return self

    def leave(self) -> None:
        self.process.communicate()


@dataclass
class Lodging:
    """A home under test."""

    home: Home
    users: list[User]
    environment: dict[str, str]

    def user(self, *prefix: str, python: str = sys.executable, **environment: str) -> User:
        """Start a process that uses the servers, without waiting for them."""
        process = subprocess.Popen(
            [*prefix, python, "-c", USER],
            cwd=REPOSITORY,
            env=self.environment | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.users.append(User(process))
        return self.users[-1]

    def state(self, server: str) -> record.ServerState:
        return record.load(self.home.servers).servers.get(server, record.ServerState())

    def kill(self, server: str) -> int:
        pid = self.state(server).pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def is_quiet(self) -> bool:
        """Whether neither keeper nor servers are left."""
        if is_held(self.home.keeper_lock):
            return False
        marks = {str(self.home.root), record.load(self.home.servers).place} - {""}
        return not any(mark in part for mark in marks for part in _command_lines())


def _command_lines() -> Iterator[str]:
    for process in psutil.process_iter(["cmdline", "pid"]):
        command: list[Any] = process.info["cmdline"] or []
        if process.pid != os.getpid() and ("postgres" in str(command[:1]) or "config.embedded.keeper" in command):
            yield " ".join(command)


@contextmanager
def lodging_in(folder: Path) -> Iterator[Lodging]:
    """A fresh home whose servers stop with their last user; nothing is left of it afterwards."""
    for_servers = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "CARILLON_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in for_servers}
    environment |= {"CARILLON_HOME": str(folder / "home"), "CARILLON_KEEP_SECONDS": "0"}
    lodging = Lodging(Home(folder / "home"), [], environment)
    yield lodging
    for user in lodging.users:
        if user.process.poll() is None:
            user.leave()
    wait_until(lodging.is_quiet)
    if place := record.load(lodging.home.servers).place:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def lodging(tmp_path: Path) -> Iterator[Lodging]:
    """A home for one test, which may do to it what it likes."""
    with lodging_in(tmp_path) as lodging:
        yield lodging


@pytest.fixture(scope="session")
def inhabited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lodging]:
    """A home whose servers run, for tests that only look."""
    with lodging_in(tmp_path_factory.mktemp("inhabited")) as lodging:
        lodging.user().wait_for_servers()
        yield lodging


def ask(database_url: str, statement: str) -> Any:
    """One value from a database."""
    with psycopg.connect(database_url, connect_timeout=5) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def answers(database_url: str) -> bool:
    try:
        return bool(ask(database_url, "SELECT 1") == 1)
    except psycopg.OperationalError:
        return False
