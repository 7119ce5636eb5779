"""The account the servers run as: this user's own, or `nobody` where this user is root.

PostgreSQL refuses to run as root. Nothing is added to the machine for that: no user is made, no mode changed.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user of this machine."""

    uid: int
    gid: int

    def identity(self) -> dict[str, Any]:
        """What `subprocess` has to be told to run a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """Whether this account gets there, asked of the kernel and not worked out from modes."""
        probe = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
        answer = subprocess.run(  # noqa: S603  a fixed command
            probe, cwd="/", check=False, capture_output=True, **self.identity()
        )
        return answer.returncode == 0


def server_account() -> Account | None:
    """None: run the servers as ourselves."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def give(path: Path, account: Account | None) -> None:
    """Make the servers' account the owner of one path."""
    if account:
        os.chown(path, account.uid, account.gid)
