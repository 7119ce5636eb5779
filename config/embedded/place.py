"""Where the servers keep their data: under the home, or elsewhere if their account cannot get there."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from config.embedded.account import Account

_PREFIX = "carillon-data-"
#: In a place outside the home: the home it belongs to.
_MARK = "belongs-to"


def place_for(account: Account | None, home: Path, recorded: str) -> Path:
    """A folder that the servers' account can reach: the recorded one, the home, or one of its own.

    Root's home is often closed to everybody else (`/root`). Then the data go to a private folder under `/var/tmp`,
    which outlives a restart of the machine; those of a home under the temporary folder go there too.
    """
    for known in (Path(recorded) if recorded else home, home):
        if known.is_dir() and (account is None or account.can_enter(known)):
            return known
    temporary = Path(tempfile.gettempdir())
    lasting = Path("/var/tmp")  # noqa: S108  mkdtemp makes a private folder
    for parent in (temporary, lasting) if home.is_relative_to(temporary) else (lasting, temporary):
        if parent.is_dir() and account and account.can_enter(parent):
            _clear_away_orphans(parent, temporary)
            return _own_folder(parent, home)
    return home


def _own_folder(parent: Path, home: Path) -> Path:
    own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    own.chmod(0o711)
    (own / _MARK).write_text(str(home), encoding="utf-8")
    return own


def _clear_away_orphans(parent: Path, temporary: Path) -> None:
    """Remove what belonged to temporary homes that are gone; any other home may be on a disk that is away."""
    for mark in parent.glob(f"{_PREFIX}*/{_MARK}"):
        if mark.is_file() and mark.stat().st_uid == os.geteuid():
            home = Path(mark.read_text(encoding="utf-8"))
            if home.is_relative_to(temporary) and not home.exists():
                shutil.rmtree(mark.parent, ignore_errors=True)
