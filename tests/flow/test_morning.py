"""A night's end releases everybody of a zone in one instant: what is urgent does not wait behind them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from notify import sweep
from notify.models import Delivery
from notify.store import backlog
from notify.vocabulary import Priority
from tests.factories import Api, make_recipient
from tests.flow.conftest import Send, drain, plan_only

pytestmark = pytest.mark.django_db

_PEOPLE = 40


@pytest.fixture
def morning(shop: Api, send: Send, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everybody's night of some priority is over since ten seconds; a tick takes up ten of them, a page each."""
    names = [f"u_{at}" for at in range(_PEOPLE)]
    for name in names:
        make_recipient(name, email=f"{name}@example.com")
    monkeypatch.setattr(sweep, "COLLECT_DELIVERIES", 10)

    def released(priority: str) -> None:
        send(*names, priority=priority, channels=["email"])
        plan_only()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM notify_page WHERE priority = %s", (priority,))
        planned = Delivery.objects.filter(priority=priority, status="planned")
        planned.update(status="deferred", next_attempt_at=timezone.now() - timedelta(seconds=10))

    del shop
    return released


def taken() -> Counter[str]:
    """How many of each priority are on pages."""
    return Counter(Delivery.objects.filter(status="planned").values_list("priority", flat=True))


@pytest.mark.parametrize("priority", ["critical", "high"])
def test_an_urgent_retry_is_not_behind_a_morning(morning: Any, send: Send, priority: str) -> None:
    morning("low")
    send("u_0", priority=priority, channels=["email"])
    plan_only()
    late = timezone.now() - timedelta(seconds=1)
    Delivery.objects.filter(priority=priority).update(status="deferred", next_attempt_at=late)
    assert sweep.collect_due() == 10
    assert taken() == {priority: 1, "low": 9}


def test_a_morning_comes_by_pieces_and_waits_for_the_workers(morning: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "COLLECT_AHEAD", 2)
    morning("low")
    assert [sweep.collect_due() for _ in range(4)] == [10, 10, 0, 0]
    assert backlog.pages_to_send(Priority.LOW) == 2
    drain()
    assert Counter(Delivery.objects.values_list("status", flat=True)) == {"delivered": 20, "deferred": 20}
    while sweep.collect_due():
        drain()
    assert Counter(Delivery.objects.values_list("status", flat=True)) == {"delivered": _PEOPLE}


def test_what_is_low_and_waits_holds_nothing_of_medium_up(morning: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "COLLECT_AHEAD", 1)
    morning("low")
    assert (sweep.collect_due(), sweep.collect_due()) == (10, 0)
    morning("medium")
    assert sweep.collect_due() == 10
    assert taken() == {"low": 10, "medium": 10}


def test_what_is_still_to_be_planned_holds_no_morning_up(
    morning: Any, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "COLLECT_AHEAD", 2)
    morning("medium")
    for at in range(5):
        send(f"u_{at}", channels=["email"])
    assert [sweep.collect_due() for _ in range(3)] == [10, 10, 0]


def test_a_tick_asks_so_many_questions_however_much_is_due(morning: Any, django_assert_max_num_queries: Any) -> None:
    morning("low")
    with django_assert_max_num_queries(20):
        sweep.collect_due()
