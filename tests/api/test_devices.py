"""`/v1/users/{user_id}/devices`: registered, rotated, moved, removed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from notify.api.auth import Caller
from notify.vocabulary import Tier
from preferences import store
from preferences.vocabulary import RecipientFacts

pytestmark = pytest.mark.django_db

PHONE = {"device_id": "d1", "platform": "ios", "token": "token-0000-abcd", "app_version": "1.0"}


class Desk:
    """Calls about devices, with a key or with a user's own token."""

    def __init__(self, user_id: str | None = None) -> None:
        self.client = APIClient(raise_request_exception=False)
        scopes = frozenset({"users"} if user_id is None else ())
        self.client.force_authenticate(
            token=Caller(application_id=1, key_id=1, scopes=scopes, tier=Tier.INTERNAL, is_test=False, user_id=user_id)
        )

    def __call__(self, method: str, path: str = "", body: Any = None, *, of: str = "u_alice") -> tuple[int, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.client.generic(method, f"/v1/users/{of}/devices{path}", content, content_type="application/json")
        return answer.status_code, json.loads(answer.content) if answer.content else None

    def listed(self, of: str = "u_alice") -> list[Any]:
        status, answer = self("GET", of=of)
        assert status == 200
        assert answer["page"] == {"next_cursor": None, "has_more": False}
        return list(answer["data"])


@pytest.fixture
def call() -> Desk:
    made = Desk()
    for user_id in ("u_alice", "u_bob"):
        made.client.put(f"/v1/users/{user_id}", {}, format="json")
    return made


def facts(user_id: str = "u_alice") -> RecipientFacts:
    recipient_id = store.resolve([user_id])[user_id].id
    return store.facts_for([recipient_id])[recipient_id]


def tokens(user_id: str = "u_alice") -> list[str]:
    """What would be sent to."""
    person = facts(user_id)
    key = store.data_key(person.wrapped_key, person.id)
    return [store.address_of(device, key) for device in person.devices]


def subscription(**changes: Any) -> dict[str, Any]:
    keys = {
        "p256dh": base64.urlsafe_b64encode(b"\4" * 65).decode().rstrip("="),
        "auth": base64.urlsafe_b64encode(b"a" * 16).decode().rstrip("="),
    }
    return {"endpoint": "https://push.example.com/send/abcd", "expirationTime": None, "keys": keys} | changes


def test_a_device_is_registered_and_listed_without_its_token(call: Desk) -> None:
    status, device = call("POST", body=PHONE)
    assert status == 201
    assert (device["device_id"], device["platform"], device["token"], device["active"]) == ("d1", "ios", "…abcd", True)
    assert call.listed() == [device]
    assert tokens() == ["token-0000-abcd"]
    assert call("POST", body=PHONE)[0] == 200


def test_a_token_seen_on_another_user_moves_there(call: Desk) -> None:
    call("POST", body=PHONE)
    assert call("POST", body=PHONE | {"device_id": "other"}, of="u_bob")[0] == 201
    assert (tokens("u_alice"), tokens("u_bob")) == ([], ["token-0000-abcd"])
    assert call.listed() == []


def test_an_app_installed_again_under_another_id_is_not_told_twice(call: Desk) -> None:
    call("POST", body=PHONE)
    call("POST", body=PHONE | {"device_id": "d2"})
    assert tokens() == ["token-0000-abcd"]
    assert [one["device_id"] for one in call.listed()] == ["d2"]


def test_an_old_token_is_rotated_to_the_new(call: Desk) -> None:
    call("POST", body=PHONE)
    status, device = call("PUT", "/d1", {"old_token": PHONE["token"], "token": "token-1111-efgh"})
    assert (status, device["token"], device["app_version"], device["platform"]) == (200, "…efgh", "1.0", "ios")
    assert tokens() == ["token-1111-efgh"]
    assert call("PUT", "/d1", {"old_token": PHONE["token"], "token": "token-1111-efgh"})[0] == 200


def test_a_rotation_retires_the_old_token_wherever_the_user_has_it(call: Desk) -> None:
    call("POST", body=PHONE)
    call("PUT", "/d2", {"platform": "ios", "old_token": PHONE["token"], "token": "token-1111-efgh"})
    assert tokens() == ["token-1111-efgh"]


def test_a_rotation_leaves_other_people_alone(call: Desk) -> None:
    call("POST", body=PHONE, of="u_bob")
    call("PUT", "/d1", {"platform": "ios", "old_token": PHONE["token"], "token": "token-1111-efgh"})
    assert tokens("u_bob") == [PHONE["token"]]


def test_a_device_seen_again_keeps_its_token(call: Desk) -> None:
    _, before = call("POST", body=PHONE)
    status, after = call("PUT", "/d1", {"app_version": "2.0"})
    assert (status, after["app_version"], after["token"]) == (200, "2.0", "…abcd")
    assert after["last_seen_at"] > before["last_seen_at"]
    assert after["registered_at"] == before["registered_at"]


def test_a_put_registers_a_device_that_is_new(call: Desk) -> None:
    body = {"platform": "android", "token": "token-2222"}
    assert call("PUT", "/d9", body)[0] == 201
    assert call("PUT", "/d9", body | {"device_id": "d9"})[0] == 200
    status, problem = call("PUT", "/d9", body | {"device_id": "d8"})
    assert (status, problem["code"]) == (422, "invalid_device_id")


@pytest.mark.parametrize(
    ("body", "field"), [({"token": "token-1"}, "platform"), ({"platform": "ios"}, "token"), ({}, "platform")]
)
def test_a_new_device_needs_platform_and_token(call: Desk, body: dict[str, str], field: str) -> None:
    status, problem = call("PUT", "/d9", body)
    assert (status, problem["errors"][0]["pointer"]) == (422, f"/{field}")


def test_a_web_token_is_the_browsers_subscription(call: Desk) -> None:
    status, device = call("POST", body={"device_id": "w", "platform": "web", "token": subscription()})
    assert (status, device["token"]) == (201, "…abcd")
    assert json.loads(tokens()[0])["endpoint"] == "https://push.example.com/send/abcd"


@pytest.mark.parametrize("token", ["/topics/news", "'news' in topics && !('sports' in topics)"])
def test_a_device_may_be_all_that_follow_a_topic(call: Desk, token: str) -> None:
    assert call("POST", body={"device_id": "all", "platform": "android", "token": token})[0] == 201
    assert tokens() == [token]


@pytest.mark.parametrize(
    ("platform", "token"),
    [
        ("ios", ""),
        ("ios", "with space"),
        ("ios", "x" * 5_000),
        ("android", {"endpoint": "https://x"}),
        ("web", "not a subscription"),
        ("web", subscription(endpoint="http://push.example.com/a")),
        ("web", subscription(endpoint="javascript:alert(1)")),
        ("web", subscription(keys={})),
        ("ios", "a\0b"),
        ("ios", "/topics/news"),
        ("android", "/topics/a b"),
        ("android", "'a' in topics &&"),
    ],
)
def test_a_token_of_another_form_is_422(call: Desk, platform: str, token: Any) -> None:
    status, problem = call("POST", body={"device_id": "d", "platform": platform, "token": token})
    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (422, "invalid_token", "/token")
    assert call.listed() == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"platform": "windows"}, "invalid_platform"),
        ({"device_id": "a/b"}, "invalid_device_id"),
        ({"device_id": ""}, "invalid_device_id"),
        ({"app_version": "v" * 65}, "invalid_app_version"),
        ({"active": True}, "unknown_field"),
    ],
)
def test_what_makes_no_sense_is_422(call: Desk, change: dict[str, Any], code: str) -> None:
    status, problem = call("POST", body=PHONE | change)
    assert (status, problem["code"]) == (422, code)


def test_a_removed_device_is_gone_and_may_come_back(call: Desk) -> None:
    call("POST", body=PHONE)
    assert call("DELETE", "/d1") == (204, None)
    assert (call.listed(), tokens()) == ([], [])
    assert call("DELETE", "/d1")[1]["code"] == "unknown_device"
    assert call("POST", body=PHONE)[0] == 201
    assert tokens() == [PHONE["token"]]


def test_a_dead_token_is_shown_as_inactive_and_a_new_one_revives_the_device(call: Desk) -> None:
    call("POST", body=PHONE)
    store.deactivate_rejected({facts().devices[0].id: datetime.now(UTC) + timedelta(seconds=1)})
    (device,) = call.listed()
    assert (device["active"], device["inactive_reason"]) == (False, "provider_rejected_token")
    assert call("PUT", "/d1", {"app_version": "2.0"})[1]["code"] == "invalid_token"
    assert call("PUT", "/d1", {"token": "token-3333"})[1]["active"] is True


def test_the_twenty_first_device_is_refused_and_ten_thousand_too(call: Desk) -> None:
    for number in range(20):
        assert call("POST", body=PHONE | {"device_id": f"d{number}", "token": f"token-{number:04}"})[0] == 201
    for number in range(20, 25):
        status, problem = call("POST", body=PHONE | {"device_id": f"d{number}", "token": f"token-{number:04}"})
        assert (status, problem["code"]) == (422, "too_many_devices")
    assert len(tokens()) == 20
    assert call("PUT", "/d3", {"token": "token-9999"})[0] == 200
    assert call("POST", body=PHONE | {"device_id": "again", "token": "token-9999"})[0] == 201


def test_a_persons_own_token_reaches_their_own_devices_and_nobody_elses(call: Desk) -> None:
    alice = Desk(user_id="u_alice")
    assert alice("POST", body=PHONE)[0] == 201
    assert alice("DELETE", "/d1")[0] == 204
    for of in ("u_bob", "u_nobody"):
        for method, path, body in [
            ("GET", "", None),
            ("POST", "", PHONE),
            ("PUT", "/d1", PHONE),
            ("DELETE", "/d1", None),
        ]:
            status, problem = alice(method, path, body, of=of)
            assert (status, problem["code"]) == (404, "unknown_user")
    assert tokens("u_bob") == []


def test_an_unknown_user_is_404(call: Desk) -> None:
    for method, path, body in [("GET", "", None), ("POST", "", PHONE), ("PUT", "/d1", PHONE), ("DELETE", "/d1", None)]:
        assert call(method, path, body, of="u_nobody")[1]["code"] == "unknown_user"


def test_tokens_are_stored_sealed(call: Desk) -> None:
    call("POST", body=PHONE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM preferences_device")
        assert "token-0000" not in repr(cursor.fetchall())
