"""Operators' switches: one query for all, and nothing lost where two change one account."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

import pytest
from django.db import connection, transaction
from msgspec import UNSET
from pytest_django import DjangoAssertNumQueries

from channels import store
from channels.store import Switch

pytestmark = pytest.mark.django_db


def test_switches_are_one_query_and_the_last_word_counts(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    store.set_switch("fcm", Switch(enabled=False, weight=None), by="alice")
    store.set_switch("fcm", Switch(enabled=True, weight=5), by="bob")
    with django_assert_num_queries(1):
        assert store.provider_switches() == {"fcm": Switch(enabled=True, weight=5)}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_known", [False, True])
def test_two_who_change_one_account_at_once_lose_nothing(*, is_known: bool) -> None:
    if is_known:
        store.set_switch("fcm", Switch(enabled=True, weight=5), by="carol")
    with transaction.atomic():
        store.change_switch("fcm", enabled=False, weight=UNSET, by="alice")
        other = Thread(target=_on_its_own, args=(lambda: store.change_switch("fcm", enabled=None, weight=7, by="bob"),))
        other.start()
        _wait_until_somebody_waits()
    other.join(10)
    assert store.provider_switches() == {"fcm": Switch(enabled=False, weight=7)}
    store.change_switch("fcm", enabled=True, weight=None, by="alice")
    assert store.provider_switches() == {"fcm": Switch(enabled=True, weight=None)}


def _on_its_own(act: Callable[[], None]) -> None:
    try:
        act()
    finally:
        connection.close()


def _wait_until_somebody_waits() -> None:
    """Until another connection stands at a lock of this one."""
    with connection.cursor() as cursor:
        for _ in range(1_000):
            cursor.execute(
                """SELECT pg_sleep(0.01), EXISTS (
                       SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"""
            )
            if cursor.fetchone()[1]:
                return
    pytest.fail("nobody waited")
