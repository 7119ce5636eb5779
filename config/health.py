"""`/livez`: this process answers. `/readyz`: everything it needs is there, and every pool takes work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse

from celeryconfig import POOLS
from channels import redis_state
from config.broker import BrokerAwayError, check_broker
from notify.api.answers import json_answer

#: A pool answers a heartbeat every 5 s; after a minute it is not slow but stuck.
STALE_AFTER_SECONDS = 60.0

_UP = {"status": "up"}


class _Schema:
    """Migrations that have been applied stay so: this process asks until the first yes."""

    is_current = False


def livez(_request: HttpRequest) -> HttpResponse:
    """Yes."""
    return json_answer({"status": "alive"})


def readyz(_request: HttpRequest) -> HttpResponse:
    """200 when all is well, else 503; names each dependency and each pool with what is wrong."""
    beats = redis_state.beat_ages()
    dependencies = {
        "postgresql": _checked(_database_fault),
        "migrations": _checked(_migrations_fault),
        "redis": _UP if beats is not None else {"status": "down", "detail": "no answer"},
        "broker": _checked(_broker_fault),
    }
    pools = {pool.name: _pool_state(pool.name, beats) for pool in POOLS}
    faults = [name for name, state in (dependencies | pools).items() if state["status"] != "up"]
    body = {
        "status": "not_ready" if faults else "ready",
        "faults": faults,
        "dependencies": dependencies,
        "pools": pools,
    }
    return json_answer(body, status=503 if faults else 200)


def _checked(fault_of: Callable[[], str]) -> dict[str, Any]:
    fault = fault_of()
    return {"status": "down", "detail": fault} if fault else _UP


def _pool_state(pool: str, beats: dict[str, float] | None) -> dict[str, Any]:
    """By progress: when a task of this pool last ran to its end."""
    if beats is None:
        return {"status": "unknown", "detail": "Redis is away"}
    age = beats.get(pool)
    if age is None:
        return {"status": "down", "detail": "has never answered a heartbeat"}
    state = "up" if age <= STALE_AFTER_SECONDS else "stale"
    return {"status": state, "seconds_since_heartbeat": round(age, 1)}


def _database_fault() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        connection.close()
        return type(error).__name__
    return ""


def _migrations_fault() -> str:
    if _Schema.is_current:
        return ""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return type(error).__name__
    _Schema.is_current = not missing
    return f"{len(missing)} not applied; run manage.py migrate" if missing else ""


def _broker_fault() -> str:
    try:
        check_broker()
    except BrokerAwayError as error:
        return str(error)
    return ""
