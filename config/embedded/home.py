"""The folder where everything of one installation lives: `CARILLON_HOME`."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from config import env

#: The checkout this code runs from.
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Home:
    """Names of the files under one `CARILLON_HOME`."""

    root: Path

    @property
    def servers(self) -> Path:
        """Where the servers are: ports, passwords, pids. Written by the keeper alone."""
        return self.root / "servers.json"

    @property
    def up(self) -> Path:
        """What `make up` is running: port and pids."""
        return self.root / "up.json"

    @property
    def secrets(self) -> Path:
        """The keys made up for an installation that was given none."""
        return self.root / "secrets.json"

    @property
    def logs(self) -> Path:
        """What the keeper and the servers say."""
        return self.root / "logs"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper for as long as it lives."""
        return self.root / "locks" / "keeper.lock"

    @property
    def start_lock(self) -> Path:
        """Held by whoever is starting a keeper."""
        return self.root / "locks" / "start.lock"

    @property
    def secrets_lock(self) -> Path:
        """Held by whoever is making up the keys."""
        return self.root / "locks" / "secrets.lock"

    @property
    def up_lock(self) -> Path:
        """Held by the supervisor of `make up`."""
        return self.root / "locks" / "up.lock"

    def users_lock(self, server: str) -> Path:
        """Shared by every process that uses this server; the kernel lets go of it when a process dies."""
        return self.root / "locks" / f"{server}.users.lock"


def carillon_home() -> Home:
    """The home named by the environment, made if it is not there yet."""
    root = env.path(
        "CARILLON_HOME",
        REPOSITORY / ".carillon",
        about="Where the embedded servers, their data, generated keys and logs live",
    )
    return prepared(root)


def prepared(root: Path) -> Home:
    """A home whose folders exist and can be written by this user."""
    home = Home(root)
    try:
        _make(root)
        for folder in (home.logs, home.keeper_lock.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unwritable(root, error) from None
    if not all(os.access(folder, os.W_OK) for folder in (root, home.logs, home.keeper_lock.parent)):
        raise _unwritable(root, PermissionError(13, "it belongs to another user"))
    return home


def _make(root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        root.mkdir()
        # The servers of root run as another account, which has to pass through; what is inside is closed.
        root.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _unwritable(root: Path, error: OSError) -> env.ConfigurationError:
    problem = f"{root} cannot be written ({error.strerror})"
    return env.ConfigurationError("CARILLON_HOME", problem, "Set CARILLON_HOME to a folder that this user owns")
