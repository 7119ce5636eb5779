"""From the send to the inbox, and what people do there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from channels.models import InboxMessage
from notify import conf, receive, sweep
from tests.factories import Api, make_recipient, make_type
from tests.flow.conftest import drain

INBOX = "/v1/users/u_alice/notifications"

Send = Callable[..., str]


@pytest.fixture
def tell(api: Api) -> Send:
    """Tell Alice something in the app; answers the notification's id."""
    make_recipient("u_alice", tokens=["token-of-alice"])
    make_type(channels=["in_app"])

    def tell(title: str, **body: Any) -> str:
        content = {"title": title, "body": f"{title}.", "image_url": "https://shop/1.png"}
        request = {"type": "ORDER_SHIPPED", "user_id": "u_alice", "content": content, **body}
        answer = api.post("/v1/notifications", request, Idempotency_Key=title)
        assert answer.status_code == 202, answer.content
        drain()
        told: str = answer.json()["notifications"][0]["id"]
        return told

    return tell


def entries(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(INBOX).json()["data"]
    return found


def did(api: Api, told: str, **body: Any) -> int:
    status: int = api.post(f"/v1/notifications/{told}/events", body).status_code
    receive.receive()
    return status


def test_what_is_sent_in_app_stands_in_the_inbox_under_its_own_id(api: Api, tell: Send) -> None:
    told = tell("Packed")
    (entry,) = entries(api)
    assert (entry["id"], entry["title"], entry["body"]) == (told, "Packed", "Packed.")
    assert entry["image_url"] == "https://shop/1.png"


def test_entries_go_after_the_retention(api: Api, tell: Send) -> None:
    old, _ = tell("Old"), tell("New")
    long_ago = timezone.now() - timedelta(days=conf.RETENTION_DAYS, minutes=1)
    InboxMessage.objects.filter(notification_id=old).update(created_at=long_ago)
    assert sweep.maintain().entries_pruned == 1
    assert [one["title"] for one in entries(api)] == ["New"]


def test_a_collapse_key_travels_from_the_call_to_the_inbox(api: Api, tell: Send) -> None:
    tell("Packed", collapse_key="order:1")
    tell("Shipped", collapse_key="order:1")
    tell("Another", collapse_key="order:2")
    assert [(one["title"], one["collapse_key"]) for one in entries(api)] == [
        ("Another", "order:2"),
        ("Shipped", "order:1"),
    ]


def test_what_people_do_stands_beside_the_delivery(api: Api, tell: Send, status: Callable[..., Any]) -> None:
    told = tell("Packed")
    own = Api(api.post("/v1/users/u_alice/token").json()["token"])
    assert did(own, told, event="opened") == 204
    assert did(own, told, event="clicked", action_id="track") == 204
    assert did(own, told, event="clicked", action_id="track") == 204
    assert did(api, told, event="dismissed") == 204
    (delivery,) = status(told)["deliveries"]
    assert (delivery["status"], delivery["opened_at"] is None, delivery["clicked_at"] is None) == (
        "delivered",
        False,
        False,
    )
    trace = api.get(f"/v1/notifications/{told}/trace").json()["trace"]
    heard = [step["detail"] for step in trace if "receipt" in str(step)]
    assert [sum(word in str(one) for one in heard) for word in ("opened", "clicked", "track", "dismissed")] == [1] * 4


def test_a_push_that_was_opened_is_told_apart_from_the_inbox(api: Api, tell: Send, status: Callable[..., Any]) -> None:
    told = tell("Packed", channels=["push", "in_app"])
    assert did(api, told, event="opened", channel="push") == 204
    opened = {one["channel"]: one["opened_at"] is not None for one in status(told)["deliveries"]}
    assert opened == {"push": True, "in_app": False}


def test_nobody_says_what_others_did(api: Api, tell: Send) -> None:
    told = tell("Packed")
    make_recipient("u_bob")
    bob = Api(api.post("/v1/users/u_bob/token").json()["token"])
    assert did(bob, told, event="opened") == 404
    assert did(api, "0199aa00-0000-7000-8000-000000000000", event="opened") == 404
    assert did(api, told, event="opened", channel="push") == 404


@pytest.mark.parametrize("body", [{}, {"event": "read"}, {"event": "opened", "action_id": "a b"}, {"event": 1}])
def test_an_event_that_is_none_is_refused(api: Api, tell: Send, body: dict[str, Any]) -> None:
    assert did(api, tell("Packed"), **body) == 422
