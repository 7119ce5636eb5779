from __future__ import annotations

import os
import socket
import time

import pytest

from channels import conf, policy, redis_state
from channels.rules import bucket

pytestmark = pytest.mark.usefixtures("empty_redis")


def test_a_page_takes_what_is_there_in_one_call_and_is_told_the_wait() -> None:
    first = redis_state.take("a", 10, 20, 15)
    second = redis_state.take("a", 10, 20, 15)
    assert first is not None
    assert second is not None
    assert (first.granted, first.remaining, first.wait_seconds) == (15, 5, 0)
    assert (second.granted, second.remaining) == (5, 0)
    assert second.wait_seconds == pytest.approx(1.0, abs=0.1)
    assert second.reset_seconds == pytest.approx(2.0, abs=0.1)


def test_the_script_and_the_pure_rule_do_the_same_sums() -> None:
    level = None
    for wanted in (3, 50, 1, 7, 50, 2):
        shared = redis_state.take("same", 0.001, 40, wanted)
        level, alone = bucket.take(level, rate=0.001, burst=40, wanted=wanted, now=0.0)
        assert shared is not None
        assert (shared.granted, shared.remaining) == (alone.granted, alone.remaining)
        assert shared.wait_seconds == pytest.approx(alone.wait_seconds, rel=0.01)


def test_buckets_do_not_share_tokens() -> None:
    redis_state.take("one", 1, 5, 5)
    other = redis_state.take("other", 1, 5, 5)
    assert other is not None
    assert other.granted == 5


def test_a_clock_that_went_backwards_refills_nothing() -> None:
    redis_state.take("clock", 10, 20, 20)
    client = redis_state._client().redis
    client.hset("carillon:{clock}:tokens", "at", f"{time.time() + 3600:.6f}")
    first = redis_state.take("clock", 10, 20, 5)
    assert first is not None
    assert first.granted == 0
    assert float(client.hget("carillon:{clock}:tokens", "at")) < time.time() + 5


def test_a_full_bucket_is_forgotten() -> None:
    redis_state.take("short", 1000, 10, 10)
    assert 0 < redis_state._client().redis.pttl("carillon:{short}:tokens") <= 1010


def test_heartbeats_tell_their_age() -> None:
    redis_state.beat("critical")
    ages = redis_state.beat_ages()
    assert ages is not None
    assert list(ages) == ["critical"]
    assert 0 <= ages["critical"] < 2
    assert redis_state.answers()


def test_with_redis_away_everybody_is_told_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "redis_url", lambda: "redis://127.0.0.1:1/1")
    started = time.monotonic()
    for _ in range(1000):
        assert redis_state.take("a", 1, 1, 1) is None
    assert redis_state.beat_ages() is None
    assert not redis_state.answers()
    redis_state.beat("critical")
    assert time.monotonic() - started < 1.5


def test_a_server_that_forgot_its_scripts_is_given_them_again() -> None:
    redis_state.take("a", 1, 5, 1)
    redis_state._client().redis.script_flush()
    taken = redis_state.take("a", 1, 5, 1)
    assert taken is not None
    assert taken.remaining == 3


def test_a_forked_process_has_a_client_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = redis_state._client()
    assert redis_state._client() is before
    monkeypatch.setattr(before, "pid", os.getpid() + 1)
    assert redis_state._client() is not before


def test_a_frozen_server_costs_one_time_out_and_then_nothing_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        monkeypatch.setattr(conf, "redis_url", lambda: f"redis://127.0.0.1:{frozen.getsockname()[1]}/1")
        monkeypatch.setattr(policy, "REDIS_TIMEOUT_SECONDS", 0.3)
        started = time.monotonic()
        assert [redis_state.take("a", 1, 1, 1) for _ in range(100)] == [None] * 100
        assert 0.25 < time.monotonic() - started < 0.9
