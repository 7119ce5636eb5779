"""The provider lab, started once for all tests of adapters."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from channels import registry
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import Channel

ROOT = Path(__file__).resolve().parents[2]


class Lab:
    """The stand-ins at work."""

    def __init__(self, places: dict[str, Any]) -> None:
        self.places = places
        self.control = places["fcm"]["plain_url"]
        self.folder = Path(places["ca_file"]).parent
        self.mail_folder = Path(places["smtp"]["mail_folder"])
        self._session = requests.Session()
        self._session.trust_env = False

    def fcm(self, **changes: Any) -> Account:
        """An account at the FCM stand-in."""
        declared: dict[str, Any] = {
            "name": "fcm-lab",
            "adapter": "fcm",
            "channel": Channel.PUSH,
            "base_url": self.places["fcm"]["base_url"],
            "ca_file": self.places["ca_file"],
            "options": {"project_id": self.places["fcm"]["project_id"]},
            "secrets": {"service_account": SecretRef("file", self.places["fcm"]["service_account_file"])},
        }
        return Account(**{**declared, **changes})

    def smtp(self, **changes: Any) -> Account:
        """An account at the SMTP stand-in, with STARTTLS and a login."""
        password = self.folder / "smtp-password"
        password.write_text(self.places["smtp"]["password"])
        declared: dict[str, Any] = {
            "name": "smtp-lab",
            "adapter": "smtp",
            "channel": Channel.EMAIL,
            "base_url": self.places["smtp"]["base_url"],
            "ca_file": self.places["ca_file"],
            "options": {
                "from_email": "news@example.com",
                "from_name": "The Shop",
                "starttls": True,
                "username": self.places["smtp"]["username"],
            },
            "secrets": {"password": SecretRef("file", str(password))},
        }
        return Account(**{**declared, **changes})

    def script(self, **script: Any) -> None:
        """Tell the FCM stand-in what to do wrong from now on."""
        self._session.post(f"{self.control}/__faults", json=script, timeout=5).raise_for_status()

    def ledger(self) -> dict[str, list[Any]]:
        """What the FCM stand-in accepted, by delivery id."""
        found: dict[str, list[Any]] = self._session.get(f"{self.control}/__ledger", timeout=5).json()
        return found

    def summary(self) -> dict[str, Any]:
        """Its counts."""
        found: dict[str, Any] = self._session.get(f"{self.control}/__ledger/summary", timeout=5).json()
        return found

    def reset(self) -> None:
        """A new day for the FCM stand-in, and an empty mail folder."""
        self._session.post(f"{self.control}/__reset", timeout=5).raise_for_status()
        for mail in self.mail_folder.iterdir():
            mail.unlink()


@pytest.fixture(scope="session")
def running_lab() -> Iterator[Lab]:
    """One lab for the session; it ends with its standard input, whatever becomes of the tests."""
    process = subprocess.Popen(
        [sys.executable, "-m", "config.lab", "--with-parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        yield Lab(json.loads(process.stdout.readline()))
        process.stdin.close()


@pytest.fixture
def lab(running_lab: Lab) -> Lab:
    """The lab as after a fresh start."""
    running_lab.reset()
    return running_lab


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    """What one test built, no other test uses."""
    registry.close()
    yield
    registry.close()
