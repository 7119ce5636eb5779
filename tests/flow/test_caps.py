"""How often one person is told: end to end, with Redis, without it, and through a flush."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.utils import timezone

from channels import redis_state, windows
from notify import conf, plan
from notify.models import Delivery, DigestItem
from notify.rules.caps import limits_of
from notify.sweep import collect_due
from tests.factories import Api, make_recipient, make_template, make_type
from tests.flow.conftest import drain, plan_only, waiting_pages

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]

Send = Callable[..., dict[str, Any]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Our clock; the database keeps its own."""
    now = [timezone.now()]
    monkeypatch.setattr(timezone, "now", lambda: now[0])

    def forward(by: timedelta) -> None:
        now[0] += by

    return forward


@pytest.fixture(autouse=True)
def three_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "CAPS", limits_of("email 3/1h", "2/10m"))


def statuses() -> Counter[str]:
    return Counter(Delivery.objects.values_list("status", flat=True))


def shop(**changes: Any) -> None:
    make_template()
    make_type(template_id="order_shipped", channels=["email"], **changes)


@pytest.fixture
def send(api: Api) -> Send:
    calls = iter(range(1_000_000))

    def accepted(user_id: str, type_key: str = "ORDER_SHIPPED", **body: Any) -> dict[str, Any]:
        request = {"type": type_key, "user_id": user_id, "variables": {"order_id": "ORD-1"}, **body}
        response = api.post("/v1/notifications", request, Idempotency_Key=f"key-{next(calls)}")
        assert response.status_code == 202, response.content
        answer: dict[str, Any] = response.json()
        return answer

    return accepted


def test_what_is_too_much_waits_for_room(api: Api, send: Send, clock: Callable[[timedelta], None]) -> None:
    shop()
    make_recipient(email="alice@example.com")
    for _ in range(5):
        send("u_alice")
        drain()
        clock(timedelta(minutes=1))
    assert statuses() == {"delivered": 3, "deferred": 2}
    waiting = list(Delivery.objects.filter(status="deferred").order_by("next_attempt_at"))
    first_at = min(Delivery.objects.filter(status="delivered").values_list("planned_at", flat=True))
    # An hour after the first and after the second, and the margin.
    for number, one in enumerate(waiting):
        assert one.next_attempt_at is not None
        expected = first_at + timedelta(minutes=60 + number, seconds=30)
        assert abs(one.next_attempt_at - expected) < timedelta(seconds=5)
        assert one.detail == "frequency_cap"
    trace = api.get(f"/v1/notifications/{waiting[0].notification_id}/trace").json()
    assert "frequency_cap" in str(trace)


def test_what_waited_goes_when_there_is_room(send: Send, clock: Callable[[timedelta], None]) -> None:
    shop()
    make_recipient(email="alice@example.com")
    for _ in range(4):
        send("u_alice")
    drain()
    assert statuses() == {"delivered": 3, "deferred": 1}
    Delivery.objects.filter(status="deferred").update(next_attempt_at=timezone.now())
    # Too early by the counters: it waits on.
    collect_due()
    drain()
    assert statuses() == {"delivered": 3, "deferred": 1}
    clock(timedelta(minutes=61))
    Delivery.objects.filter(status="deferred").update(next_attempt_at=timezone.now() - timedelta(hours=2))
    collect_due()
    drain()
    assert statuses() == {"delivered": 4}


def test_a_type_has_caps_of_its_own_and_says_what_becomes_of_the_rest(send: Send) -> None:
    shop(caps=[{"max": 1, "per_seconds": 3600}], over_cap="suppress")
    make_recipient(email="alice@example.com")
    ids = [send("u_alice")["notifications"][0]["id"] for _ in range(2)]
    drain()
    assert Counter(Delivery.objects.values_list("status", "reason_code")) == {
        ("delivered", None): 1,
        ("suppressed", "frequency_cap"): 1,
    }
    assert len(ids) == 2


def test_what_may_be_gathered_joins_a_digest(send: Send) -> None:
    shop(digestible=True, over_cap="digest")
    make_recipient(email="alice@example.com")
    for _ in range(4):
        send("u_alice")
    drain()
    item = DigestItem.objects.get()
    waiting = Delivery.objects.get(id=item.delivery_id)
    assert (waiting.status, waiting.next_attempt_at) == ("deferred", None)
    assert timedelta(minutes=59) < item.due_at - timezone.now() < timedelta(minutes=62)


def test_exempt_types_and_test_keys_are_not_counted(send: Send) -> None:
    shop(exempt_from_caps=True)
    make_recipient(email="alice@example.com")
    for _ in range(5):
        send("u_alice")
    drain()
    assert statuses() == {"delivered": 5}


def test_security_is_limited_by_the_address_whoever_has_it(send: Send) -> None:
    shop(category="security", mandatory=True, exempt_from_caps=True)
    make_recipient("u_alice", email="alice@example.com")
    make_recipient("u_eve", email="alice@example.com")
    for user_id in ("u_alice", "u_eve", "u_eve"):
        send(user_id)
    drain()
    assert Counter(Delivery.objects.values_list("status", "reason_code")) == {
        ("delivered", None): 2,
        ("suppressed", "frequency_cap"): 1,
    }


def test_one_page_with_many_of_a_person_takes_places_in_order(send: Send) -> None:
    shop()
    for name in ("u_alice", "u_bob"):
        make_recipient(name, email=f"{name}@example.com")
    for _ in range(4):
        for name in ("u_alice", "u_bob"):
            send(name)
    plan_only()
    by_person = Counter(Delivery.objects.filter(status="planned").values_list("recipient_id", flat=True))
    assert set(by_person.values()) == {3}


def test_planned_twice_it_counts_once(send: Send) -> None:
    shop()
    make_recipient(email="alice@example.com")
    for _ in range(3):
        send("u_alice")
    # Everything went as far as the counters, and then the process died.
    for page_id, _ in waiting_pages():
        with pytest.MonkeyPatch.context() as dying:
            dying.setattr("notify.store.pages.insert", _die)
            with pytest.raises(RuntimeError):
                plan.plan_page(page_id)
    connection.cursor().execute("UPDATE notify_page SET claimed_until = NULL")
    drain()
    assert statuses() == {"delivered": 3}


def _die(*_: object) -> None:
    raise RuntimeError


def test_a_flush_between_two_pages_forgets_nobody(send: Send) -> None:
    shop()
    make_recipient(email="alice@example.com")
    for _ in range(6):
        send("u_alice")
        drain()
        redis_state._client().redis.flushdb()
    assert statuses() == {"delivered": 3, "deferred": 3}
    instants = sorted(Delivery.objects.filter(status="deferred").values_list("next_attempt_at", flat=True))
    assert all(instants)


def test_a_flush_while_a_page_waits_lets_nobody_slip_through(send: Send) -> None:
    shop()
    make_recipient(email="alice@example.com")
    for _ in range(3):
        send("u_alice")
    plan_only()
    # Lost before they left, and others came first.
    redis_state._client().redis.flushdb()
    for _ in range(3):
        send("u_alice")
    drain()
    assert statuses() == {"delivered": 3, "deferred": 3}


def test_without_redis_it_is_counted_all_the_same(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.conf.redis_url", lambda: "redis://127.0.0.1:1/0")
    shop()
    make_recipient(email="alice@example.com")
    for _ in range(5):
        send("u_alice")
        drain()
    assert statuses() == {"delivered": 3, "deferred": 2}


def test_back_from_an_absence_redis_starts_anew(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    shop()
    make_recipient(email="alice@example.com")
    send("u_alice")
    drain()
    with monkeypatch.context() as away:
        away.setattr("channels.conf.redis_url", lambda: "redis://127.0.0.1:1/0")
        for _ in range(2):
            send("u_alice")
            drain()
    send("u_alice")
    drain()
    assert statuses() == {"delivered": 3, "deferred": 1}


@pytest.fixture
def _closed() -> Iterator[None]:
    yield
    connections.close_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_away", [False, True])
def test_two_workers_at_once_never_tell_too_much(send: Send, monkeypatch: pytest.MonkeyPatch, *, is_away: bool) -> None:
    shop()
    make_recipient(email="alice@example.com")
    for _ in range(12):
        send("u_alice")
    if is_away:
        monkeypatch.setattr("channels.conf.redis_url", lambda: "redis://127.0.0.1:1/0")

    def work(page_id: UUID) -> None:
        try:
            plan.plan_page(page_id)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, [page_id for page_id, _ in waiting_pages()]))
    assert statuses() == {"planned": 3, "deferred": 9}
    instants: list[datetime] = sorted(
        at for at in Delivery.objects.filter(status="deferred").values_list("next_attempt_at", flat=True) if at
    )
    hour = timedelta(hours=1)
    assert all(later - earlier >= hour for earlier, later in zip(instants, instants[3:], strict=False))
    windows.forget()


def test_all_together_get_no_more_than_their_share(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "CAPS", limits_of("", "", "email 120/1h"))
    shop()
    for name in ("u_alice", "u_bob", "u_carol"):
        make_recipient(name, email=f"{name}@example.com")
        send(name)
    # An hour's sixtieth is two; then one each half minute.
    drain()
    assert statuses() == {"delivered": 2, "deferred": 1}
    waiting = Delivery.objects.get(status="deferred")
    assert waiting.next_attempt_at is not None
    assert timedelta(seconds=20) < waiting.next_attempt_at - timezone.now() < timedelta(seconds=40)


def test_security_does_not_wait_for_the_others(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "CAPS", limits_of("", "", "email 1/1h"))
    shop(category="security", mandatory=True)
    for name in ("u_alice", "u_bob", "u_carol"):
        make_recipient(name, email=f"{name}@example.com")
        send(name)
    drain()
    assert statuses() == {"delivered": 3}
