"""Redis dies and comes back while accounts fail: each process goes on by itself, and then with the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels import conf, gate, policy, redis_state
from channels.rules.accounts import Account
from channels.rules.breaker import BreakerTerms, State
from channels.rules.tally import Tally
from channels.vocabulary import Channel
from tests.private_redis import PrivateRedis
from tests.providers.waiting import eventually

ACCOUNT = Account(name="main", adapter="scripted", channel=Channel.EMAIL, breaker=BreakerTerms(failures=3))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateRedis]:
    monkeypatch.setattr(policy, "REDIS_AWAY_SECONDS", 0.05)
    server = PrivateRedis(tmp_path)
    monkeypatch.setattr(conf, "redis_url", lambda: f"redis://127.0.0.1:{server.port}/0")
    eventually(redis_state.answers)
    yield server
    server.stop()


def fail(count: int) -> int:
    """One page with so many faults; how many of ten were let through."""
    token = gate.new_token()
    admission = gate.admit(ACCOUNT, 10, token=token, fingerprint="")
    gate.report(ACCOUNT, admission, Tally(faults=count), token=token, fingerprint="")
    return admission.granted


def state() -> State:
    known = gate.read(["main"])["main"].gate
    return State.CLOSED if known is None else known.breaker.state


def test_a_circuit_is_kept_by_the_process_alone_while_redis_is_away(server: PrivateRedis) -> None:
    assert fail(2) == 10
    server.stop()
    assert [fail(1) for _ in range(5)] == [10, 10, 10, 0, 0]
    assert state() is State.OPEN
    server.start()
    eventually(redis_state.answers)
    assert state() is State.CLOSED


def test_a_page_waits_for_a_dead_redis_once_and_not_each_time(
    server: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "REDIS_AWAY_SECONDS", 60.0)
    server.stop()
    started = time.monotonic()
    for _ in range(1000):
        fail(0)
    assert time.monotonic() - started < 1.0


def test_a_redis_that_forgot_everything_lets_traffic_through_again(server: PrivateRedis) -> None:
    fail(3)
    assert fail(0) == 0
    server.stop()
    server.start()
    eventually(redis_state.answers)
    assert fail(0) == 10
