"""Failures that may pass: waiting in rows, coming back, giving up, being given another try."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from notify import sweep
from notify.replay import replay_dead_letters
from notify.store import upkeep
from notify.vocabulary import Priority
from tests.factories import Api, make_recipient
from tests.flow.conftest import Send, drain, waiting_pages

pytestmark = pytest.mark.django_db


def first_delivery(body: dict[str, Any]) -> dict[str, Any]:
    delivery: dict[str, Any] = body["deliveries"][0]
    return delivery


def let_time_pass(by: timedelta) -> None:
    """Every wait ends so much earlier: what the clock would do."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET next_attempt_at = next_attempt_at - %s", (by,))


def run_retries(rounds: int) -> None:
    for _ in range(rounds):
        let_time_pass(timedelta(minutes=6))
        sweep.collect_due()
        drain()


def test_a_provider_that_is_down_is_tried_again_later(send: Send, status: Any) -> None:
    make_recipient(email="sandbox-down@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    drain()
    waiting = first_delivery(status(told))
    assert (waiting["status"], waiting["attempts"]) == ("retrying", 1)
    assert waiting["next_attempt_at"] is not None
    assert status(told)["status"] == "processing"


def test_after_five_retries_it_is_a_dead_letter_with_its_reason(send: Send, status: Any) -> None:
    make_recipient(email="sandbox-down@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    drain()
    run_retries(6)
    dead = first_delivery(status(told))
    assert (dead["status"], dead["reason_code"], dead["attempts"]) == ("dead", "retries_exhausted", 6)
    assert status(told)["status"] == "failed"
    assert dead_letters() == [(UUID(dead["id"]), "retries_exhausted", 6)]


def test_a_replayed_dead_letter_starts_over_and_arrives_once_the_cause_is_gone(
    send: Send, status: Any, api: Api
) -> None:
    make_recipient(email="sandbox-down@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    drain()
    run_retries(6)
    api.patch("/v1/users/u_alice", {"email": "alice@example.com"})
    assert replay_dead_letters(letter_ids()) == 1
    assert replay_dead_letters(letter_ids()) == 0
    drain()
    assert first_delivery(status(told))["status"] == "delivered"
    assert status(told)["status"] == "delivered"


def test_a_dead_letter_replayed_twice_is_revived_once(send: Send, status: Any) -> None:
    make_recipient(email="sandbox-down@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    drain()
    run_retries(6)
    assert [replay_dead_letters(letter_ids()) for _ in range(2)] == [1, 0]
    assert len(waiting_pages()) == 1
    drain()
    assert first_delivery(status(told))["attempts"] == 1
    run_retries(6)
    assert len(dead_letters()) == 2, "the next failure writes a letter of its own"
    assert replay_dead_letters(letter_ids()) == 1


def test_a_throttled_message_waits_without_using_up_attempts(send: Send, status: Any) -> None:
    make_recipient(email="sandbox-throttled@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    drain()
    run_retries(8)
    waiting = first_delivery(status(told))
    assert (waiting["status"], waiting["attempts"]) == ("retrying", 0)


def test_a_configuration_fault_holds_the_traffic_until_it_is_mended(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="sandbox-misconfigured@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    drain()
    run_retries(8)
    assert first_delivery(status(told))["status"] == "retrying"
    api.patch("/v1/users/u_alice", {"email": "alice@example.com"})
    run_retries(1)
    assert first_delivery(status(told))["status"] == "delivered"


def test_nothing_is_retried_past_its_expiry(send: Send, status: Any) -> None:
    make_recipient(email="sandbox-down@example.com")
    told = send("u_alice", channels=["email"], expires_at="2099-01-01T00:00:00Z")["notifications"][0]["id"]
    drain()
    expire_everything()
    run_retries(1)
    ended = first_delivery(status(told))
    assert (ended["status"], ended["reason_code"]) == ("expired", "expired")
    assert status(told)["status"] == "expired"


def test_what_expired_before_it_could_be_sent_is_not_sent(send: Send, status: Any) -> None:
    make_recipient(email="alice@example.com")
    told = send("u_alice", channels=["email"], expires_at="2099-01-01T00:00:00Z")["notifications"][0]["id"]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_notification SET expires_at = now() - interval '1 second'")
    drain()
    assert first_delivery(status(told))["status"] == "expired"


def test_two_collectors_never_take_the_same_delivery(send: Send) -> None:
    make_recipient(email="sandbox-down@example.com")
    send("u_alice", channels=["email"])
    drain()
    let_time_pass(timedelta(minutes=6))
    assert len(upkeep.take_due(Priority.MEDIUM, 100)) == 1
    assert upkeep.take_due(Priority.MEDIUM, 100) == []


def expire_everything() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET expires_at = now() - interval '1 second'")


def dead_letters() -> list[tuple[UUID, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT delivery_id, reason_code, attempts FROM notify_dead_letter")
        return cursor.fetchall()


def letter_ids() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM notify_dead_letter")
        return [row[0] for row in cursor.fetchall()]
