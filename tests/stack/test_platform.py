"""What only the whole platform can show: both brokers, every pool, a broker that is away, nothing personal in sight."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import orjson
import psycopg
import pytest
import redis

from tests.stack.conftest import Platform

pytestmark = pytest.mark.timeout(300)

PEOPLE = 1_200
CANARY = "canary-7f3a"
PHONE = "+447700900999"


def call(platform: Platform, method: str, path: str, body: Any = None) -> Any:
    with platform.stack.connection() as connection:
        answer = connection.call(method, path, b"" if body is None else orjson.dumps(body))
    assert answer.status < 300, (path, answer)
    return orjson.loads(answer.body) if answer.body else None


@pytest.fixture(scope="module")
def furnished(platform: Platform) -> Platform:
    """People, a quick and an ordinary type."""
    for start in range(0, PEOPLE, 600):
        users = [{"user_id": f"u{n}", "email": f"{CANARY}-{n}@example.com"} for n in range(start, start + 600)]
        call(platform, "POST", "/v1/users/bulk", {"users": users})
    call(platform, "PUT", "/v1/users/u0", {"email": f"{CANARY}-0@example.com", "phone": PHONE})
    call(platform, "PUT", "/v1/types/NEWS", {"category": "social", "priority": "medium", "channels": ["email"]})
    call(platform, "PUT", "/v1/types/CODE", {"category": "security", "priority": "high", "channels": ["sms"]})
    return platform


def send(platform: Platform, kind: str, users: range, key: str) -> dict[str, Any]:
    content = {"subject": f"Hello {CANARY}", "title": "Hi", "body": f"secret {CANARY}"}
    body = {"type": kind, "recipients": [{"user_id": f"u{n}"} for n in users], "content": content}
    answer: dict[str, Any] = call(platform, "POST", "/v1/notifications", body | {"idempotency_key": key})
    return answer


def statuses(platform: Platform, batch_id: str) -> Counter[str]:
    with psycopg.connect(platform.servers.database_url(), autocommit=True) as connection:
        rows = connection.execute(
            """SELECT d.status FROM notify_delivery d JOIN notify_notification n ON n.id = d.notification_id
               WHERE n.batch_id = %s""",
            (batch_id,),
        ).fetchall()
    return Counter(row[0] for row in rows)


def wait_until_delivered(platform: Platform, batch_id: str, count: int, seconds: float) -> float:
    """Seconds until everything of a batch was delivered."""
    started, pause = time.monotonic(), Event()
    while statuses(platform, batch_id) != {"delivered": count}:
        assert time.monotonic() - started < seconds, statuses(platform, batch_id)
        pause.wait(0.1)
    return time.monotonic() - started


def test_pages_go_through_the_workers_of_their_priority(furnished: Platform) -> None:
    batches = [send(furnished, "NEWS", range(start, start + 600), f"news-{start}") for start in (0, 600)]
    for batch in batches:
        assert batch["notifications_queued"] == 600
        wait_until_delivered(furnished, batch["batch_id"], 600, 60)


def test_an_urgent_one_overtakes_and_its_status_can_be_read(furnished: Platform) -> None:
    answer = send(furnished, "CODE", range(1), "code-1")
    wait_until_delivered(furnished, answer["batch_id"], 1, 30)  # how fast is the bench's business
    told = call(furnished, "GET", f"/v1/notifications/{answer['notifications'][0]['id']}/status")
    assert (told["status"], told["deliveries"][0]["address"]) == ("delivered", "…0999")


def test_every_pool_reports_progress_and_the_metrics_count_what_was_delivered(furnished: Platform) -> None:
    ready = call(furnished, "GET", "/readyz")
    assert set(ready["pools"]) == {"critical", "high", "medium", "low", "receipts", "campaigns", "housekeeping"}
    before = delivered_by_email(furnished)
    batch = send(furnished, "NEWS", range(100), "counted")
    wait_until_delivered(furnished, batch["batch_id"], 100, 60)
    assert delivered_by_email(furnished) >= before + 100


def test_nothing_personal_is_in_the_broker_or_in_the_log(furnished: Platform) -> None:
    log = (furnished.folder / "up.log").read_bytes()
    held = b"".join(_dump(furnished, number) for number in (0, 1))
    for secret in (CANARY.encode(), PHONE.encode(), PHONE[4:].encode()):
        assert secret not in log
        assert secret not in held


def test_with_the_broker_away_the_api_accepts_and_the_sweeper_catches_up(furnished: Platform) -> None:
    if "CELERY_BROKER_URL" in furnished.stack.environment:
        pytest.skip("the machine's own RabbitMQ is not this test's to freeze; Valkey is")
    with frozen(furnished.stack.roots()["valkey"]):
        started = time.monotonic()
        answer = send(furnished, "NEWS", range(300), "while-away")
        assert time.monotonic() - started < 8
    wait_until_delivered(furnished, answer["batch_id"], 300, 90)


def delivered_by_email(platform: Platform) -> float:
    """What the metrics say."""
    with platform.stack.connection() as connection:
        metrics = connection.call("GET", "/metrics").body.decode()
    counted = re.search(r'notification_delivery_total{channel="email",status="delivered"} (\S+)', metrics)
    return float(counted[1]) if counted is not None else 0.0


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that is there and answers nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _dump(platform: Platform, number: int) -> bytes:
    """All keys and values of a database of Valkey."""
    client = redis.Redis.from_url(platform.servers.valkey_url(number))
    return b"".join(key + (client.dump(key) or b"") for key in client.scan_iter(count=1000))
