"""Every row of the error table of api.md section 2, and bodies nobody should send."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from notify.vocabulary import Scope
from tests.factories import Api, make_key, make_recipient, make_template, make_type

pytestmark = pytest.mark.django_db

BODY: dict[str, Any] = {"type": "ORDER_SHIPPED", "user_id": "u_alice", "variables": {"order_id": "1"}}


@pytest.fixture
def shop(api: Api) -> Api:
    """A caller with a type, its template and one recipient."""
    make_template()
    make_type(template_id="order_shipped")
    make_recipient(email="alice@example.com")
    return api


def post(shop: Api, body: Any = None, **changes: Any) -> Any:
    return shop.post("/v1/notifications", BODY | changes if body is None else body, Idempotency_Key="k")


def nothing_was_kept() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT (SELECT count(*) FROM notify_notification) + (SELECT count(*) FROM notify_batch)
                    + (SELECT count(*) FROM notify_page) + (SELECT count(*) FROM notify_idempotency_key)"""
        )
        return bool(cursor.fetchone()[0] == 0)


def test_an_accepted_send_answers_as_the_interface_says(shop: Api) -> None:
    response = post(shop)
    body = response.json()
    assert response.status_code == 202
    assert response.headers["Content-Type"] == "application/json"
    assert (body["status"], body["notifications_queued"], body["rejected"]) == ("accepted", 1, [])
    assert body["estimated_delivery"] == "< 30s"
    assert body["notifications"][0]["user_id"] == "u_alice"
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert len(body["trace_id"]) == 32


def test_the_alias_under_api_answers_the_same(shop: Api) -> None:
    assert shop.post("/api/v1/notifications", BODY, Idempotency_Key="k").status_code == 202


@pytest.mark.parametrize(
    ("changes", "status", "code", "pointer"),
    [
        ({"type": "UNHEARD_OF"}, 422, "unknown_type", "/type"),
        ({"template_id": "nowhere"}, 400, "unknown_template", "/template_id"),
        ({"variables": {}}, 422, "missing_variable", "/recipients/0"),
        ({"user_id": "u_nobody"}, 422, "unknown_user", "/recipients/0"),
        ({"priority": "asap"}, 422, "invalid_priority", "/priority"),
        ({"channels": ["pigeon"]}, 422, "invalid_channels", "/channels/0"),
        ({"channels": "push"}, 422, "invalid_channels", "/channels"),
        ({"variables": ["order_id"]}, 422, "invalid_variables", "/variables"),
        ({"expires_at": "yesterday"}, 422, "invalid_expires_at", "/expires_at"),
        ({"user_id": 7}, 422, "invalid_user_id", "/user_id"),
        ({"user_id": "nul\0"}, 422, "invalid_user_id", "/user_id"),
        ({"surprise": 1}, 422, "unknown_field", "/surprise"),
        ({"recipients": [{"user_id": "u_alice", "phone": "+1"}], "user_id": None}, 422, "unknown_field", None),
    ],
)
def test_a_refused_send_names_the_field_and_keeps_nothing(
    shop: Api, changes: dict[str, Any], status: int, code: str, pointer: str | None
) -> None:
    response = post(shop, **changes)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert pointer is None or problem["errors"][0]["pointer"] == pointer
    assert problem["errors"][0]["message"]
    assert nothing_was_kept()


def test_a_template_of_another_type_is_400(shop: Api) -> None:
    make_type("NEW_FOLLOWER")
    response = post(shop, type="NEW_FOLLOWER", template_id="order_shipped")
    assert (response.status_code, response.json()["code"]) == (400, "template_type_mismatch")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b'{"type": "ORDER_SHIPPED"', b"\xff\xfe", b'{"type": NaN}', b"[" * 50_000],
)
def test_what_is_no_json_is_400_malformed_json(shop: Api, body: bytes) -> None:
    response = post(shop, body)
    assert response.status_code in {400, 422}
    assert response.json()["code"] in {"malformed_json", "invalid_body"}
    assert nothing_was_kept()


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"7"])
def test_json_that_is_no_object_is_422(shop: Api, body: bytes) -> None:
    response = post(shop, body)
    assert (response.status_code, response.json()["code"][:8]) == (422, "invalid_")


def test_half_a_surrogate_pair_is_422_and_not_a_crash(shop: Api) -> None:
    body = b'{"type": "ORDER_SHIPPED", "user_id": "u_alice", "variables": {"order_id": "\\ud800"}}'
    response = post(shop, body)
    assert response.status_code in {400, 422}
    assert nothing_was_kept()


def test_ten_megabytes_are_413_before_they_are_read(shop: Api) -> None:
    response = post(shop, b'{"type": "' + b"x" * 10_000_000 + b'"}')
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_more_than_a_thousand_recipients_are_422(shop: Api) -> None:
    response = post(shop, user_id=None, recipients=[{"user_id": f"u{n}"} for n in range(1001)])
    assert (response.status_code, response.json()["code"]) == (422, "too_many_recipients")


def test_unknown_recipients_are_rejected_one_by_one_and_the_rest_go_on(shop: Api) -> None:
    response = post(shop, user_id=None, recipients=[{"user_id": "u_nobody"}, {"user_id": "u_alice"}])
    body = response.json()
    assert (response.status_code, body["notifications_queued"]) == (202, 1)
    assert [(one["user_id"], one["code"]) for one in body["rejected"]] == [("u_nobody", "unknown_user")]
    assert body["rejected"][0]["detail"]


def test_the_same_recipient_twice_is_told_once(shop: Api) -> None:
    response = post(shop, user_id=None, recipients=[{"user_id": "u_alice"}, {"user_id": "u_alice"}])
    assert response.json()["notifications_queued"] == 1
    assert response.json()["rejected"][0]["code"] == "duplicate"


def test_without_a_credential_it_is_401(stranger: Api) -> None:
    response = post(stranger)
    assert (response.status_code, response.json()["code"]) == (401, "invalid_key")


def test_without_the_scope_it_is_403(shop: Api) -> None:
    reader = Api(make_key("shop", scopes=(Scope.READ,)))
    assert (post(reader).status_code, post(reader).json()["code"]) == (403, "missing_scope")
    sender = Api(make_key("shop", scopes=(Scope.SEND,)))
    assert post(sender, priority="critical").json()["code"] == "missing_scope"


@pytest.mark.parametrize("key", ["k" * 256, "line\nbreak", "nul\0"])
def test_an_impossible_idempotency_key_is_422(shop: Api, key: str) -> None:
    response = shop.post("/v1/notifications", BODY | {"idempotency_key": key})
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_idempotency_key"


def test_inline_content_is_sent_without_a_template(shop: Api) -> None:
    response = post(shop, content={"title": "Hi", "body": "There"}, variables={})
    assert response.status_code == 202


def test_a_send_of_a_thousand_takes_a_fixed_number_of_statements(shop: Api, django_assert_max_num_queries: Any) -> None:
    for n in range(60):
        make_recipient(f"u{n}", email=f"u{n}@example.com")
    with django_assert_max_num_queries(18):
        response = post(shop, user_id=None, recipients=[{"user_id": f"u{n}"} for n in range(60)])
    assert response.json()["notifications_queued"] == 60


RICH_BODY = {"type": "ORDER_SHIPPED", "user_id": "u_alice", "idempotency_key": "rich"}
RICH_PUSH = {
    "title": "On its way",
    "data": {"order_id": "7"},
    "actions": [{"id": "track", "title": "Track", "url": "https://shop.example/7"}],
    "badge": 3,
    "sound": "chime.caf",
    "category": "ORDER",
    "image_url": "https://shop.example/7.png",
    "action_url": "myapp://orders/7",
}


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"data": {"from": "x"}}, "invalid_data", "/content/data/from"),
        ({"data": {"a/b": "x"}}, "invalid_data", "/content/data/a~1b"),
        ({"data": {"n": 1}}, "invalid_data", "/content/data"),
        ({"actions": [{"id": "a", "title": "A"}] * 2}, "invalid_actions", "/content/actions"),
        ({"actions": [{"id": "a", "title": "A"}] * 4}, "invalid_actions", "/content/actions"),
        ({"actions": [{"id": "a b", "title": "A"}]}, "invalid_id", "/content/actions/0/id"),
        ({"actions": [{"id": "a"}]}, "invalid_title", "/content/actions/0/title"),
        ({"actions": [{"id": "a", "title": "A", "icon": "x"}]}, "unknown_field", "/content/actions/0/icon"),
        (
            {"actions": [{"id": "a", "title": "A", "url": "javascript:1"}]},
            "invalid_link",
            "/content/actions/0/url",
        ),
        ({"action_url": "javascript:1"}, "invalid_link", "/content/action_url"),
        ({"image_url": "myapp://x"}, "invalid_link", "/content/image_url"),
        ({"badge": -1}, "invalid_badge", "/content/badge"),
        ({"badge": True}, "invalid_badge", "/content/badge"),
        ({"headers": {}}, "unknown_field", "/content/headers"),
    ],
)
def test_words_that_no_push_can_carry_are_refused_with_their_place(
    api: Api, changes: dict[str, Any], code: str, pointer: str
) -> None:
    make_recipient()
    make_type()
    answer = api.post("/v1/notifications", {**RICH_BODY, "content": {**RICH_PUSH, **changes}})
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["code"], fault["pointer"]) == (code, pointer)


def test_a_push_with_everything_is_accepted(api: Api) -> None:
    make_recipient()
    make_type()
    assert api.post("/v1/notifications", {**RICH_BODY, "content": RICH_PUSH}).status_code == 202
