"""What a person may choose about the embedded servers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from config import env


@dataclass(frozen=True, slots=True)
class Choices:
    """The variables of the environment that the keeper follows."""

    keep_seconds: float
    postgres_bin: Path | None
    valkey_server: Path | None


def read_choices() -> Choices:
    """Read by every process that uses the servers, so that a fault is told to whoever made it."""
    return Choices(
        keep_seconds=env.seconds(
            "CARILLON_KEEP_SECONDS", 3.0, about="How long embedded servers outlive the last process that uses them"
        ),
        postgres_bin=env.path("CARILLON_POSTGRES_BIN", about="Folder with the PostgreSQL programs to embed"),
        valkey_server=env.path("CARILLON_VALKEY_SERVER", about="The valkey-server or redis-server to embed"),
    )
