from __future__ import annotations

import time
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.db.migrations.executor import MigrationExecutor
from kombu import Connection

import celeryconfig
from channels import redis_state
from config import broker, health
from tests.factories import Api


@pytest.fixture
def every_pool_works(empty_redis: None) -> None:
    for pool in celeryconfig.POOLS:
        redis_state.beat(pool.name)


def test_a_live_process_needs_nothing_to_say_so(redis_away: None) -> None:
    assert Api().get("/livez").json() == {"status": "alive"}


def test_ready_names_each_dependency_and_each_pool(stranger: Api, every_pool_works: None) -> None:
    answer = stranger.get("/readyz")
    body = answer.json()
    assert (answer.status_code, body["status"], body["faults"]) == (200, "ready", [])
    assert set(body["dependencies"]) == {"postgresql", "migrations", "redis", "broker"}
    assert set(body["pools"]) == {pool.name for pool in celeryconfig.POOLS}
    assert body["pools"]["critical"]["seconds_since_heartbeat"] < 5


def test_a_pool_that_never_worked_is_named(stranger: Api, empty_redis: None) -> None:
    for pool in celeryconfig.POOLS[1:]:
        redis_state.beat(pool.name)
    answer = stranger.get("/readyz")
    assert (answer.status_code, answer.json()["faults"]) == (503, [celeryconfig.POOLS[0].name])


def test_a_pool_that_stopped_a_minute_ago_is_named(
    stranger: Api, every_pool_works: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = {pool.name: 1.0 for pool in celeryconfig.POOLS} | {"high": health.STALE_AFTER_SECONDS + 1}
    monkeypatch.setattr(redis_state, "beat_ages", lambda: ages)
    body = stranger.get("/readyz").json()
    assert (body["faults"], body["pools"]["high"]["status"]) == (["high"], "stale")


def test_with_redis_away_the_pools_are_unknown_and_not_called_dead(stranger: Api, redis_away: None) -> None:
    answer = stranger.get("/readyz")
    body = answer.json()
    assert answer.status_code == 503
    assert body["dependencies"]["redis"]["status"] == "down"
    assert {pool["status"] for pool in body["pools"].values()} == {"unknown"}
    assert body["dependencies"]["postgresql"]["status"] == "up"


class Away:
    """A connection that nobody answers."""

    def cursor(self) -> Any:
        raise OperationalError("host=secret")

    def close(self) -> None:
        return


def test_postgresql_away_is_named(stranger: Api, every_pool_works: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "connection", Away())
    monkeypatch.setattr(health._Schema, "is_current", True)
    answer = stranger.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["dependencies"]["postgresql"] == {"status": "down", "detail": "OperationalError"}
    assert "secret" not in answer.content.decode()


def test_missing_migrations_are_told_until_they_are_applied(
    stranger: Api, every_pool_works: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health._Schema, "is_current", False)
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [("one", False)])
    told = stranger.get("/readyz").json()["dependencies"]["migrations"]
    assert told == {"status": "down", "detail": "1 not applied; run manage.py migrate"}
    monkeypatch.undo()
    assert stranger.get("/readyz").json()["dependencies"]["migrations"]["status"] == "up"


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//"])
def test_a_broker_that_is_away_is_named_within_two_seconds(
    stranger: Api, every_pool_works: None, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(
        broker, "_connection", lambda: Connection(url, connect_timeout=1, transport_options={"max_retries": 1})
    )
    started = time.monotonic()
    body = stranger.get("/readyz").json()
    assert (body["faults"], time.monotonic() - started < 2) == (["broker"], True)
    assert "guest" not in str(body)


def test_the_heartbeats_of_the_schedule_reach_every_pool() -> None:
    told = {str(tick.args[0]) for tick in celeryconfig.SCHEDULE.values() if tick.step.value == "notify.heartbeat"}
    assert told == {pool.name for pool in celeryconfig.POOLS}
    assert settings.CARILLON["METRICS_DIR"].is_dir()
