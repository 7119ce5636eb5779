"""Pages of work: claimed once, swept when forgotten, taken apart when they kill."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from notify import sweep
from notify.rules.ids import ENTROPY, new_ids
from notify.store import pages
from notify.vocabulary import PageStep, Priority
from tests.factories import Api, make_recipient
from tests.flow.conftest import plan_only, send_page  # the pipeline's steps, as the workers run them


def ids(count: int) -> list[UUID]:
    return new_ids(count, now=datetime.now(UTC), entropy=os.urandom(count * ENTROPY))


def page(members: list[UUID], *, step: PageStep = PageStep.SEND, priority: Priority = Priority.MEDIUM) -> UUID:
    name = ids(1)[0]
    channel = "email" if step is PageStep.SEND else None
    pages.insert([pages.NewPage(id=name, step=step, priority=priority, channel=channel, ids=members, trace_id="t")])
    return name


def age(seconds: int) -> None:
    """Everything is so much older."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_page SET due_at = due_at - make_interval(secs => %s),
                      claimed_until = claimed_until - make_interval(secs => %s)""",
            (seconds, seconds),
        )


def sizes() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(ids) FROM notify_page ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.django_db
def test_a_page_is_claimed_once_until_its_lease_ends() -> None:
    name = page(ids(3))
    first = pages.claim(name, (PageStep.SEND,))
    assert first is not None
    assert (first.size, len(first.ids), first.claims, first.trace_id) == (3, 3, 1, "t")
    assert pages.claim(name, (PageStep.SEND,)) is None
    age(60)
    second = pages.claim(name, (PageStep.SEND,), with_ids=False)
    assert second is not None
    assert (second.claims, second.ids) == (2, [])
    assert pages.ids_of(second) == first.ids


@pytest.mark.django_db
def test_a_late_claim_can_neither_finish_nor_hand_over_what_another_took() -> None:
    name = page(ids(1))
    late = pages.claim(name, (PageStep.SEND,))
    age(60)
    assert pages.claim(name, (PageStep.SEND,)) is not None
    assert late is not None
    pages.hand_over(late)
    assert pages.claim(name, (PageStep.SEND,)) is None
    assert pages.finish(late) is False


@pytest.mark.django_db
def test_a_message_of_another_step_claims_nothing() -> None:
    assert pages.claim(page(ids(1)), (PageStep.PLAN, PageStep.FALLBACK)) is None


@pytest.mark.django_db(transaction=True)
def test_of_four_workers_at_once_one_gets_the_page() -> None:
    name = page(ids(2))
    won: list[object] = []

    def work() -> None:
        won.append(pages.claim(name, (PageStep.SEND,)))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert sum(one is not None for one in won) == 1


@pytest.mark.django_db
def test_a_page_that_waits_in_its_queue_is_swept_with_ever_longer_grace() -> None:
    page(ids(1))
    assert pages.sweep(10) == []
    waits = []
    for _ in range(4):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE notify_page SET due_at = now()")
        assert len(pages.sweep(10)) == 1
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM due_at - now())::integer FROM notify_page")
            waits.append(cursor.fetchone()[0])
    assert waits == [15, 30, 60, 120]


@pytest.mark.django_db
def test_two_sweepers_at_once_publish_a_page_once() -> None:
    page(ids(1))
    age(60)
    assert (len(pages.sweep(10)), len(pages.sweep(10))) == (1, 0)


@pytest.mark.django_db
def test_a_page_that_keeps_killing_its_workers_is_taken_apart() -> None:
    name = page(ids(4))
    page(ids(2))
    for _ in range(3):
        pages.claim(name, (PageStep.SEND,))
        age(60)
    sweep.sweep()
    assert sizes() == [1, 1, 1, 1, 2]


@pytest.mark.django_db
def test_the_one_that_kills_alone_is_buried_and_its_neighbours_arrive(api: Api) -> None:
    api.put("/v1/types/NEWS", {"category": "social", "channels": ["email"]})
    for name in ("u_poison", "u_fine"):
        make_recipient(name, email=f"{name}@example.com")
    told = send(api, "u_poison", "u_fine")
    plan_only()
    for _ in range(2):
        strike_all(times=3)
        age(120)
        sweep.sweep()
        keep_only(told["u_poison"])
    statuses = {user: api.get(f"/v1/notifications/{one}/status").json()["status"] for user, one in told.items()}
    assert statuses == {"u_poison": "failed", "u_fine": "delivered"}
    dead = api.get(f"/v1/notifications/{told['u_poison']}/status").json()["deliveries"][0]
    assert (dead["status"], dead["reason_code"]) == ("dead", "retries_exhausted")


def send(api: Api, *users: str) -> dict[str, str]:
    body: dict[str, Any] = {
        "type": "NEWS",
        "recipients": [{"user_id": user} for user in users],
        "content": {"subject": "s", "body": "b"},
    }
    answer = api.post("/v1/notifications", body, Idempotency_Key="k").json()
    return {one["user_id"]: one["id"] for one in answer["notifications"]}


def strike_all(times: int) -> None:
    """A worker has claimed each page so often and never came through."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_page SET strikes = %s", (times,))


def keep_only(notification_id: str) -> None:
    """Let everything through but the pages of one notification."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT p.id FROM notify_page p WHERE cardinality(p.ids) = 1 AND NOT EXISTS (
                   SELECT 1 FROM notify_delivery d WHERE d.id = p.ids[1] AND d.notification_id = %s)""",
            (notification_id,),
        )
        healthy = [row[0] for row in cursor.fetchall()]
    for name in healthy:
        send_page(name)
