"""What waits is told in one: when, with what, to whom not, and what becomes of its members."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from channels import registry
from notify import conf, digest
from notify.models import Delivery, DigestItem, Event, Notification
from notify.rules.caps import limits_of
from notify.sweep import collect_due
from tests.factories import Api, make_recipient, make_template, make_type
from tests.flow.conftest import drain, plan_only

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]

Send = Callable[..., str]


@pytest.fixture(autouse=True)
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    """No caps, and a sandbox that writes into this test's folder."""
    registry.close()
    monkeypatch.setattr(conf, "CAPS", limits_of("", ""))


@pytest.fixture
def send(api: Api) -> Send:
    """Send FOLLOWED; answers the notification's id."""
    make_template(
        "followed",
        "FOLLOWED",
        channels={
            "email": {"en": {"subject": "{{ who }} follows you", "body": "Say hello to {{ who }}."}},
            "push": {"en": {"title": "{{ who }} follows you", "body": "Say hello."}},
            "sms": {"en": {"body": "{{ who }} follows you"}},
        },
        variables={"who": {"type": "string", "required": True, "default": None}},
    )
    make_type("FOLLOWED", category="social", channels=["email"], digestible=True, template_id="followed")
    calls = iter(range(1_000_000))

    def accepted(user_id: str = "u_alice", who: str = "Bob", **body: Any) -> str:
        request = {"type": "FOLLOWED", "user_id": user_id, "variables": {"who": who}, **body}
        response = api.post("/v1/notifications", request, Idempotency_Key=f"key-{next(calls)}")
        assert response.status_code == 202, response.content
        name: str = response.json()["notifications"][0]["id"]
        return name

    return accepted


def wants(api: Api, user_id: str = "u_alice", **preferences: Any) -> None:
    assert api.patch(f"/v1/users/{user_id}/preferences", preferences).status_code == 200


def come_due() -> None:
    DigestItem.objects.filter(digest_id=None).update(due_at=timezone.now() - timedelta(hours=1))


def told() -> list[dict[str, Any]]:
    """What the sandbox got, oldest first."""
    found = []
    for file in sorted(Path(settings.CARILLON["HOME"]).rglob("*.jsonl")):
        found += [json.loads(line) for line in file.read_text().splitlines()]
    return found


def statuses() -> Counter[tuple[str, str | None]]:
    return Counter(Delivery.objects.values_list("status", "reason_code"))


def test_a_daily_digest_gathers_and_tells_in_one(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com", zone="Asia/Kolkata")
    wants(api, digest_frequency="daily")
    ids = [send(who=who) for who in ("Bob", "Carol", "Dave")]
    drain()
    assert statuses() == {("deferred", None): 3}
    due = {one.due_at for one in DigestItem.objects.all()}
    assert len(due) == 1
    assert (due.pop() + timedelta(hours=5, minutes=30)).strftime("%H:%M") == "09:00"
    assert digest.make_digests() == 0
    come_due()
    assert digest.make_digests() == 1
    drain()
    assert statuses() == {("delivered", None): 4}
    message = told()[-1]
    assert len(told()) == 1
    for who in ("Bob", "Carol", "Dave"):
        assert f"{who} follows you" in json.dumps(message)
    trace = api.get(f"/v1/notifications/{ids[0]}/trace").json()
    one = DigestItem.objects.get(notification_id=ids[0])
    assert str(one.digest_id) in json.dumps(trace)
    assert api.get(f"/v1/notifications/{ids[0]}/status").json()["status"] == "delivered"
    assert api.get(f"/v1/notifications/{one.digest_id}").json()["type"] == "DIGEST_SOCIAL"


def test_whoever_has_two_devices_is_told_each_thing_once(api: Api, send: Send) -> None:
    make_recipient(tokens=["phone-" + "a" * 40, "tablet-" + "b" * 40])
    wants(api, digest_frequency="hourly")
    for who in ("Bob", "Carol"):
        send(who=who, channels=["push"])
    drain()
    assert statuses() == {("deferred", None): 4}
    come_due()
    assert digest.make_digests() == 1
    drain()
    assert statuses() == {("delivered", None): 6}
    assert {(one["title"], one["body"]) for one in told()} == {
        ("New for you (2)", "Carol follows you · Bob follows you")
    }
    assert {event.detail["count"] for event in Event.objects.filter(kind="digested")} == {2}


def test_what_cannot_be_said_to_one_device_is_said_to_none(api: Api, send: Send) -> None:
    make_recipient(tokens=["phone-" + "a" * 40, "tablet-" + "b" * 40])
    wants(api, digest_frequency="hourly")
    send(channels=["push"], content={"title": "x" * 256, "body": "too long"}, variables={})
    send(who="Carol", channels=["push"])
    drain()
    come_due()
    assert digest.make_digests() == 1
    drain()
    assert statuses() == {("failed", "invalid_payload"): 2, ("delivered", None): 4}


def test_the_inbox_has_each_of_them_at_once(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com")
    wants(api, digest_frequency="weekly")
    send(channels=["in_app", "email"], content={"title": "Hi", "body": "there"}, variables={})
    drain()
    assert Counter(Delivery.objects.values_list("channel", "status")) == {
        ("in_app", "delivered"): 1,
        ("email", "deferred"): 1,
    }


def test_what_cannot_wait_does_not(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com")
    wants(api, digest_frequency="daily")
    send(priority="critical")
    make_type("FOLLOWED", category="social", channels=["email"], digestible=False, template_id="followed")
    send()
    drain()
    assert statuses() == {("delivered", None): 2}


def test_a_digest_never_comes_after_no(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com")
    wants(api, digest_frequency="hourly")
    send()
    drain()
    wants(api, types={"FOLLOWED": {"email": False}})
    come_due()
    assert digest.make_digests() == 0
    drain()
    assert statuses() == {("suppressed", "category_opted_out"): 1}
    assert told() == []
    assert not DigestItem.objects.exists()


def test_a_digest_that_is_refused_at_last_refuses_its_members(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com")
    wants(api, digest_frequency="hourly")
    send()
    drain()
    come_due()
    digest.make_digests()
    plan_only()
    wants(api, categories={"social": {"email": False}})
    drain()
    assert statuses() == {("suppressed", "category_opted_out"): 2}


def test_a_digest_on_its_way_is_made_anew_without_what_is_unwanted_by_now(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com")
    wants(api, digest_frequency="hourly")
    make_type("LIKED", category="social", channels=["email"], digestible=True)
    liked = {"content": {"subject": "Bob likes it", "body": "Really."}, "variables": {}}
    unwanted, cancelled = send(type="LIKED", **liked), send(who="Carol")
    send(who="Dave")
    drain()
    come_due()
    assert digest.make_digests() == 1
    plan_only()
    wants(api, types={"LIKED": {"email": False}})
    assert api.post(f"/v1/notifications/{cancelled}/cancel").status_code < 300
    drain()
    assert told() == []
    assert digest.make_digests() == 1
    drain()
    assert statuses() == {
        ("suppressed", "superseded"): 1,
        ("suppressed", "category_opted_out"): 1,
        ("cancelled", "cancelled"): 1,
        ("delivered", None): 2,
    }
    assert Delivery.objects.get(notification_id=unwanted).status == "suppressed"
    (message,) = told()
    assert "Dave" in json.dumps(message)
    assert not {"Bob", "Carol"} & set(json.dumps(message).replace(".", " ").split())


def test_a_second_device_is_not_told_what_is_unwanted_by_now_and_the_first_not_twice(api: Api, send: Send) -> None:
    make_recipient(tokens=["phone-" + "a" * 40, "sandbox-down-" + "b" * 40])
    wants(api, digest_frequency="hourly")
    send(channels=["push"])
    drain()
    come_due()
    digest.make_digests()
    drain()
    assert Delivery.objects.filter(status="retrying").count() == 1
    wants(api, types={"FOLLOWED": {"push": False}})
    Delivery.objects.filter(status="retrying").update(next_attempt_at=timezone.now() - timedelta(hours=1))
    collect_due()
    drain()
    assert statuses() == {("delivered", None): 3, ("suppressed", "superseded"): 1}
    come_due()
    assert (digest.make_digests(), len(told())) == (0, 2)


def test_members_that_expired_or_were_cancelled_are_not_told(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com")
    wants(api, digest_frequency="hourly")
    cancelled, expired, kept = send(who="Bob"), send(who="Carol"), send(who="Dave")
    drain()
    Delivery.objects.filter(notification_id=expired).update(expires_at=timezone.now() - timedelta(hours=1))
    assert api.post(f"/v1/notifications/{cancelled}/cancel").status_code < 300
    come_due()
    digest.make_digests()
    drain()
    by_name = dict(Delivery.objects.values_list("notification_id", "status"))
    assert [by_name[UUID(one)] for one in (cancelled, expired, kept)] == ["cancelled", "expired", "delivered"]
    assert "Bob" not in json.dumps(told())
    assert "Carol" not in json.dumps(told())


def test_at_night_it_waits_and_gathers_on(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com")
    hour = timezone.now().hour
    night = {"start": f"{hour:02}:00", "end": f"{(hour + 3) % 24:02}:00"}
    wants(api, digest_frequency="hourly", quiet_hours=night)
    send()
    drain()
    come_due()
    assert digest.make_digests() == 0
    assert DigestItem.objects.get().due_at > timezone.now() + timedelta(hours=1)


@pytest.mark.parametrize("step", ["notify.store.intake.insert_notifications", "notify.store.digests.name_digests"])
def test_a_death_while_it_is_made_loses_and_repeats_nothing(
    api: Api, send: Send, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    make_recipient(email="alice@example.com")
    wants(api, digest_frequency="hourly")
    for who in ("Bob", "Carol"):
        send(who=who)
    drain()
    come_due()
    with monkeypatch.context() as dying:
        dying.setattr(step, _die)
        with pytest.raises(RuntimeError):
            digest.make_digests()
    assert Notification.objects.count() == 2
    assert digest.make_digests() == 1
    assert digest.make_digests() == 0
    drain()
    assert statuses() == {("delivered", None): 3}
    assert len(told()) == 1


def _die(*_: object) -> None:
    raise RuntimeError


def test_what_is_over_a_cap_is_told_in_one_when_there_is_room(
    api: Api, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "CAPS", limits_of("email 2/1h", ""))
    make_type(
        "FOLLOWED", category="social", channels=["email"], digestible=True, over_cap="digest", template_id="followed"
    )
    make_recipient(email="alice@example.com")
    for who in ("Bob", "Carol", "Dave", "Eve"):
        send(who=who)
    drain()
    assert statuses() == {("delivered", None): 2, ("deferred", None): 2}
    come_due()
    assert digest.make_digests() == 0
    assert all(one.due_at > timezone.now() + timedelta(minutes=50) for one in DigestItem.objects.all())
    monkeypatch.setattr(conf, "CAPS", limits_of("email 3/1h", ""))
    come_due()
    assert digest.make_digests() == 1
    drain()
    assert statuses() == {("delivered", None): 5}
    assert len(told()) == 3


def test_an_owners_template_is_used(api: Api, send: Send) -> None:
    make_template(
        "gathered",
        "DIGEST_SOCIAL",
        channels={"email": {"en": {"subject": "{{ count }} things", "body": "{{ groups[0].type }}"}}},
        variables={name: {"type": "list", "required": False, "default": None} for name in ("groups", "items")},
    )
    make_type("DIGEST_SOCIAL", category="social", channels=["email"], template_id="gathered")
    make_recipient(email="alice@example.com")
    wants(api, digest_frequency="hourly")
    for who in ("Bob", "Carol"):
        send(who=who)
    drain()
    come_due()
    digest.make_digests()
    drain()
    assert "2 things" in json.dumps(told())
    assert "FOLLOWED" in json.dumps(told())


def test_text_messages_whose_night_ends_become_one(api: Api, send: Send) -> None:
    make_recipient(phone="+447700900123")
    make_recipient("u_bob", phone="+447700900124")
    make_type("FOLLOWED", category="social", channels=["sms"], template_id="followed")
    hour = timezone.now().hour
    night = {"start": f"{hour:02}:00", "end": f"{(hour + 3) % 24:02}:00"}
    wants(api, quiet_hours=night)
    wants(api, "u_bob", quiet_hours=night)
    for who in ("Carol", "Dave"):
        send(who=who, channels=["sms"])
    send("u_bob", channels=["sms"])
    drain()
    assert statuses() == {("deferred", None): 3}
    wants(api, quiet_hours=None)
    wants(api, "u_bob", quiet_hours=None)
    Delivery.objects.update(next_attempt_at=timezone.now() - timedelta(hours=1))
    collect_due()
    drain()
    assert statuses() == {("delivered", None): 1, ("deferred", None): 2}
    assert digest.make_digests() == 1
    drain()
    assert statuses() == {("delivered", None): 4}
    texts = [json.dumps(one) for one in told()]
    assert len(texts) == 2
    assert "Carol" in texts[1]
    assert "Dave" in texts[1]


def test_a_test_stays_a_test(api: Api, send: Send) -> None:
    make_recipient(email="alice@example.com")
    wants(api, digest_frequency="hourly")
    send()
    drain()
    connection.cursor().execute("UPDATE notify_batch SET test = true")
    come_due()
    assert digest.make_digests() == 1
    made = Event.objects.get(kind="digested").detail["digest"]
    assert Notification.objects.get(id=made).batch.test
