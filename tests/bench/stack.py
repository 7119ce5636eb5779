"""The whole product as `make up` runs it, in a home of its own, on servers of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Self

import orjson

from config.embedded.home import REPOSITORY, prepared
from config.embedded.joining import join, leave
from config.embedded.postgres import NAME
from config.embedded.record import load
from tests.bench.wire import Connection

#: Seconds for the first start: tables, servers, a heartbeat from every pool.
_START_PATIENCE = 120.0
_STOP_PATIENCE = 60.0
_KEY = re.compile(r"crl_live_\S+")
_SCOPES = "send,send:critical,bulk,users,templates,operate,read"
#: What would lead the product to other servers than its own.
_FOREIGN = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "PORT", "DJANGO_SETTINGS_MODULE", "SENTRY_DSN")
#: Process of the platform → the line of the table it is counted in.
GROUPS = {
    "web": "web",
    "stream": "streams",
    "worker-medium": "workers, medium",
    "worker-high": "workers, high",
    "worker-critical": "workers, idle pools",
    "worker-low": "workers, low",
    "worker-campaigns": "workers, campaigns",
    "worker-receipts": "housekeeping, beat",
    "worker-housekeeping": "housekeeping, beat",
    "beat": "housekeeping, beat",
    "postgres": "PostgreSQL",
    "valkey": "Valkey",
    "supervisor": "supervisor, keeper",
    "keeper": "supervisor, keeper",
}


class Servers:
    """A context: embedded PostgreSQL and Valkey run inside it, under a keeper of their own."""

    def __init__(self, root: Path) -> None:
        self.home = prepared(root)

    def __enter__(self) -> Self:
        self._states = join(self.home, ["postgres", "valkey"])
        return self

    def __exit__(self, *_: object) -> None:
        keeper = self.roots()["keeper"]
        leave(self.home)
        wait_for(lambda: not _is_alive(keeper), _STOP_PATIENCE, "the embedded servers did not stop")

    def roots(self) -> dict[str, int]:
        """The first process of each, by name."""
        record = load(self.home.servers)
        return {"keeper": record.keeper} | {name: state.pid for name, state in record.servers.items()}

    def database_url(self) -> str:
        """The product's database."""
        state = self._states["postgres"]
        return f"postgres://{NAME}:{state.password}@127.0.0.1:{state.port}/{NAME}"

    def valkey_url(self, number: int) -> str:
        """A database of Valkey."""
        state = self._states["valkey"]
        return f"redis://:{state.password}@127.0.0.1:{state.port}/{number}"


class Stack:
    """A context: all that `make up` starts runs inside it, on the embedded servers."""

    def __init__(self, folder: Path, servers: Servers, providers_file: str) -> None:
        self._servers = servers
        self._log = folder / "up.log"
        providers = folder / "providers.toml"
        providers.write_text(providers_file, encoding="utf-8")
        self.port, self._stream_port = _free_ports()
        kept = {k: v for k, v in os.environ.items() if k not in _FOREIGN and not k.startswith("CARILLON_")}
        self.environment = kept | {
            "CARILLON_HOME": str(servers.home.root),
            "CARILLON_PROVIDERS_FILE": str(providers),
            # Counted as ever, but the same people are told again and again.
            "CARILLON_CAPS": "push 1000000/1h, sms 1000000/1h, email 1000000/1d",
            "CARILLON_CAPS_SECURITY": "1000000/10m",
            "CARILLON_CAPS_EVERYBODY": "none",
            "CARILLON_LOG_LEVEL": os.environ.get("CARILLON_LOG_LEVEL", "INFO"),
            "PORT": str(self.port),
            "CARILLON_STREAM_PORT": str(self._stream_port),
        }

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
            self.key = self._create_key()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def connection(self) -> Connection:
        """A connection of a caller who may do everything."""
        return Connection(self.port, self.key)

    def run(self, *command: str) -> str:
        """Run one of the product's programs to its end; answers what it said."""
        done = subprocess.run(
            [sys.executable, *command],
            cwd=REPOSITORY,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"bench: {' '.join(command)} failed\n{done.stderr}")
        return done.stdout

    def roots(self) -> dict[str, int]:
        """The first process of everything there is, by name."""
        up = orjson.loads(self._servers.home.up.read_bytes())
        return {**up["children"], "supervisor": up["supervisor"], **self._servers.roots()}

    def _create_key(self) -> str:
        said = self.run("manage.py", "create_api_key", "bench", "--scopes", _SCOPES, "--tier", "internal")
        found = _KEY.search(said)
        if found is None:
            raise SystemExit("bench: create_api_key printed no key")
        return found.group()

    def _wait_until_ready(self) -> None:
        wait_for(self._is_ready, _START_PATIENCE, "the product did not become ready")

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            said = self._log.read_text(errors="replace")[-3_000:]
            raise SystemExit(f"bench: `manage.py up` ended by itself\n{said}")
        try:
            with Connection(self.port, "") as connection:
                return connection.call("GET", "/readyz").status == 200
        except OSError:
            return False


def wait_for(condition: Callable[[], bool], patience: float, problem: str) -> None:
    """Wait for something to become true; the bench ends with the problem when it does not."""
    end, pause = time.monotonic() + patience, Event()
    while not condition():
        if time.monotonic() >= end:
            raise SystemExit(f"bench: {problem} within {patience:.0f} s")
        pause.wait(0.1)


def _is_alive(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()


def _free_ports() -> tuple[int, int]:
    """Two ports that nobody has, looked for together: one after the other may be the same."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return int(first.getsockname()[1]), int(second.getsockname()[1])
