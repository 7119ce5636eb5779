"""Weights that move by themselves: who does badly gets less, and gets it back."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from pytest_django import Settings

from channels import conf, gate, health, registry
from channels.rules.gate import Admission
from channels.rules.scorecard import Minute
from channels.rules.tally import Tally
from channels.vocabulary import Channel

pytestmark = pytest.mark.django_db

FILE = """
[[provider]]
name = "one"
adapter = "sandbox"
channel = "email"

[[provider]]
name = "two"
adapter = "sandbox"
channel = "email"
weight = 100

[[provider]]
name = "spare"
adapter = "sandbox"
channel = "email"
weight = 0
"""


@pytest.fixture(autouse=True)
def _accounts(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / f"providers-{time.monotonic_ns()}.toml"
    path.write_text(FILE)
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": path}


def happened(name: str, minute: Minute) -> None:
    account = next(one for one in conf.accounts() if one.name == name)
    gate.report(account, Admission(granted=1, allowed=1), Tally(minute=minute), token="t", fingerprint="")
    health.forget()


def asked_first() -> Counter[str]:
    return Counter(registry.accounts_for(Channel.EMAIL, test=False)[0].name for _ in range(2000))


def slow(count: int, ms: float) -> Minute:
    line = Minute()
    line.add_sound([ms] * count)
    return line


@pytest.mark.parametrize("memory", ["shared", "alone"])
def test_errors_take_traffic_away_but_never_all_of_it(request: pytest.FixtureRequest, memory: str) -> None:
    if memory == "alone":
        request.getfixturevalue("redis_away")
    even = asked_first()
    assert 900 < even["one"] < 1100
    happened("one", Minute(sound=500, faults=480))
    moved = asked_first()
    assert 250 < moved["one"] < 550
    assert moved["spare"] == 0


def test_slowness_takes_traffic_away_unless_all_are_slow() -> None:
    happened("one", slow(100, 4000.0))
    happened("two", slow(100, 100.0))
    assert asked_first()["one"] < 350
    happened("two", slow(10_000, 4000.0))
    assert 850 < asked_first()["one"] < 1150
