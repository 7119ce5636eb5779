"""The system spares itself while too much waits, goes on by itself, and never against an operator's word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notify import conf, govern
from notify.store import backlog, modes
from notify.vocabulary import SystemMode
from tests.factories import Api, make_recipient
from tests.flow.conftest import Send

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def depth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two may wait."""
    monkeypatch.setattr(conf, "AUTO_MODE_DEPTH", 2)


@pytest.fixture
def burden(send: Send) -> Callable[[int], None]:
    """So many notifications that nobody works on."""
    make_recipient(email="alice@example.com")

    def pile_up(count: int) -> None:
        for _ in range(count):
            send("u_alice", channels=["email"])

    return pile_up


def relieve() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notify_page")


def watched(now: datetime | None = None) -> tuple[SystemMode, str]:
    govern.watch_load(now or timezone.now())
    row = modes.read_mode()
    return row.mode, row.changed_by


def test_a_backlog_spares_the_system_and_its_end_eases_it_step_by_step(burden: Callable[[int], None]) -> None:
    burden(1)
    assert watched() == ("normal", "")
    burden(3)
    assert watched() == ("critical", "automatic")
    assert modes.read_mode().reason == "4 wait, of 2 that may"
    relieve()
    assert watched() == ("critical", "automatic")
    later = timezone.now() + timedelta(minutes=2)
    assert watched(later) == ("degraded", "automatic")
    assert watched(later) == ("normal", "automatic")


def test_what_is_scheduled_for_later_does_not_wait(burden: Callable[[int], None]) -> None:
    burden(3)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_page SET due_at = now() + interval '1 hour', sweeps = 0, claims = 0")
    assert backlog.waiting() == 0


def test_an_operator_s_word_is_left_alone(api: Api, burden: Callable[[int], None]) -> None:
    burden(9)
    api.put("/v1/system/mode", {"mode": "degraded", "reason": "I know what I do"})
    mode, by = watched(timezone.now() + timedelta(days=9))
    assert (mode, by.startswith("API key")) == (SystemMode.DEGRADED, True)
    api.put("/v1/system/mode", {"mode": "normal", "reason": "it is well"})
    assert watched()[0] is SystemMode.NORMAL


def test_without_a_depth_nothing_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, burden: Callable[[int], None], django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(conf, "AUTO_MODE_DEPTH", 0)
    burden(9)
    with django_assert_num_queries(0):
        assert govern.watch_load(timezone.now()) is None


@pytest.mark.django_db(transaction=True)
def test_a_word_that_comes_in_that_moment_wins(burden: Callable[[int], None]) -> None:
    """The operator's change is under way, and not committed, when the system has made up its mind."""
    burden(9)
    written, watching = Event(), Event()
    watcher = Thread(target=_watch_once, args=(written, watching))
    watcher.start()
    with transaction.atomic():
        modes.change_mode(SystemMode.DEGRADED, "mine", by="staff anna")
        written.set()
        assert watching.wait(5)
        watcher.join(0.3)
        assert watcher.is_alive(), "the system did not wait for the operator"
    watcher.join(5)
    assert modes.read_mode().changed_by == "staff anna"


def _watch_once(written: Event, watching: Event) -> None:
    written.wait(5)
    watching.set()
    try:
        govern.watch_load(timezone.now())
    finally:
        connection.close()
