"""What tests share: a caller with every scope, and processes' memories cleared between tests.

Rows are made by tests/factories.py. Tests that touch the database take `db` (or `transactional_db`) themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.db.models.signals import post_migrate
from hypothesis import settings
from redis.exceptions import RedisError
from xdist.scheduler import LoadScopeScheduling

from channels import conf as channels_conf
from channels import costs, gate, health, quota, receipts, redis_state, windows
from notify.api import auth, metering
from notify.store import modes, templates, types
from preferences.store import recent
from tests.factories import Api, make_key

# Properties are no timed tests: a machine that is busy with other things proves nothing against them. What is found by
# chance is looked for by people; continuous integration tries the same examples each time.
settings.register_profile("searching", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "searching")

#: What the tables are born with.
_SEED = import_module("channels.migrations.0002_costs").SEED


def _seed_again(using: str, **_: Any) -> None:
    """A test with transactions of its own empties every table behind it; prices and budgets come with the tables."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM channel_rate)")
        if not cursor.fetchone()[0]:
            cursor.execute(_SEED)


post_migrate.connect(_seed_again, sender=apps.get_app_config("channels"))

#: Folders whose tests start whole programs: two at once would only wait for each other.
_WHOLE_PROGRAMS = {"demo", "embedded", "stack", "week"}


class ByFile(LoadScopeScheduling):
    """Shares the tests out to processes by their files; those that start whole programs are one share."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "programs" if file.split("/")[1] in _WHOLE_PROGRAMS else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Whole programs first, since that share is the longest."""
    yield
    items.sort(key=lambda item: item.nodeid.split("/")[1] not in _WHOLE_PROGRAMS)


@pytest.fixture(autouse=True)
def _no_memories() -> Iterator[None]:
    """What a process remembers of keys, buckets, accounts, types and templates belongs to one test."""
    yield
    _forget_accounts()
    costs.forget()
    gate.forget()
    health.forget()
    quota.forget()
    receipts._Readers.built.clear()
    windows.forget()
    auth._Known.rows.clear()
    auth._Known.use_noted.clear()
    metering._Known.purses.clear()
    metering._Known.levels.clear()
    recent.forget()
    types.forget_types()
    templates.forget_templates()
    modes.forget_mode()


def _forget_accounts() -> None:
    """Circuits and back-offs of accounts, and how often people were told, where this test spoke to a Redis at all."""
    for client in redis_state._clients.values():
        with suppress(RedisError):
            names = list(client.redis.scan_iter("carillon:{provider:*", count=10_000))
            names += client.redis.scan_iter("carillon:{share:*", count=10_000)
            client.redis.delete("carillon:{windows}:since", *names)


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
