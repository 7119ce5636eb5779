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


class Control:
    """What tests may ask and tell a stand-in that lives under a path of its own."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self.url = url
        self._session = session

    def tell(self, what: str, **words: Any) -> None:
        """Post to one of its controls: `__faults`, `__webhook` …."""
        self._session.post(f"{self.url}/{what}", json=words, timeout=5).raise_for_status()

    def ask(self, what: str) -> dict[str, Any]:
        """Get one of its controls."""
        found: dict[str, Any] = self._session.get(f"{self.url}/{what}", timeout=5).json()
        return found

    def ledger(self) -> dict[str, list[Any]]:
        """What it accepted, by delivery id."""
        found: dict[str, list[Any]] = self._session.get(f"{self.url}/__ledger", timeout=5).json()
        return found

    def summary(self) -> dict[str, Any]:
        """Its counts."""
        found: dict[str, Any] = self._session.get(f"{self.url}/__ledger/summary", timeout=5).json()
        return found


class Lab:
    """The stand-ins at work."""

    def __init__(self, places: dict[str, Any]) -> None:
        self.places = places
        self.control = places["fcm"]["plain_url"]
        self.folder = Path(places["ca_file"]).parent
        self.mail_folder = Path(places["smtp"]["mail_folder"])
        self._session = requests.Session()
        self._session.trust_env = False
        self._used: dict[str, Control] = {}

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

    def apns(self, **changes: Any) -> Account:
        """An account at the APNs stand-in."""
        place = self.places["apns"]
        declared: dict[str, Any] = {
            "name": "apns-lab",
            "adapter": "apns",
            "channel": Channel.PUSH,
            "base_url": place["base_url"],
            "ca_file": self.places["ca_file"],
            "options": {name: place[name] for name in ("key_id", "team_id", "topic")},
            "secrets": {"private_key": SecretRef("file", place["private_key_file"])},
        }
        return Account(**{**declared, **changes})

    def webpush(self, **changes: Any) -> Account:
        """An account for browsers that subscribed at the Web Push stand-in."""
        place = self.places["webpush"]
        declared: dict[str, Any] = {
            "name": "webpush-lab",
            "adapter": "webpush",
            "channel": Channel.PUSH,
            "ca_file": self.places["ca_file"],
            "options": {name: place[name] for name in ("subject", "allow_hosts")},
            "secrets": {"vapid_private_key": SecretRef("file", place["vapid_private_key_file"])},
        }
        return Account(**{**declared, **changes})

    def browser(self, **wish: str) -> dict[str, Any]:
        """A new browser's PushSubscription at the Web Push stand-in."""
        url = f"{self.places['webpush']['plain_url']}/__subscribe"
        answer = self._session.post(url, json=wish, timeout=5)
        answer.raise_for_status()
        subscription: dict[str, Any] = answer.json()
        return subscription

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

    def sendgrid(self, **changes: Any) -> Account:
        """An account at the SendGrid stand-in."""
        place = self.places["sendgrid"]
        declared: dict[str, Any] = {
            "name": "sendgrid-lab",
            "adapter": "sendgrid",
            "channel": Channel.EMAIL,
            "base_url": place["base_url"],
            "ca_file": self.places["ca_file"],
            "options": {
                "from_email": "news@example.com",
                "from_name": "The Shop",
                "webhook_public_key": place["webhook_public_key"],
            },
            "secrets": {"api_key": SecretRef("file", place["api_key_file"])},
        }
        return Account(**{**declared, **changes})

    def at_work(self, name: str) -> Control:
        """The controls of a stand-in, as it is."""
        return Control(self.places[name]["plain_url"], self._session)

    def ses(self, **changes: Any) -> Account:
        """An account at the SES stand-in."""
        place = self.places["ses"]
        options = {name: place[name] for name in ("region", "access_key_id", "topic_arn")}
        declared: dict[str, Any] = {
            "name": "ses-lab",
            "adapter": "ses",
            "channel": Channel.EMAIL,
            "base_url": place["base_url"],
            "ca_file": self.places["ca_file"],
            "options": {**options, "from_email": "news@example.com", "from_name": "The Shop"},
            "secrets": {"secret_access_key": SecretRef("file", place["secret_access_key_file"])},
        }
        return Account(**{**declared, **changes})

    def at(self, name: str) -> Control:
        """The controls of a stand-in, as after a fresh start."""
        control = Control(self.places[name]["plain_url"], self._session)
        control.tell("__reset")
        self._used[name] = control
        return control

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
        """A new day for the stand-ins that were used, and an empty mail folder."""
        self._session.post(f"{self.control}/__reset", timeout=5).raise_for_status()
        while self._used:
            self._used.popitem()[1].tell("__reset")
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
