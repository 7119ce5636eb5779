"""Digests made by real processes that are killed in the middle: everybody is told everything, and nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from channels import registry
from notify import conf, digest
from notify.models import Delivery, DigestItem, Event, Notification
from notify.rules.caps import limits_of
from tests.factories import Api, make_recipient, make_type
from tests.flow.conftest import drain
from tests.providers.waiting import eventually, pause

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("empty_redis")]

_PEOPLE, _MEMBERS, _KILLS = 200, ("Bob", "Carol", "Dave"), 5
#: A worker that makes digests, in so many transactions that there is always one to be killed in.
_WORKER = """
import django
django.setup()
from notify import digest
digest.DIGEST_PEOPLE = 2
digest.make_digests()
"""


@pytest.fixture(autouse=True)
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No caps, and a sandbox that writes into this test's folder."""
    registry.close()
    monkeypatch.setattr(conf, "CAPS", limits_of("", ""))


def gather(api: Api) -> None:
    """Everybody waits for a digest of three, which is due."""
    make_type("FOLLOWED", category="social", channels=["email"], digestible=True)
    names = [f"u_{at}" for at in range(_PEOPLE)]
    for name in names:
        make_recipient(name, email=f"{name}@example.com")
        assert api.patch(f"/v1/users/{name}/preferences", {"digest_frequency": "daily"}).status_code == 200
    for who in _MEMBERS:
        words = {"subject": f"{who} follows you", "body": "Hello."}
        body = {"type": "FOLLOWED", "recipients": [{"user_id": name} for name in names], "content": words}
        assert api.post("/v1/notifications", body, Idempotency_Key=who).status_code == 202
    drain()
    DigestItem.objects.update(due_at=timezone.now() - timedelta(hours=1))


def worker() -> subprocess.Popen[bytes]:
    """A process of its own on the test's database, with a broker that is away."""
    at = connection.settings_dict
    own = {
        "DATABASE_URL": f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT'] or 5432}/{at['NAME']}",
        "REDIS_URL": settings.CARILLON["REDIS_URL"],
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "CARILLON_MASTER_KEYS": settings.CARILLON["MASTER_KEYS"],
        "CARILLON_CAPS": "none",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    return subprocess.Popen([sys.executable, "-c", _WORKER], stdout=subprocess.DEVNULL, env=os.environ | own)


def made() -> int:
    return Notification.objects.filter(type_key="DIGEST_SOCIAL").count()


def is_further(before: int) -> bool:
    return made() > before


def waiting() -> int:
    return DigestItem.objects.filter(digest_id=None).count()


def told() -> list[str]:
    """What the sandbox was given, a line each."""
    return [line for file in Path(settings.CARILLON["HOME"]).rglob("*.jsonl") for line in file.read_text().splitlines()]


def test_workers_killed_while_they_make_digests_lose_nothing_and_repeat_nothing(api: Api) -> None:
    gather(api)
    for _ in range(_KILLS):
        before = made()
        with worker() as process:
            eventually(partial(is_further, before), within_seconds=60)
            pause(random.uniform(0, 0.03))  # noqa: S311 - any moment will do
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    assert 0 < made() < _PEOPLE
    # The database may still be at the work of the last one.
    eventually(lambda: waiting() == (_PEOPLE - made()) * len(_MEMBERS), within_seconds=10)
    eventually(lambda: digest.make_digests() == 0 and not waiting(), within_seconds=60)
    assert (made(), Event.objects.filter(kind="digested").count()) == (_PEOPLE, _PEOPLE * len(_MEMBERS))
    drain()
    assert Counter(Delivery.objects.values_list("status", flat=True)) == {"delivered": _PEOPLE * (1 + len(_MEMBERS))}
    assert Counter(json.loads(line)["to"] for line in told()) == {f"u_{at}@example.com": 1 for at in range(_PEOPLE)}
    assert all(f"{who} follows you" in line for line in told() for who in _MEMBERS)
