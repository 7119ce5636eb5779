"""A digest that is cancelled: what becomes of those it would have told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from channels import registry
from notify import conf, digest
from notify.models import Delivery, DigestItem, Event, Notification
from notify.rules.caps import limits_of
from tests.factories import Api, make_key, make_recipient, make_type
from tests.flow.conftest import drain, plan_only

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]

Send = Callable[..., str]


@pytest.fixture(autouse=True)
def hourly(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alice wants what is digestible once an hour, and nothing else holds it up."""
    registry.close()
    monkeypatch.setattr(conf, "CAPS", limits_of("", ""))
    make_recipient(email="alice@example.com")
    make_type("FOLLOWED", category="social", channels=["email"], digestible=True)
    assert api.patch("/v1/users/u_alice/preferences", {"digest_frequency": "hourly"}).status_code == 200


def follow(caller: Api, who: str, **body: Any) -> str:
    """Somebody follows Alice; the notification's id."""
    request = {"type": "FOLLOWED", "user_id": "u_alice", "content": {"subject": f"{who} follows you", "body": "Hello."}}
    response = caller.post("/v1/notifications", {**request, **body}, Idempotency_Key=f"key-{who}")
    assert response.status_code == 202, response.content
    name: str = response.json()["notifications"][0]["id"]
    return name


def gathered() -> str:
    """Make the digest of what waits; its id."""
    drain()
    DigestItem.objects.update(due_at=timezone.now() - timedelta(hours=1))
    assert digest.make_digests() == 1
    return str(Notification.objects.get(type_key="DIGEST_SOCIAL").id)


def statuses() -> Counter[tuple[str, str | None]]:
    return Counter(Delivery.objects.values_list("status", "reason_code"))


def told() -> str:
    return "".join(file.read_text() for file in Path(settings.CARILLON["HOME"]).rglob("*.jsonl"))


@pytest.mark.parametrize("is_planned", [False, True])
def test_what_a_cancelled_digest_would_have_told_is_cancelled_with_it(api: Api, *, is_planned: bool) -> None:
    members = [follow(api, "Bob"), follow(api, "Carol")]
    name = gathered()
    if is_planned:
        plan_only()
    assert api.post(f"/v1/notifications/{name}/cancel").status_code == 200
    assert api.post(f"/v1/notifications/{name}/cancel").status_code == 200
    drain()
    assert set(statuses()) == {("cancelled", "cancelled")}
    assert {api.get(f"/v1/notifications/{one}").json()["status"] for one in [name, *members]} == {"cancelled"}
    assert name in json.dumps(api.get(f"/v1/notifications/{members[0]}/trace").json())
    assert Event.objects.filter(kind="cancelled").count() == len(members) + 1
    assert (digest.make_digests(), told()) == (0, "")


@pytest.mark.parametrize("is_planned", [False, True])
def test_what_another_application_had_in_it_is_told_in_the_next(api: Api, *, is_planned: bool) -> None:
    theirs = follow(Api(make_key("forum")), "Bob")
    follow(api, "Carol")
    name = gathered()
    if is_planned:
        plan_only()
    assert api.post(f"/v1/notifications/{name}/cancel").status_code == 200
    assert digest.make_digests() == 1
    drain()
    assert ("Bob" in told(), "Carol" in told()) == (True, False)
    assert Delivery.objects.get(notification_id=theirs).status == "delivered"


def test_what_one_device_was_told_is_not_cancelled_with_the_rest(api: Api) -> None:
    make_recipient(tokens=["phone-" + "a" * 40, "sandbox-down-" + "b" * 40])
    follow(api, "Bob", channels=["push"], content={"title": "Bob follows you", "body": "Hello."})
    name = gathered()
    drain()
    assert statuses() == {("delivered", None): 3, ("retrying", None): 1}
    assert api.post(f"/v1/notifications/{name}/cancel").status_code == 200
    assert statuses() == {("delivered", None): 3, ("cancelled", "cancelled"): 1}


def test_a_digest_that_has_left_cannot_be_cancelled_any_more(api: Api) -> None:
    follow(api, "Bob")
    name = gathered()
    drain()
    assert api.post(f"/v1/notifications/{name}/cancel").status_code == 409
    assert set(statuses()) == {("delivered", None)}
