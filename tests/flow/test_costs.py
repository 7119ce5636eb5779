"""What messages cost on their way: budgets, prices, and text messages that give way."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from channels import costs, registry, store
from channels.rules.rates import price_of
from channels.store import Spent
from channels.vocabulary import Channel
from notify import conf
from notify.rules.caps import limits_of
from tests.factories import Api, make_key, make_recipient, make_template, make_type
from tests.flow.conftest import Send, drain, plan_only, send_page, waiting_pages

pytestmark = pytest.mark.django_db

CENT = 10_000
NUMBER = "+447700900123"


@pytest.fixture(autouse=True)
def _money(db: None) -> None:
    """A cent for every segment, no budget, and a sandbox that writes into this test's folder."""
    registry.close()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE channel_rate, channel_budget, channel_spend, channel_spend_month")
    store.put_prices([price_of("sms", "", "", "0.01", "2020-01-01")], by="test")
    costs.forget()


def make_kind(key: str, **fields: Any) -> None:
    """A type with a template that speaks on every channel."""
    words = {
        "push": {"en": {"title": "On its way", "body": "Order {{ order_id }}"}},
        "email": {"en": {"subject": "Order {{ order_id }}", "body": "Order {{ order_id }} is on its way."}},
        "sms": {"en": {"body": "Order {{ order_id }}"}},
    }
    make_template(key.lower(), key, channels=words)
    make_type(key, template_id=key.lower(), **fields)


@pytest.fixture
def shop(api: Api) -> Api:
    """A caller whose ORDER_SHIPPED goes out by push and SMS, as often as there is money."""
    make_kind("ORDER_SHIPPED", channels=["push", "sms"], exempt_from_caps=True)
    return api


def budget(hard: int | None, soft: int | None = None) -> None:
    store.set_budget(Channel.SMS, soft, hard, by="test")
    costs.forget()


def deliveries(status: Any, answer: dict[str, Any], at: int = 0) -> list[tuple[str, str, str | None]]:
    found = status(answer["notifications"][at]["id"])["deliveries"]
    return sorted((one["channel"], one["status"], one["reason_code"]) for one in found)


def texts(folder: Path) -> list[str]:
    path = folder / "sandbox" / "sms.jsonl"
    return [json.loads(line)["text"] for line in path.read_bytes().splitlines()] if path.exists() else []


def spent() -> int:
    return sum(line.micros for line in store.spend_by_month(costs._today().replace(day=1)))


def test_a_delivery_tells_its_segments_and_its_price(send: Send, status: Any) -> None:
    make_recipient(phone=NUMBER)
    answer = send("u_alice", channels=["sms"], variables={"order_id": "я" * 70})
    drain()
    (one,) = status(answer["notifications"][0]["id"])["deliveries"]
    assert (one["status"], one["segments"], one["cost_micros"]) == ("delivered", 2, 2 * CENT)
    assert spent() == 2 * CENT


def test_a_test_message_costs_nothing(send: Send, shop: Api) -> None:
    make_recipient(phone=NUMBER)
    budget(0)
    tester = Api(make_key(is_test=True))
    body = {"type": "ORDER_SHIPPED", "recipients": [{"user_id": "u_alice"}], "variables": {"order_id": "7"}}
    tester.post("/v1/notifications", {**body, "channels": ["sms"]}, Idempotency_Key="test")
    drain()
    assert spent() == 0


def test_the_price_of_the_day_is_kept_when_the_card_changes(send: Send, status: Any) -> None:
    make_recipient(phone=NUMBER)
    before = send("u_alice", channels=["sms"])
    drain()
    tomorrow = costs._today() + timedelta(days=1)
    prices = [("0.03", costs._today()), ("0.09", tomorrow)]
    store.put_prices([price_of("sms", "", "GB", price, day.isoformat()) for price, day in prices], by="test")
    costs.forget()
    after = send("u_alice", channels=["sms"])
    drain()
    told = [status(one["notifications"][0]["id"])["deliveries"][0]["cost_micros"] for one in (before, after)]
    assert told == [CENT, 3 * CENT]
    assert spent() == 4 * CENT


def test_over_its_budget_a_channel_is_suppressed_with_the_reason_and_the_trace_says_so(
    send: Send, status: Any, api: Api
) -> None:
    make_recipient(phone=NUMBER, email="alice@example.com")
    budget(CENT)
    first = send("u_alice", channels=["sms"])
    drain()
    costs.forget()
    second = send("u_alice", channels=["sms"])
    instead = send("u_alice", channels=["sms"], fallback_channels=["email"])
    drain()
    assert deliveries(status, first) == [("sms", "delivered", None)]
    assert deliveries(status, second) == [("sms", "suppressed", "budget_exhausted")]
    assert deliveries(status, instead) == [
        ("email", "delivered", None),
        ("sms", "suppressed", "budget_exhausted"),
    ]
    trace = api.get(f"/v1/notifications/{second['notifications'][0]['id']}/trace").json()["trace"]
    assert ("plan", "suppressed", "budget_exhausted") in [
        (one["step"], one["decision"], one["reason_code"]) for one in trace
    ]


def test_what_was_planned_within_the_budget_is_not_sent_beyond_it(send: Send, status: Any) -> None:
    make_recipient(phone=NUMBER, email="alice@example.com")
    budget(CENT)
    told = [send("u_alice", channels=["sms"], fallback_channels=["email"]) for _ in range(2)]
    plan_only()
    drain()
    assert deliveries(status, told[0]) == [("sms", "delivered", None)]
    assert deliveries(status, told[1]) == [
        ("email", "delivered", None),
        ("sms", "suppressed", "budget_exhausted"),
    ]


def test_what_is_critical_or_about_security_may_overspend(send: Send, status: Any) -> None:
    make_kind("ALERT", priority="critical")
    make_kind("CODE", category="security")
    make_recipient(phone=NUMBER)
    budget(0)
    told = [send("u_alice", type=key, channels=["sms"]) for key in ("ALERT", "CODE", "ORDER_SHIPPED")]
    drain()
    assert [deliveries(status, one)[0][1] for one in told] == ["delivered", "delivered", "suppressed"]
    assert spent() == 2 * CENT


def test_a_new_month_begins_with_a_full_budget(send: Send, status: Any) -> None:
    make_recipient(phone=NUMBER)
    budget(CENT)
    last_month = costs._today().replace(day=1) - timedelta(days=1)
    store.book(Channel.SMS, last_month, 0, [Spent("GB", "sandbox-sms", 9, 9, 9 * CENT)])
    told = send("u_alice", channels=["sms"])
    drain()
    assert deliveries(status, told) == [("sms", "delivered", None)]


@pytest.mark.django_db(transaction=True)
def test_two_workers_overspend_by_what_they_have_in_hand_and_no_more(
    send: Send, status: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notify.conf.CAPS", limits_of("none", "none"))
    make_recipient(phone=NUMBER)
    budget(5 * CENT)
    told = [send("u_alice", channels=["sms"]) for _ in range(20)]
    plan_only()
    pages = [page_id for page_id, _ in waiting_pages()]

    def work(mine: list[Any]) -> None:
        for page_id in mine:
            send_page(page_id)
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (pages[::2], pages[1::2])))
    found = [deliveries(status, one)[0] for one in told]
    sent = sum(one[1] == "delivered" for one in found)
    # Each worker may have asked just before the other booked.
    assert sent in (5, 6)
    assert spent() == sent * CENT
    assert {one for one in found if one[1] != "delivered"} == {("sms", "suppressed", "budget_exhausted")}


def test_beside_a_push_no_text_message_goes_out_that_nobody_asked_for(send: Send, status: Any, api: Api) -> None:
    make_recipient(phone=NUMBER, tokens=["sandbox-accepted-1" * 8])
    by_type, by_caller = send("u_alice"), send("u_alice", channels=["push", "sms"])
    drain()
    assert deliveries(status, by_type) == [("push", "sent", None), ("sms", "suppressed", "sms_not_justified")]
    assert deliveries(status, by_caller) == [("push", "sent", None), ("sms", "delivered", None)]
    trace = api.get(f"/v1/notifications/{by_type['notifications'][0]['id']}/trace").json()["trace"]
    assert ("plan", "sms", "suppressed", "sms_not_justified") in [
        (one["step"], one["channel"], one["decision"], one["reason_code"]) for one in trace
    ]


def test_a_text_message_takes_the_place_of_the_push_that_failed(send: Send, status: Any, tmp_path: Path) -> None:
    make_recipient(phone=NUMBER, tokens=["sandbox-dead-1" * 8])
    told = send("u_alice")
    drain()
    assert deliveries(status, told) == [
        ("push", "failed", "invalid_recipient"),
        ("sms", "delivered", None),
        ("sms", "suppressed", "sms_not_justified"),
    ]
    assert status(told["notifications"][0]["id"])["status"] == "partially_delivered"
    assert texts(tmp_path) == ["Order ORD-1"]


def test_no_marketing_by_sms_where_it_is_dear_unless_it_was_asked_for(send: Send, status: Any, api: Api) -> None:
    store.put_prices([price_of("sms", "", "GB", "0.06", "2020-01-01")], by="test")
    costs.forget()
    make_kind("SALE", category="marketing", channels=["sms"])
    for user_id, phone in (("u_alice", NUMBER), ("u_bob", "+33612345678")):
        make_recipient(user_id, phone=phone)
        api.put(f"/v1/users/{user_id}/preferences", {"marketing_opt_in": True})
    by_type, by_caller = send("u_alice", "u_bob", type="SALE"), send("u_alice", type="SALE", channels=["sms"])
    drain()
    found = {one["user_id"]: at for at, one in enumerate(by_type["notifications"])}
    assert deliveries(status, by_type, found["u_alice"]) == [("sms", "suppressed", "sms_not_justified")]
    assert deliveries(status, by_type, found["u_bob"]) == [("sms", "delivered", None)]
    assert deliveries(status, by_caller) == [("sms", "delivered", None)]


def test_an_erased_user_costs_nothing_more_and_what_was_spent_stays(send: Send, status: Any, api: Api) -> None:
    make_recipient(phone=NUMBER)
    send("u_alice", channels=["sms"])
    drain()
    late = send("u_alice", channels=["sms"])
    plan_only()
    api.delete("/v1/users/u_alice")
    drain()
    assert deliveries(status, late)[0][1] == "suppressed"
    assert spent() == CENT


def test_a_text_message_that_is_too_long_is_cut_on_the_wire(send: Send, status: Any, tmp_path: Path) -> None:
    make_recipient(phone=NUMBER)
    told = send("u_alice", channels=["sms"], variables={"order_id": "7" * 3_000})
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    send("u_alice", channels=["sms"], variables={"order_id": family * 200})
    drain()
    plain, families = texts(tmp_path)
    assert (len(plain), plain[-4:]) == (1_530, "7...")
    assert set(families.removeprefix("Order ").removesuffix("…").split(family)) == {""}
    (one,) = status(told["notifications"][0]["id"])["deliveries"]
    assert (one["segments"], one["cost_micros"]) == (10, 10 * CENT)


def test_on_wish_latin_text_goes_out_in_gsm_7(send: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_recipient(phone=NUMBER)
    monkeypatch.setattr(conf, "SMS_TRANSLITERATE", True)
    for order in ("\u201cé\u201d", "Ж"):
        send("u_alice", channels=["sms"], variables={"order_id": order})
    drain()
    assert texts(tmp_path) == ['Order "é"', "Order Ж"]
