"""`servers.json`: what the keeper tells everybody else about the servers it keeps."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self


@dataclass(slots=True)
class ServerState:
    """One server as it stands. Port and password outlive the server, so that its address stays the same."""

    port: int = 0
    password: str = ""
    pid: int = 0
    program: str = ""
    ready: bool = False
    #: Why it does not start, and what to do about it; empty while there is hope.
    problem: str = ""
    cure: str = ""

    @classmethod
    def of(cls, written: dict[str, Any]) -> Self:
        """Read what another release may have written: unknown names are left out."""
        names = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in written.items() if name in names})


@dataclass(slots=True)
class Record:
    """The whole file."""

    keeper: int = 0
    #: Where data (and, if need be, copies of the programs) are; not under the home where the servers' account
    #: cannot get there.
    place: str = ""
    servers: dict[str, ServerState] = field(default_factory=dict)


def load(path: Path) -> Record:
    """The file as last written; an absent or unreadable one is an empty record."""
    try:
        written = json.loads(path.read_bytes())
        states = {name: ServerState.of(state) for name, state in written["servers"].items()}
        return Record(keeper=int(written["keeper"]), place=str(written["place"]), servers=states)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Record()


def forget_servers(path: Path) -> None:
    """After the death of a keeper: keep the addresses, and say no longer that anybody answers there."""
    stale = load(path)
    for state in stale.servers.values():
        state.ready, state.pid, state.problem, state.cure = False, 0, "", ""
    save(path, stale)


def save(path: Path, record: Record) -> None:
    """Write it whole or not at all, readable by its owner alone."""
    write_privately(path, json.dumps(asdict(record), indent=1).encode())


def write_privately(path: Path, content: bytes) -> None:
    """Replace a file in one step; nobody but its owner can read it, at no moment."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
