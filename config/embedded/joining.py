"""How a process becomes a user of the embedded servers: it shares a lock and finds or starts a keeper."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from select import select
from time import monotonic

from config.embedded import record
from config.embedded.home import REPOSITORY, Home
from config.embedded.locks import FileLock, is_held
from config.embedded.record import ServerState
from config.embedded.server import last_lines, rotate
from config.env import ConfigurationError

#: Seconds; making a data folder takes under one, replaying a long log after a crash may take many.
START_LIMIT = 120.0
_LOOK_EVERY = 0.01
#: The variable that makes an embedded server unnecessary.
REPLACED_BY = {"postgres": "DATABASE_URL", "valkey": "REDIS_URL"}
#: Held until this process ends; a fork holds them with us.
_memberships: dict[Path, FileLock] = {}


def join(home: Home, names: Sequence[str]) -> dict[str, ServerState]:
    """Use these servers from now until this process ends; returns when they answer."""
    for name in names:
        _hold(home.users_lock(name))
    return _ready(home, names) or _start(home, names)


def leave(home: Home) -> None:
    """Stop being a user before the end of the process."""
    for path in [path for path in _memberships if path.parent == home.keeper_lock.parent]:
        _memberships.pop(path).close()


def _hold(path: Path) -> None:
    if path not in _memberships:
        _memberships[path] = FileLock(path)
        _memberships[path].share()


def _ready(home: Home, names: Sequence[str]) -> dict[str, ServerState]:
    """The states of the servers if every one of them answers, else nothing."""
    if not is_held(home.keeper_lock):
        return {}
    servers = record.load(home.servers).servers
    states = {name: servers[name] for name in names if name in servers and servers[name].ready}
    return states if len(states) == len(names) else {}


def _start(home: Home, names: Sequence[str]) -> dict[str, ServerState]:
    """Start a keeper unless there is one, and wait for the servers; of many processes one does it."""
    with FileLock(home.start_lock) as turn:
        turn.hold()
        end = monotonic() + START_LIMIT
        keepers = 0
        while monotonic() < end:
            if states := _ready(home, names):
                return states
            if not is_held(home.keeper_lock):
                keepers += 1
                if keepers > 2:  # noqa: PLR2004  one may have been on its way out, two are a fault
                    break
                record.forget_servers(home.servers)  # before there is a keeper, so that nobody believes the old one
                _start_keeper(home)
            _raise_problem(home, names)
            select((), (), (), _LOOK_EVERY)
        raise _fault(names[0], last_lines(home.logs / "keeper.log"), f"See {home.logs}")


def _start_keeper(home: Home) -> None:
    """Returns when the keeper holds its lock; it is no child of ours and sees no secret of ours."""
    kept = (
        "PATH",
        "LANG",
        "TMPDIR",
        "CARILLON_KEEP_SECONDS",
        "CARILLON_POSTGRES_BIN",
        "CARILLON_VALKEY_SERVER",
    )
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    rotate(home.logs / "keeper.log")
    with (home.logs / "keeper.log").open("ab") as log:
        subprocess.run(  # noqa: S603  our own interpreter
            [sys.executable, "-m", "config.embedded.keeper", str(home.root)],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
            timeout=START_LIMIT,
        )


def _raise_problem(home: Home, names: Sequence[str]) -> None:
    servers = record.load(home.servers).servers
    for name in names:
        if name in servers and servers[name].problem:
            raise _fault(name, servers[name].problem, servers[name].cure)


def _fault(name: str, problem: str, cure: str) -> ConfigurationError:
    variable = REPLACED_BY[name]
    return ConfigurationError(variable, f"it is not set, and the embedded {name} does not run: {problem}", cure)
