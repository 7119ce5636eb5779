"""What is taken back before it was told gives its places on the counters back, for others to go at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import control, fan_out, freeze, watch
from campaigns.vocabulary import Act
from notify import caps, conf
from notify.models import Delivery
from notify.rules.caps import limits_of
from tests.factories import Api, make_recipient, make_template, make_type
from tests.flow.campaigning import make_campaign, people, start
from tests.flow.conftest import drain, plan_only

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]

Send = Callable[..., str]


@pytest.fixture(autouse=True)
def two_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "CAPS", limits_of("email 2/1h, sms 2/1h", "2/10m"))


@pytest.fixture
def send(api: Api) -> Send:
    """Send ORDER_SHIPPED by e-mail; answers the notification's id."""
    make_template()
    make_type(template_id="order_shipped", channels=["email"])
    calls = iter(range(1_000_000))

    def accepted(user_id: str = "u_alice", **body: Any) -> str:
        request = {"type": "ORDER_SHIPPED", "user_id": user_id, "variables": {"order_id": "ORD-1"}, **body}
        response = api.post("/v1/notifications", request, Idempotency_Key=f"key-{next(calls)}")
        assert response.status_code == 202, response.content
        name: str = response.json()["notifications"][0]["id"]
        # Ids of one millisecond have no order.
        connection.cursor().execute("SELECT pg_sleep(0.003)")
        return name

    return accepted


def statuses() -> Counter[str]:
    return Counter(Delivery.objects.values_list("status", flat=True))


def cancel(api: Api, name: str) -> None:
    assert api.post(f"/v1/notifications/{name}/cancel").status_code == 200


def test_a_cancelled_notification_makes_room_for_the_next(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com")
    taken_back = [send(), send()][0]
    plan_only()
    cancel(api, taken_back)
    send()
    drain()
    assert statuses() == {"cancelled": 1, "delivered": 2}


def test_a_cancelled_code_makes_room_for_the_next_to_its_address(api: Api, send: Send) -> None:
    make_type(template_id="order_shipped", channels=["email"], category="security", exempt_from_caps=True)
    make_recipient(email="alice@example.com")
    taken_back = [send(), send()][0]
    plan_only()
    cancel(api, taken_back)
    send()
    drain()
    assert statuses() == {"cancelled": 1, "delivered": 2}


def test_what_has_reached_somebody_keeps_its_places(api: Api, send: Send) -> None:
    make_type(template_id="order_shipped", channels=["push"], caps=[{"max": 1, "per_seconds": 3600}])
    make_recipient(tokens=["phone-" + "a" * 40, "sandbox-down-" + "b" * 40])
    half = send()
    drain()
    assert statuses() == {"delivered": 1, "retrying": 1}
    cancel(api, half)
    send()
    drain()
    assert statuses() == {"delivered": 1, "cancelled": 1, "deferred": 2}


def test_what_is_superseded_leaves_its_places_to_what_is_newer(send: Send) -> None:
    make_recipient(email="alice@example.com")
    for number in range(3):
        send(collapse_key="order:1")
        send(collapse_key="order:2")
        plan_only()
        assert statuses() == Counter({"planned": 2, "suppressed": 2 * number})
    drain()
    assert statuses() == {"delivered": 2, "suppressed": 4}


def test_a_cancelled_campaign_gives_everybodys_places_back(send: Send) -> None:
    make_type(template_id="order_shipped", channels=["email"], caps=[{"max": 1, "per_seconds": 3600}])
    for at in range(3):
        make_recipient(f"u_{at}", email=f"sandbox-throttled@{at}.example.com")
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    assert list(fan_out.fan_out(run.id)) == [3]
    assert statuses() == {"retrying": 3}
    control.act_on(campaign.id, Act.CANCEL, actor="staff:ann", now=timezone.now())
    watch.watch(timezone.now())
    assert statuses() == {"cancelled": 3}
    people(3)
    told = [UUID(send(f"u_{at}")) for at in range(3)]
    drain()
    assert set(Delivery.objects.filter(notification_id__in=told).values_list("status", flat=True)) == {"delivered"}


def test_a_page_is_given_back_by_so_many_statements_whatever_its_size(
    api: Api, send: Send, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    del api
    people(12)
    names = [UUID(send(f"u_{at}")) for at in range(12)]
    plan_only()
    Delivery.objects.update(status="cancelled", reason_code="cancelled")
    with django_assert_max_num_queries(1):
        caps.give_back_untold(names)
