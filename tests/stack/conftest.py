"""The whole platform as `make up` runs it, on each broker: real web, real workers, real beat."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection as Broker
from kombu.exceptions import OperationalError

from tests.bench.stack import Servers, Stack

_SANDBOX = "".join(
    f'[[provider]]\nname = "mock-{channel}"\nadapter = "sandbox"\nchannel = "{channel}"\n'
    for channel in ("push", "email", "sms")
)
#: Of Celery's own, and of a machine's service.
_RABBITMQ_URL = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")


class Platform:
    """A running platform with its folder, so that tests may look at what it left there."""

    def __init__(self, stack: Stack, servers: Servers, folder: Path) -> None:
        self.stack, self.servers, self.folder = stack, servers, folder


def rabbitmq_answers() -> bool:
    """Whether there is a RabbitMQ to test with."""
    try:
        with Broker(_RABBITMQ_URL, connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except (OSError, OperationalError):
        return False
    return True


@pytest.fixture(scope="module", params=["redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def platform(request: pytest.FixtureRequest) -> Iterator[Platform]:
    """The platform on its embedded servers, with Valkey or RabbitMQ as the broker."""
    if request.param == "rabbitmq" and not rabbitmq_answers():
        pytest.skip(f"no RabbitMQ answers at {_RABBITMQ_URL}; name one in RABBITMQ_URL to run this too")
    folder = Path(tempfile.mkdtemp(prefix="carillon-stack-"))
    folder.chmod(0o755)
    try:
        with Servers(folder / "home") as servers:
            stack = Stack(folder, servers, _SANDBOX)
            if request.param == "rabbitmq":
                stack.environment["CELERY_BROKER_URL"] = _RABBITMQ_URL
            with stack:
                yield Platform(stack, servers, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
