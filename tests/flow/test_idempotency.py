"""The numbered cases of docs/idempotency.md."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, transaction

from channels.vocabulary import SendOutcome, SendResult
from notify import record, render
from notify.store import intake, sending
from tests.factories import Api, key_row, make_key, make_recipient
from tests.flow.conftest import Send, drain, plan_only, send_page, waiting_pages

BODY = {
    "type": "ORDER_SHIPPED",
    "recipients": [{"user_id": "u_alice", "channels": ["email"]}],
    "variables": {"order_id": "1"},
}


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


@pytest.fixture
def alice(shop: Api) -> Api:
    """The shop's caller, with somebody to tell."""
    make_recipient(email="alice@example.com")
    return shop


@pytest.mark.django_db
def test_the_same_key_and_body_get_the_first_answer_again(alice: Api) -> None:
    first = alice.post("/v1/notifications", BODY, Idempotency_Key="k")
    again = alice.post("/v1/notifications", dict(reversed(BODY.items())), Idempotency_Key="k")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert count("notify_notification") == 1


@pytest.mark.django_db
def test_the_same_key_with_another_body_is_refused_with_409(alice: Api) -> None:
    alice.post("/v1/notifications", BODY, Idempotency_Key="k")
    refused = alice.post("/v1/notifications", BODY | {"variables": {"order_id": "2"}}, Idempotency_Key="k")
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key_reused")
    assert count("notify_notification") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("carrier", ["Idempotency_Key", "X_Idempotency_Key", "idempotency_key", "notification_id"])
def test_the_key_is_taken_from_each_of_its_four_carriers(alice: Api, carrier: str) -> None:
    in_header = carrier[0].isupper()
    headers = {carrier: "k"} if in_header else {}
    body = BODY if in_header else BODY | {carrier: "k"}
    assert alice.post("/v1/notifications", body, **headers).status_code == 202
    assert alice.post("/v1/notifications", BODY, Idempotency_Key="k").headers["Idempotency-Replayed"] == "true"


@pytest.mark.django_db
def test_a_request_without_a_key_is_refused_with_400(alice: Api) -> None:
    refused = alice.post("/v1/notifications", BODY)
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency_key_required")


@pytest.mark.django_db
def test_two_applications_may_use_the_same_key(alice: Api) -> None:
    other = Api(make_key("other-shop"))
    assert alice.post("/v1/notifications", BODY, Idempotency_Key="k").status_code == 202
    answer = other.post("/v1/notifications", BODY, Idempotency_Key="k")
    assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (202, None)
    assert count("notify_notification") == 2


@pytest.mark.django_db
def test_a_key_may_be_used_again_after_its_window(alice: Api) -> None:
    alice.post("/v1/notifications", BODY, Idempotency_Key="k")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_idempotency_key SET created_at = now() - interval '25 hours'")
    later = alice.post("/v1/notifications", BODY | {"variables": {"order_id": "2"}}, Idempotency_Key="k")
    assert later.status_code == 202
    assert count("notify_notification") == 2


@pytest.mark.django_db
def test_a_refused_request_keeps_nothing_and_frees_its_key(alice: Api) -> None:
    refused = alice.post("/v1/notifications", BODY | {"type": "UNHEARD_OF"}, Idempotency_Key="k")
    assert refused.status_code == 422
    assert (count("notify_idempotency_key"), count("notify_batch"), count("notify_page")) == (0, 0, 0)
    assert alice.post("/v1/notifications", BODY, Idempotency_Key="k").status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_request_beside_one_still_in_progress_is_409_with_retry_after(alice: Api, api_key: str) -> None:
    held, released = threading.Event(), threading.Event()
    holder = threading.Thread(target=_hold_key, args=(key_row(api_key).application_id, held, released))
    holder.start()
    held.wait(5)
    refused = alice.post("/v1/notifications", BODY, Idempotency_Key="k")
    released.set()
    holder.join(5)
    assert (refused.status_code, refused.json()["code"]) == (409, "request_in_progress")
    assert refused.headers["Retry-After"] == "1"
    assert alice.post("/v1/notifications", BODY, Idempotency_Key="k").status_code == 202


def _hold_key(application_id: int, held: threading.Event, released: threading.Event) -> None:
    with transaction.atomic():
        intake.lock_key(application_id, "k")
        held.set()
        released.wait(5)
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_twenty_requests_at_once_with_one_key_send_once(alice: Api, api_key: str) -> None:
    answers: list[int] = []

    def post() -> None:
        answers.append(Api(api_key).post("/v1/notifications", BODY, Idempotency_Key="k").status_code)
        connection.close()

    callers = [threading.Thread(target=post) for _ in range(20)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert len(answers) == 20
    assert set(answers) <= {202, 409}
    assert count("notify_notification") == 1


@pytest.mark.django_db
def test_a_message_delivered_twice_sends_once(send: Send) -> None:
    make_recipient(email="alice@example.com")
    send("u_alice", channels=["email"])
    plan_only()
    [(page_id, _)] = waiting_pages()
    send_page(page_id)
    send_page(page_id)
    assert count("notify_attempt") == 1


@pytest.mark.django_db
def test_a_page_in_another_workers_hands_is_left_alone(send: Send) -> None:
    make_recipient(email="alice@example.com")
    send("u_alice", channels=["email"])
    plan_only()
    [(page_id, _)] = waiting_pages()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_page SET claimed_until = now() + interval '45 seconds'")
    send_page(page_id)
    assert count("notify_attempt") == 0


@pytest.mark.django_db
def test_a_worker_that_died_after_the_claim_leaves_a_lease_that_ends(send: Send, status: Any) -> None:
    make_recipient(email="alice@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    plan_only()
    [(page_id, _)] = waiting_pages()
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_delivery SET status = 'sending', attempts = 1, lease_token = 7,
                      lease_until = now() - interval '1 second'"""
        )
    send_page(page_id)
    assert status(told)["deliveries"][0]["attempts"] == 2
    assert status(told)["status"] == "delivered"
    assert drain() == 0


@pytest.mark.django_db
def test_a_worker_that_wakes_after_its_lease_writes_no_outcome(send: Send, status: Any) -> None:
    make_recipient(email="alice@example.com")
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    plan_only()
    [(page_id, _)] = waiting_pages()
    rendered = render.render_page(page_id)
    assert rendered is not None
    asleep = rendered.page
    [mine] = sending.claim_deliveries(asleep, asleep.ids, token=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET lease_until = now() - interval '1 second'")
        cursor.execute("UPDATE notify_page SET claimed_until = now() - interval '1 second'")
    send_page(page_id)
    answer = SendResult(id=mine.id, outcome=SendOutcome.TRANSIENT, provider="sandbox-email", code="late")
    late = record.Tried(delivery=mine, ready=rendered.ready[0], result=answer)
    record.record_page(asleep, 1, [late])
    only = status(told)["deliveries"][0]
    assert (only["status"], only["attempts"], only["next_attempt_at"]) == ("delivered", 2, None)
    assert status(told)["status"] == "delivered"
    with connection.cursor() as cursor:
        cursor.execute("SELECT outcome FROM notify_attempt ORDER BY number")
        assert [row[0] for row in cursor.fetchall()] == ["transient", "accepted"], "what was asked is told all the same"
