"""The last word counts: a newer notification ends what tells the same and has not left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from notify import digest, dispatch, plan, render
from notify.models import Delivery, DigestItem
from tests.factories import Api, make_recipient, make_template, make_type
from tests.flow.conftest import drain, plan_only, send_page, waiting_pages

pytestmark = pytest.mark.django_db

Send = Callable[..., str]


@pytest.fixture
def send(api: Api) -> Send:
    make_template()
    make_type(template_id="order_shipped", channels=["email"])
    make_recipient(email="alice@example.com")
    calls = iter(range(1_000_000))

    def accepted(user_id: str = "u_alice", **body: Any) -> str:
        request = {
            "type": "ORDER_SHIPPED",
            "user_id": user_id,
            "variables": {"order_id": "ORD-1"},
            "collapse_key": "order:1",
            **body,
        }
        response = api.post("/v1/notifications", request, Idempotency_Key=f"key-{next(calls)}")
        assert response.status_code == 202, response.content
        name: str = response.json()["notifications"][0]["id"]
        # Ids of one millisecond have no order.
        connection.cursor().execute("SELECT pg_sleep(0.003)")
        return name

    return accepted


def ends(*names: str) -> list[tuple[str, str | None]]:
    found = {str(name): (status, reason) for name, status, reason in rows()}
    return [found[name] for name in names]


def rows() -> list[tuple[Any, str, str | None]]:
    return list(Delivery.objects.values_list("notification_id", "status", "reason_code"))


SUPERSEDED = ("suppressed", "superseded")
DELIVERED = ("delivered", None)


def test_planned_but_not_sent_it_gives_way(api: Api, send: Send) -> None:
    older = send()
    plan_only()
    newer = send()
    plan_only()
    assert ends(older, newer) == [SUPERSEDED, ("planned", None)]
    drain()
    assert ends(older, newer) == [SUPERSEDED, DELIVERED]
    assert api.get(f"/v1/notifications/{older}").json()["status"] == "suppressed"
    assert newer in str(api.get(f"/v1/notifications/{older}/trace").json())


def test_planned_after_the_newer_it_gives_way_too(send: Send) -> None:
    older, newer = send(), send()
    (first, _), (second, _) = waiting_pages()
    plan.plan_page(second)
    plan.plan_page(first)
    assert ends(older, newer) == [SUPERSEDED, ("planned", None)]


def test_accepted_while_the_older_is_in_its_queue_it_wins_all_the_same(send: Send) -> None:
    older = send()
    plan_only()
    (page_id, step) = waiting_pages()[0]
    assert step == "send"
    rendered = render.render_page(page_id)
    assert rendered is not None
    sealed = render.hand_on(rendered)
    newer = send()
    dispatch.dispatch_page(page_id, sealed)
    assert ends(older) == [SUPERSEDED]
    drain()
    assert ends(newer) == [DELIVERED]


def test_what_a_worker_has_claimed_goes(send: Send) -> None:
    older = send()
    drain()
    newer = send()
    drain()
    assert ends(older, newer) == [DELIVERED, DELIVERED]
    Delivery.objects.filter(notification_id=older).update(
        status="sending", lease_token=1, lease_until=timezone.now() + timedelta(minutes=1)
    )
    third = send()
    drain()
    assert ends(older, third) == [("sending", None), DELIVERED]


def test_what_waits_gives_way(send: Send) -> None:
    retrying, deferred = send(), send(collapse_key="order:2")
    drain()
    later = timezone.now() + timedelta(hours=1)
    Delivery.objects.filter(notification_id=retrying).update(status="retrying", next_attempt_at=later)
    Delivery.objects.filter(notification_id=deferred).update(status="deferred", next_attempt_at=later)
    connection.cursor().execute("UPDATE notify_notification SET status = 'processing'")
    send()
    send(collapse_key="order:2")
    drain()
    assert ends(retrying, deferred) == [SUPERSEDED, SUPERSEDED]


def test_in_a_digest_the_last_word_stands(api: Api, send: Send) -> None:
    make_type(template_id="order_shipped", channels=["email"], digestible=True)
    api.patch("/v1/users/u_alice/preferences", {"digest_frequency": "daily"})
    older = send()
    drain()
    newer = send()
    drain()
    assert ends(older, newer) == [SUPERSEDED, ("deferred", None)]
    DigestItem.objects.update(due_at=timezone.now() - timedelta(hours=1))
    # Accepted, and not planned yet.
    newest = send()
    assert digest.make_digests() == 0
    assert ends(newer) == [SUPERSEDED]
    drain()
    assert ends(newest) == [("deferred", None)]


def test_a_scheduled_one_counts_from_its_own_time(send: Send) -> None:
    older = send()
    plan_only()
    later = (timezone.now() + timedelta(days=1)).isoformat()
    newer = send(schedule_at=later)
    for page_id, step in waiting_pages():
        if step == "send":
            send_page(page_id)
    assert ends(older) == [DELIVERED]
    assert newer not in {str(name) for name, _, _ in rows()}


def test_others_keep_what_is_theirs(api: Api, send: Send) -> None:
    make_recipient("u_bob", email="bob@example.com")
    mine, other_key, other_person = send(), send(collapse_key="order:9"), send("u_bob")
    none = send(collapse_key=None)
    plan_only()
    send(collapse_key="order:77")
    plan_only()
    assert Counter(ends(mine, other_key, other_person, none)) == {("planned", None): 4}
