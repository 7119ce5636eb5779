"""`manage.py up`: what is checked before the first process is started, and what is said once all run."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from celeryconfig import POOLS
from config import env
from config.embedded import carillon_home, endpoints
from config.embedded.home import REPOSITORY, Home
from config.embedded.locks import FileLock
from config.embedded.record import write_privately
from config.supervise.output import Lines, is_coloured
from config.supervise.plan import MIGRATE, WORKER_GRACE, PoolLike, Sizes, children
from config.supervise.supervisor import Supervisor

#: Seconds between two looks whether the keeper of the embedded servers is alive.
KEEPER_EVERY = 1.0


def read_sizes(pools: Iterable[PoolLike]) -> Sizes:
    """What the environment asks for."""
    names = {pool.name: f"CARILLON_POOL_{pool.name.upper()}" for pool in pools}
    port = env.integer("PORT", 8000, minimum=1, maximum=65_535, about="Where `make up` serves HTTP")
    return Sizes(
        port=port,
        stream_port=env.integer("CARILLON_STREAM_PORT", min(port, 65_534) + 1, minimum=1, maximum=65_535),
        web_workers=env.integer("CARILLON_WEB_WORKERS", 4, minimum=1, about="Processes that answer HTTP"),
        concurrency={
            pool.name: env.integer(
                names[pool.name], pool.concurrency, minimum=1, about=f"Processes of the pool {pool.name}"
            )
            for pool in pools
        },
    )


def main() -> int:
    """Run the platform until somebody stops it; answers the exit code."""
    sizes = read_sizes(POOLS)
    home = carillon_home()
    with FileLock(home.up_lock) as lock:
        if not lock.try_hold():
            raise _already_up(home)
        _refuse_busy("PORT", sizes.port)
        sizes = with_stream_port(sizes)
        table = children(POOLS, sizes)
        lines = Lines([MIGRATE.name, *(child.name for child in table)], fd=1, coloured=is_coloured())
        lines.say("starting; the first time takes a little longer")
        endpoints()
        with Supervisor(REPOSITORY, lines, grace=WORKER_GRACE) as supervisor:
            if not supervisor.run_once(MIGRATE):
                lines.say("the tables could not be brought up to date; nothing was started")
                return 1
            lines.say(f"the tables are up to date; starting {len(table)} processes")
            supervisor.run(table, Look(home, sizes.port, supervisor, lines).look)
            lines.say("stopping")
        home.up.unlink(missing_ok=True)
    return 0


@dataclass(slots=True)
class Look:
    """What the supervisor looks at a few times a second."""

    home: Home
    port: int
    supervisor: Supervisor
    lines: Lines
    _announced: bool = False
    _keeper_due: float = 0.0
    _written: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Note new pids; say once where everything is; see that the embedded servers have their keeper."""
        if (pids := self.supervisor.pids) != self._written:
            state = {"supervisor": os.getpid(), "port": self.port, "children": pids}
            write_privately(self.home.up, json.dumps(state).encode())
            self._written = pids
        if not self._announced and _answers(self.port):
            self._announced = True
            self.lines.say(_addresses(self.port))
        if monotonic() >= self._keeper_due:
            self._keeper_due = monotonic() + KEEPER_EVERY
            try:
                endpoints()
            except env.ConfigurationError as error:
                self.lines.say(str(error))


def _already_up(home: Home) -> env.ConfigurationError:
    problem = f"`up` already runs on {home.root}, or is still stopping"
    return env.ConfigurationError("CARILLON_HOME", problem, "Stop it first, or name another folder")


def _refuse_busy(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise env.ConfigurationError(
                name, f"{port} cannot be served ({error.strerror})", f"Set {name} to a free port"
            ) from None


def with_stream_port(sizes: Sizes) -> Sizes:
    """The second port, which nobody need know: any free one, unless it was asked for by name."""
    is_asked = bool(os.environ.get("CARILLON_STREAM_PORT"))
    if is_asked or sizes.stream_port != sizes.port:
        try:
            _refuse_busy("CARILLON_STREAM_PORT", sizes.stream_port)
        except env.ConfigurationError:
            if is_asked:
                raise
        else:
            return sizes
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return replace(sizes, stream_port=listener.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
        return True
    return False


def _addresses(port: int) -> str:
    here = f"http://127.0.0.1:{port}"
    return (
        "Carillon is up; Ctrl-C stops everything.\n"
        f"  admin     {here}/admin/\n"
        f"  API docs  {here}/v1/docs/\n"
        f"  health    {here}/readyz"
    )
