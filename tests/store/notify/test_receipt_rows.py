"""Receipts in rows: kept once, taken by one, and never in anybody's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from channels.vocabulary import Channel, ReceiptKind
from notify import receive, sweep
from notify.store import receipts
from notify.vocabulary import DeliveryStatus, ReceiptOutcome
from preferences.vocabulary import RecipientRef
from tests.factories import make_attempt, make_delivery, make_notification, make_recipient

NOW = datetime.now(UTC)


def receipt(event_id: str, delivery_id: UUID | None = None, kind: ReceiptKind = ReceiptKind.DELIVERED) -> Any:
    return receipts.NewReceipt(
        event_id=event_id,
        kind=kind,
        delivery_id=delivery_id,
        provider_message_id="",
        address_index=b"",
        code="",
        detail="",
        by_machine=False,
        occurred_at=NOW,
    )


def keep(*rows: Any) -> int:
    return receipts.insert("ses-a", Channel.EMAIL, rows)


def outcomes() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id, outcome FROM notify_receipt")
        return dict(cursor.fetchall())


@pytest.fixture
def alice(db: None) -> RecipientRef:
    return make_recipient(email="alice@example.com")


def sent(ref: RecipientRef, key: str) -> Any:
    """A delivery that an account has taken."""
    one = make_delivery(
        make_notification(ref, key=key), ref, Channel.EMAIL, status="sent", provider="ses-a", sent_at=NOW, attempts=1
    )
    make_attempt(one, provider="ses-a")
    return one


@pytest.mark.django_db
def test_an_event_is_kept_once_however_often_and_in_whatever_company() -> None:
    assert keep(receipt("a"), receipt("b"), receipt("a")) == 2
    assert keep(receipt("c"), receipt("b")) == 1
    assert receipts.insert("ses-b", Channel.EMAIL, [receipt("a")]) == 1, "another account's event is another"


@pytest.mark.django_db
def test_a_page_costs_as_many_statements_as_a_single_receipt(api_key: str, alice: RecipientRef) -> None:
    def statements(count: int) -> int:
        keep(*(receipt(f"{count}-{n}", sent(alice, api_key).id) for n in range(count)))
        with CaptureQueriesContext(connection) as captured:
            assert receive._receive_page() == count
        return len(captured)

    few, many = statements(2), statements(40)
    assert few == many
    assert many < 30
    assert set(outcomes().values()) == {"applied"}


@pytest.mark.django_db
def test_receipts_are_forgotten_a_month_after_they_were_done_with() -> None:
    keep(receipt("old", UUID(int=1)), receipt("open", UUID(int=2)), receipt("new", UUID(int=3)))
    receive.receive()
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_receipt SET received_at = received_at - interval '31 days',
                      due_at = CASE event_id WHEN 'open' THEN now() END,
                      done_at = CASE event_id WHEN 'open' THEN NULL ELSE now() END,
                      outcome = CASE event_id WHEN 'open' THEN '' ELSE 'orphaned' END
               WHERE event_id <> 'new'"""
        )
    assert sweep.maintain().receipts_forgotten == 1
    assert set(outcomes()) == {"open", "new"}


@pytest.mark.django_db
def test_a_receipt_that_waited_too_long_is_orphaned() -> None:
    keep(receipt("a", UUID(int=1)))
    desk = receive._Desk(datetime.now(UTC) + timedelta(minutes=11), {}, {})
    [row] = receipts.claim(1)
    receive._wait(desk, row)
    assert desk.closed == {row.id: ReceiptOutcome.ORPHANED}


@pytest.fixture
def held() -> Iterator[Any]:
    """Runs a statement in another connection, and holds what it locked until the test ends."""
    released = threading.Event()
    holders: list[threading.Thread] = []

    def hold(sql: str, *parameters: Any) -> None:
        ready = threading.Event()

        def work() -> None:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                ready.set()
                released.wait(10)
            connection.close()

        holders.append(threading.Thread(target=work))
        holders[-1].start()
        assert ready.wait(5)

    yield hold
    released.set()
    for holder in holders:
        holder.join(5)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["notify_delivery", "notify_notification"])
def test_a_receipt_does_not_wait_for_rows_in_other_hands_but_comes_back(
    api_key: str, alice: RecipientRef, held: Any, table: str
) -> None:
    busy, free = sent(alice, api_key), sent(alice, api_key)
    keep(receipt("busy", busy.id), receipt("free", free.id))
    held(f"SELECT 1 FROM {table} WHERE id = ANY(%s) FOR UPDATE", [busy.id, busy.notification_id])
    receive.receive()
    assert outcomes() == {"busy": "", "free": "applied"}
    busy.refresh_from_db()
    assert busy.status == DeliveryStatus.SENT


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_apply_a_receipt_once(api_key: str, alice: RecipientRef, held: Any) -> None:
    one = sent(alice, api_key)
    keep(receipt("taken", one.id), receipt("free", one.id, ReceiptKind.OPENED))
    held("SELECT 1 FROM notify_receipt WHERE event_id = 'taken' FOR UPDATE")
    assert receive.receive() == 1
    assert outcomes() == {"taken": "", "free": "applied"}


@pytest.mark.django_db(transaction=True)
def test_many_callbacks_with_the_same_events_in_any_order_do_not_deadlock() -> None:
    rows = [receipt(f"e{number:04}") for number in range(500)]
    added: list[int] = []

    def call(mine: list[Any]) -> None:
        added.append(keep(*mine))
        connection.close()

    callers = [threading.Thread(target=call, args=(rows[:: 1 if n % 2 else -1],)) for n in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert sum(added) == 500
    assert len(added) == 8
