"""What tests share: a caller with every scope, and processes' memories cleared between tests.

Rows are made by tests/factories.py. Tests that touch the database take `db` (or `transactional_db`) themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels import conf as channels_conf
from channels import redis_state
from notify.api import auth, metering
from notify.store import templates, types
from tests.factories import Api, make_key


@pytest.fixture(autouse=True)
def _no_memories() -> Iterator[None]:
    """What a process remembers of keys, buckets, types and templates belongs to one test."""
    yield
    auth._Known.rows.clear()
    auth._Known.use_noted.clear()
    metering._Known.purses.clear()
    metering._Known.levels.clear()
    types.forget_types()
    templates.forget_templates()


@pytest.fixture
def api_key(db: None) -> str:
    """A live key of the application `shop` with every scope, in the tier that is never refused."""
    return make_key()


@pytest.fixture
def api(api_key: str) -> Api:
    """A caller with that key: `api.post("/v1/notifications", {...}).json()`."""
    return Api(api_key)


@pytest.fixture
def stranger(db: None) -> Api:
    """A caller without a credential."""
    return Api()


@pytest.fixture
def redis_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis does not answer: its address is a port where nobody listens."""
    monkeypatch.setattr(channels_conf, "redis_url", lambda: "redis://127.0.0.1:1/0")


@pytest.fixture
def empty_redis() -> None:
    """No buckets and heartbeats of other tests."""
    client = redis_state._client().redis
    for name in client.scan_iter("carillon:*"):
        client.delete(name)
