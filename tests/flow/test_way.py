"""The way of a notification, from the request to what became of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import Api, make_key, make_recipient
from tests.flow.conftest import Send, drain, plan_only

pytestmark = pytest.mark.django_db


def shown(body: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return sorted((d["channel"], d["status"], d["reason_code"]) for d in body["deliveries"])


def only_id(answer: dict[str, Any]) -> str:
    return str(answer["notifications"][0]["id"])


def test_a_notification_goes_out_on_every_channel_of_its_type(send: Send, status: Any) -> None:
    make_recipient(email="alice@example.com", tokens=["sandbox-accepted-1" * 8, "sandbox-accepted-2" * 8])
    told = only_id(send("u_alice"))
    assert status(told)["status"] == "accepted"
    drain()
    assert status(told)["status"] == "partially_delivered"
    assert shown(status(told)) == [
        ("email", "delivered", None),
        ("push", "sent", None),
        ("push", "sent", None),
    ]


def test_somebody_who_opted_out_is_suppressed_with_the_reason_and_never_called_failed(
    send: Send, status: Any, api: Api
) -> None:
    make_recipient(email="alice@example.com")
    api.put("/v1/users/u_alice/preferences", {"global_opt_out": True})
    told = only_id(send("u_alice", channels=["email"]))
    drain()
    assert status(told)["status"] == "suppressed"
    assert shown(status(told)) == [("email", "suppressed", "user_opted_out")]


def test_an_opt_out_between_planning_and_dispatch_still_counts(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    plan_only()
    api.put("/v1/users/u_alice/preferences", {"channels": {"email": False}})
    drain()
    assert shown(status(told)) == [("email", "suppressed", "user_opted_out")]


def test_a_deleted_user_gets_nothing_even_of_what_is_queued(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    plan_only()
    api.delete("/v1/users/u_alice")
    drain()
    assert shown(status(told)) == [("email", "suppressed", "user_deleted")]


def test_a_changed_address_is_used_as_it_is_at_dispatch(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="sandbox-dead@example.com")
    told = only_id(send("u_alice", channels=["email"]))
    plan_only()
    api.patch("/v1/users/u_alice", {"email": "alice@example.com"})
    drain()
    assert shown(status(told)) == [("email", "delivered", None)]


def test_a_dead_token_ends_its_delivery_and_its_device_and_spares_the_others(send: Send, status: Any) -> None:
    make_recipient(tokens=["sandbox-dead-" * 9, "sandbox-accepted-" * 8])
    told = only_id(send("u_alice", channels=["push"]))
    drain()
    assert shown(status(told)) == [("push", "failed", "invalid_recipient"), ("push", "sent", None)]
    again = only_id(send("u_alice", channels=["push"]))
    drain()
    assert shown(status(again)) == [("push", "sent", None)]


def test_a_bounced_address_is_suppressed_for_what_comes_later(send: Send, status: Any) -> None:
    make_recipient(email="sandbox-bounced@example.com")
    bounced = only_id(send("u_alice", channels=["email"]))
    drain()
    assert shown(status(bounced)) == [("email", "bounced", "invalid_recipient")]
    later = only_id(send("u_alice", channels=["email"]))
    drain()
    assert shown(status(later)) == [("email", "suppressed", "suppressed_address")]


def test_a_test_key_reaches_the_sandbox_and_harms_no_address(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="sandbox-bounced@example.com")
    tester = Api(make_key("shop", is_test=True))
    body = {"type": "ORDER_SHIPPED", "user_id": "u_alice", "channels": ["email"], "variables": {"order_id": "1"}}
    assert tester.post("/v1/notifications", body, Idempotency_Key="t").status_code == 202
    drain()
    real = only_id(send("u_alice", channels=["email"]))
    drain()
    assert shown(status(real)) == [("email", "bounced", "invalid_recipient")]


def test_a_fallback_channel_is_told_when_the_first_has_failed(send: Send, status: Any, api: Api) -> None:
    make_recipient(email="alice@example.com", tokens=["sandbox-dead-" * 9])
    told = only_id(send("u_alice", channels=["push"], fallback_channels=["email"]))
    drain()
    assert shown(status(told)) == [("email", "delivered", None), ("push", "failed", "invalid_recipient")]
    trace = api.get(f"/v1/notifications/{told}/trace").json()
    assert "fallback" in str(trace)


def test_a_variable_that_breaks_the_template_fails_one_and_spares_its_neighbours(send: Send, status: Any) -> None:
    make_recipient("u_alice", email="alice@example.com")
    make_recipient("u_bob", email="bob@example.com")
    people = [{"user_id": "u_alice", "variables": {"order_id": "x" * 50_000}}, {"user_id": "u_bob"}]
    answer = send(recipients=people, channels=["email"])
    drain()
    states = {one["user_id"]: status(one["id"])["deliveries"][0] for one in answer["notifications"]}
    assert states["u_bob"]["status"] == "delivered"
    assert (states["u_alice"]["status"], states["u_alice"]["reason_code"]) == ("failed", "invalid_payload")


def test_inline_words_beyond_a_channels_limit_fail_with_the_reason(send: Send, status: Any) -> None:
    make_recipient(tokens=["sandbox-accepted-" * 8])
    told = only_id(send("u_alice", channels=["push"], content={"title": "t", "body": "x" * 90_000}, variables={}))
    drain()
    only = status(told)["deliveries"][0]
    assert (only["status"], only["reason_code"]) == ("failed", "invalid_payload")


def test_inline_links_are_checked_as_a_templates_are(shop: Api) -> None:
    make_recipient(tokens=["sandbox-accepted-" * 8])
    content = {"title": "t", "body": "b", "action_url": "javascript:alert(1)"}
    body = {"type": "ORDER_SHIPPED", "user_id": "u_alice", "channels": ["push"], "content": content}
    refused = shop.post("/v1/notifications", body, Idempotency_Key="unsafe")
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/content/action_url"]
