"""docker/compose.yaml, held against the pool table: there may be no engine to run it on."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from celeryconfig import POOLS
from config.supervise.plan import WORKER_GRACE, Child, Sizes, children

DOCKER = Path(__file__).resolve().parents[2] / "docker"
Service = dict[str, Any]


@cache
def compose() -> dict[str, Any]:
    written: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    return written


def services() -> dict[str, Service]:
    found: dict[str, Service] = compose()["services"]
    return found


def table() -> dict[str, Child]:
    return {child.name: child for child in children(POOLS, Sizes())}


def seconds(written: str) -> float:
    assert re.fullmatch(r"\d+s", written), f"{written} is not in seconds"
    return float(written[:-1])


def test_every_process_of_make_up_is_a_service_and_no_other_runs_celery() -> None:
    ours = {name for name, service in services().items() if "celery" in service.get("command", [])}
    assert ours == set(table()) - {"web", "stream"}
    assert {"web", "stream"} <= set(services())


@pytest.mark.parametrize("name", [f"worker-{pool.name}" for pool in POOLS] + ["beat"])
def test_a_worker_service_runs_what_make_up_runs(name: str) -> None:
    service, child = services()[name], table()[name]
    assert service["command"] == ["python", *child.command[1:]]
    wanted = {name: value for name, value in child.environment.items() if name != "PYTHONUNBUFFERED"}
    assert wanted.items() <= service["environment"].items()


def test_web_serves_the_same_application_as_make_up() -> None:
    command = services()["web"]["command"]
    assert command[-1] == table()["web"].command[-1]
    assert command[command.index("--blocking-threads") + 1] == "1"


def test_the_streams_are_served_as_by_make_up_but_to_the_outside() -> None:
    outside = ["0.0.0.0" if word == "127.0.0.1" else word for word in table()["stream"].command[1:]]  # noqa: S104 - of a container
    assert services()["stream"]["command"] == ["python", *outside]


def test_there_is_one_beat_and_one_migration_before_everything() -> None:
    assert services()["beat"]["deploy"]["replicas"] == 1
    for name in table():
        assert services()[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", services())
def test_every_service_has_a_health_check_and_time_to_stop(name: str) -> None:
    service = services()[name]
    assert seconds(service["stop_grace_period"]) > (WORKER_GRACE if name.startswith("worker-") else 5)
    # The migration ends by itself: its exit code is its health.
    assert ("healthcheck" in service) == (name != "migrate")


@pytest.mark.parametrize("name", services())
def test_secrets_come_from_outside_and_are_asked_for_by_name(name: str) -> None:
    secret = re.compile(r"PASSWORD|SECRET|KEY|_URL$")
    for variable, value in services()[name].get("environment", {}).items():
        if secret.search(variable) and variable not in ("CARILLON_PUBLIC_URL", "CARILLON_STREAM_URL"):
            assert re.search(r"\$\{[A-Z_]+:\?[^}]+\}", value), f"{name}: {variable} is written out"


def test_only_the_web_and_the_streams_are_reachable_from_outside() -> None:
    assert {name for name, service in services().items() if "ports" in service} == {"web", "stream"}


def test_the_image_runs_as_an_ordinary_user_on_hashed_packages_of_the_lock_alone() -> None:
    lines = (DOCKER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "FROM python:3.11-slim" in lines
    assert "USER carillon" in lines
    assert [line for line in lines if "pip install" in line] == ["RUN pip install --require-hashes -r requirements.txt"]


def test_docker_is_no_package_of_ours() -> None:
    assert not list(DOCKER.glob("*.py"))


def test_nobody_outside_decides_how_long_the_sweeper_waits() -> None:
    """Found by a storm of receipts: with their queue in its pool, what was due to be tried again stayed."""
    (pool,) = (pool for pool in POOLS if "housekeeping" in pool.queues)
    assert set(pool.queues) == {"housekeeping"}
