from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest
from django.conf import settings
from django.test import RequestFactory
from django.utils import timezone
from kombu import Connection
from prometheus_client import Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from celeryconfig import queue_names
from channels import store
from channels.store import Spent
from channels.vocabulary import Channel
from config import broker, slots
from config.metrics import is_loopback
from notify import metrics
from notify.metrics import LATENCY_EDGES
from notify.models import DeadLetter, Page
from notify.vocabulary import Priority, Scope
from tests.factories import Api, make_key, make_recipient, make_template, make_type


def exposed(api: Api, **headers: str) -> dict[str, float]:
    """Series with their values."""
    answer = api.get("/metrics", **headers)
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def grown(api: Api, before: dict[str, float], series: str) -> float:
    return exposed(api).get(series, 0.0) - before.get(series, 0.0)


def test_deliveries_are_counted_by_channel_and_status(stranger: Api) -> None:
    before = exposed(stranger)
    metrics.deliveries_recorded(Channel.PUSH, "sent", 7)
    assert grown(stranger, before, 'notification_delivery_total{channel="push",status="sent"}') == 7


def test_recipients_of_an_event_are_counted_once_however_often_it_is_repeated(
    api: Api, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    make_template()
    make_type(template_id="order_shipped")
    people = [{"user_id": f"u_{name}"} for name in ("alice", "bert", "carla")]
    for one in people:
        make_recipient(one["user_id"])
    body = {"type": "ORDER_SHIPPED", "recipients": people, "variables": {"order_id": "1"}}
    before = exposed(api)
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert api.post("/v1/notifications", body, Idempotency_Key="k").status_code == 202
    assert grown(api, before, "notification_recipients_per_event_sum") == 3
    assert grown(api, before, 'notification_recipients_per_event_bucket{le="5.0"}') == 1
    assert grown(api, before, 'notification_recipients_per_event_bucket{le="2.0"}') == 0


def test_latency_is_a_histogram_by_channel_and_priority(stranger: Api) -> None:
    before = exposed(stranger)
    metrics.latency_observed(Channel.SMS, Priority.CRITICAL, [0.2, 0.9, 40.0])
    labels = 'channel="sms",priority="critical"'
    name = "notification_latency_seconds"
    assert grown(stranger, before, f"{name}_count{{{labels}}}") == 3
    assert grown(stranger, before, f'{name}_bucket{{channel="sms",le="1.0",priority="critical"}}') == 2
    assert grown(stranger, before, f"{name}_sum{{{labels}}}") == pytest.approx(41.1)


def test_a_page_is_observed_as_the_client_would_have_observed_each() -> None:
    seconds = [0.0, 0.01, 0.0100001, 0.3, 1.0, 5.0, 29.0, 30.0, 31.0, 7200.0, 9000.0]
    reference = Histogram("reference_seconds", "x", ["a"], buckets=LATENCY_EDGES, registry=None)
    for one in seconds:
        reference.labels("x").observe(one)
    metrics.latency_observed("test", "page", seconds)
    mine, theirs = metrics._LATENCY.labels("test", "page"), reference.labels("x")
    assert [one.get() for one in mine._buckets] == [one.get() for one in theirs._buckets]
    assert mine._sum.get() == pytest.approx(theirs._sum.get())


def test_what_a_rate_limit_holds_back_is_counted(stranger: Api) -> None:
    before = exposed(stranger)
    metrics.rate_limited("standard", "api")
    assert grown(stranger, before, 'notification_rate_limited_total{channel="api",user_type="standard"}') == 1


def test_calls_are_counted_by_route_and_not_by_path(api: Api) -> None:
    before = exposed(api)
    api.get("/v1/users/u_secret/preferences")
    series = 'http_requests_total{method="GET",route="v1/users/<str:user_id>/preferences",status="404"}'
    assert grown(api, before, series) == 1
    assert "u_secret" not in str(exposed(api))


def test_methods_nobody_knows_share_a_series(api: Api) -> None:
    for method in ("BREW", "STEEP"):
        api.call(method, "/v1/notifications")
    assert "BREW" not in str(exposed(api))


def test_dead_letters_and_waiting_pages_are_seen_at_the_scrape(stranger: Api) -> None:
    alice = make_recipient("u_alice")
    one = uuid5(NAMESPACE_DNS, "x")
    DeadLetter.objects.create(
        delivery_id=one,
        notification_id=one,
        recipient_id=alice.id,
        channel="push",
        reason_code="no_provider",
        final_error="",
        attempts=1,
        failed_at=timezone.now(),
    )
    due = timezone.now() - timedelta(seconds=90)
    Page.objects.create(id=one, step="plan", priority="low", ids=[one], due_at=due)
    seen = exposed(stranger)
    assert seen["notification_dlq_depth"] == 1
    assert seen['notification_backlog_pages{priority="low",step="plan"}'] == 1
    assert seen['notification_backlog_oldest_seconds{priority="low",step="plan"}'] == pytest.approx(90, abs=5)
    assert seen['notification_backlog_pages{priority="critical",step="send"}'] == 0


def test_the_months_spend_is_seen_beside_its_budget(stranger: Api) -> None:
    store.set_budget(Channel.SMS, None, 7_000_000, by="test")
    before = exposed(stranger)
    store.book(Channel.SMS, datetime.now(UTC).date(), 0, [Spent("DE", "main", 1, 2, 2_500_000)])
    assert grown(stranger, before, 'notification_spend{channel="sms"}') == 2.5
    assert before['notification_budget{channel="sms",limit="hard"}'] == 7
    assert 'notification_budget{channel="sms",limit="soft"}' not in before


def test_every_queue_has_its_depth(stranger: Api) -> None:
    seen = exposed(stranger)
    assert {name for name in seen if name.startswith("queue_depth")} == {
        f'queue_depth{{queue="{queue}"}}' for queue in queue_names()
    }


def test_with_the_broker_away_the_rest_is_still_told(stranger: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_connection", lambda: Connection("redis://127.0.0.1:1/0", connect_timeout=1))
    seen = exposed(stranger)
    assert "notification_dlq_depth" in seen
    assert not any(name.startswith("queue_depth") for name in seen)


def test_from_elsewhere_it_needs_the_scope_operate(db: None) -> None:
    proxied = {"X_Forwarded_For": "203.0.113.9"}
    assert Api().get("/metrics", **proxied).status_code == 401
    assert Api(make_key(scopes=[Scope.READ])).get("/metrics", **proxied).status_code == 403
    assert Api(make_key(scopes=[Scope.OPERATE])).get("/metrics", **proxied).status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_this_machine_itself(rf: RequestFactory, address: str) -> None:
    assert is_loopback(rf.get("/metrics", REMOTE_ADDR=address))


@pytest.mark.parametrize("address", ["10.0.0.1", "203.0.113.9", "fe80::1", "", "unix:"])
def test_everything_else_is_elsewhere(rf: RequestFactory, address: str) -> None:
    assert not is_loopback(rf.get("/metrics", REMOTE_ADDR=address))


_COUNT = """
import os, sys
import django
django.setup()
from config import slots
from notify import metrics
metrics.deliveries_recorded("push", "sent", 1)
if sys.argv[1] == "fork":
    child = os.fork()
    metrics.deliveries_recorded("push", "sent", 10)
    if child == 0:
        print(slots._slot(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
print(slots._slot(), flush=True)
"""


def counting(home: Path, how: str = "alone") -> list[int]:
    """Slots of a process (and its child) that counted one delivery (and ten each), and has ended."""
    done = subprocess.run(
        [sys.executable, "-c", _COUNT, how],
        env=os.environ | {"CARILLON_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.splitlines() if line.isdigit()]


def total(home: Path) -> float:
    files = [str(file) for file in (home / "metrics").glob("counter_*.db")]
    merged = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return float(sum(sample.value for one in merged if one.name == "notification_delivery" for sample in one.samples))


def test_a_process_takes_over_the_slot_of_one_that_ended_and_counts_on(tmp_path: Path) -> None:
    assert [counting(tmp_path) for _ in range(3)] == [[0], [0], [0]]
    assert total(tmp_path) == 3
    assert len(list((tmp_path / "metrics").glob("*.db"))) <= 2


def test_a_child_has_a_slot_of_its_own(tmp_path: Path) -> None:
    assert sorted(counting(tmp_path, "fork")) == [0, 1]
    assert total(tmp_path) == 21


def test_a_file_that_was_left_broken_does_not_stop_a_process(tmp_path: Path) -> None:
    counting(tmp_path)
    broken = next((tmp_path / "metrics").glob("counter_0.db"))
    broken.write_bytes(b"\xff\xff\xff\x7f" + b"x" * 100)
    assert counting(tmp_path) == [0]
    assert total(tmp_path) == 1


def test_a_file_that_was_left_broken_does_not_hide_the_others(stranger: Api) -> None:
    broken = slots.DIRECTORY / "counter_9999.db"
    (slots.DIRECTORY / "slot-9999.lock").touch()
    broken.write_bytes(b"\xff\xff\xff\x7f" + b"x" * 100)
    assert "notification_dlq_depth" in exposed(stranger)
    assert not broken.exists()
    (slots.DIRECTORY / "slot-9999.lock").unlink()


def test_the_names_are_those_the_alerts_are_written_against(api: Api) -> None:
    api.get("/v1/notifications")
    metrics.deliveries_recorded("push", "sent", 1)
    metrics.latency_observed("push", "high", [1.0])
    metrics.rate_limited("bulk", "api")
    names = {re.split(r"[{ ]", series)[0] for series in exposed(api)}
    assert names >= {
        "notification_delivery_total",
        "notification_latency_seconds_bucket",
        "notification_rate_limited_total",
        "notification_dlq_depth",
        "queue_depth",
        "http_requests_total",
        "http_request_duration_seconds_bucket",
    }
