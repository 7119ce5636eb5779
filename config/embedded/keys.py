"""Keys made up once for an installation that was given none."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from config.embedded.home import Home, prepared
from config.embedded.locks import FileLock
from config.embedded.record import write_privately
from config.env import ConfigurationError


@dataclass(frozen=True, slots=True)
class Secrets:
    """What signs, what encrypts, what hashes."""

    secret_key: str
    #: `key id:base64 of 32 bytes`, the current one first.
    master_keys: str
    #: base64 of 32 bytes.
    hash_key: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def generated_secrets(root: Path) -> Secrets:
    """The keys of this home: made at the first call, by one process only, and the same ever after."""
    home = prepared(root)
    with FileLock(home.secrets_lock) as lock:
        lock.hold()
        if not home.secrets.exists():
            write_privately(home.secrets, json.dumps(asdict(_fresh()), indent=1).encode())
        return _read(home)


def _fresh() -> Secrets:
    return Secrets(secret_key=secrets.token_urlsafe(48), master_keys=f"k1:{_random_key()}", hash_key=_random_key())


def _read(home: Home) -> Secrets:
    try:
        return Secrets(**json.loads(home.secrets.read_bytes()))
    except (OSError, ValueError, TypeError):
        # Never replaced on its own: with these keys every address in the database would be lost.
        raise ConfigurationError(
            "CARILLON_HOME",
            f"{home.secrets} cannot be read as the keys of this installation",
            "Restore the file from a copy; without it the encrypted data of this home is lost",
        ) from None


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
