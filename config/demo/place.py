"""The demo's folder, `$CARILLON_HOME/demo`, and what is where in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

from config.embedded.record import write_privately


class DemoFault(Exception):
    """Why the demo cannot go on, as a sentence for whoever runs it; `said` is what a program said last."""

    def __init__(self, sentence: str, said: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.said = said


class Access(msgspec.Struct, kw_only=True):
    """How to get in; made once and good for every later run."""

    admin_user: str = "demo"
    admin_password: str = ""
    api_key: str = ""


class Place(msgspec.Struct, frozen=True):
    """Names of the demo's files."""

    root: Path

    @classmethod
    def below(cls, home: Path) -> Self:
        """The folder of an installation, made if it is not there yet, without the mails of an earlier run."""
        place = cls(home / "demo")
        place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for mail in place.mails.glob("*.eml"):
            mail.unlink()
        return place

    @property
    def providers(self) -> Path:
        """The provider accounts: all of them stand-ins on this machine."""
        return self.root / "providers.toml"

    @property
    def lab(self) -> Path:
        """What the stand-ins prove themselves with."""
        return self.root / "lab"

    @property
    def mails(self) -> Path:
        """Every mail the SMTP stand-in took, as an .eml file."""
        return self.lab / "mails"

    @property
    def platform_log(self) -> Path:
        """What `manage.py up` says."""
        return self.root / "up.log"

    @property
    def lab_log(self) -> Path:
        """What the stand-ins say."""
        return self.root / "lab.log"

    @property
    def access_file(self) -> Path:
        """Password and key, for their owner alone."""
        return self.root / "access.json"

    def read_access(self) -> Access:
        """What an earlier run has made; empty where there was none."""
        try:
            return msgspec.json.decode(self.access_file.read_bytes(), type=Access)
        except (OSError, msgspec.MsgspecError):
            return Access()

    def keep_access(self, access: Access) -> None:
        """For the next run, and for whoever looks in between."""
        write_privately(self.access_file, msgspec.json.format(msgspec.json.encode(access)) + b"\n")
