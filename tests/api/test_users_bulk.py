"""`POST /v1/users/bulk`: each user on their own, all of them in a fixed number of statements."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from notify.api.auth import Caller
from notify.vocabulary import Tier

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    made = APIClient(raise_request_exception=False)
    scopes = frozenset({"users"})
    made.force_authenticate(token=Caller(application_id=1, key_id=1, scopes=scopes, tier=Tier.INTERNAL, is_test=False))
    return made


def post(client: APIClient, body: Any) -> tuple[int, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.generic("POST", "/v1/users/bulk", content, content_type="application/json")
    return answer.status_code, json.loads(answer.content)


def results(client: APIClient, *users: Any) -> list[Any]:
    status, answer = post(client, {"users": users})
    assert status == 200
    return list(answer["results"])


def test_each_user_is_created_or_updated(client: APIClient) -> None:
    results(client, {"user_id": "u1", "email": "one@example.com"})
    found = results(client, {"user_id": "u2"}, {"user_id": "u1", "locale": "de"})
    assert [(one["user_id"], one["status"], one["code"]) for one in found] == [
        ("u2", "created", None),
        ("u1", "updated", None),
    ]
    replaced = client.get("/v1/users/u1").json()
    assert (replaced["email"], replaced["locale"]) == (None, "de")


@pytest.mark.parametrize(
    ("bad", "code", "pointer"),
    [
        ({"user_id": "u2", "email": "nobody"}, "invalid_email", "/users/1/email"),
        ({"user_id": "u2", "phone": "555"}, "invalid_phone", "/users/1/phone"),
        ({"user_id": "u2", "timezone": "Mars"}, "invalid_timezone", "/users/1/timezone"),
        ({"user_id": "u2", "wrong": 1}, "unknown_field", "/users/1/wrong"),
        ({"user_id": "u2", "email": 5}, "invalid_email", "/users/1/email"),
        ({"user_id": "u2", "attributes": {"a": "\0"}}, "invalid_attributes", "/users/1/attributes/a"),
        ({"user_id": "u2", "locale": "\ud800"}, "invalid_locale", "/users/1/locale"),
        ({"user_id": "u2", "attributes": {"a": float("nan")}}, "malformed_json", None),
        ({"user_id": "u1"}, "duplicate_user", "/users/1/user_id"),
        ({"user_id": "a/b"}, "invalid_user_id", "/users/1/user_id"),
        ({"email": "x@example.com"}, "invalid_user_id", "/users/1/user_id"),
    ],
)
def test_one_bad_user_does_not_sink_the_others(client: APIClient, bad: Any, code: str, pointer: str | None) -> None:
    found = results(client, {"user_id": "u1"}, bad, {"user_id": "u3"})
    assert [one["status"] for one in found] == ["created", "rejected", "created"]
    assert (found[1]["user_id"], found[1]["code"]) == (bad.get("user_id"), code)
    assert [one["pointer"] for one in found[1]["errors"]] == ([pointer] if pointer else [])
    assert found[1]["detail"]


@pytest.mark.parametrize("bad", [5, None, "u2", [], {"user_id": 7}])
def test_a_user_that_is_none_is_rejected_without_a_name(client: APIClient, bad: Any) -> None:
    found = results(client, bad, {"user_id": "u3"})
    assert [(one["user_id"], one["status"]) for one in found] == [(None, "rejected"), ("u3", "created")]


def test_an_erased_user_is_rejected_and_the_others_go_on(client: APIClient) -> None:
    results(client, {"user_id": "u1"})
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_recipient SET status = 'erased', data_key = NULL")
    found = results(client, {"user_id": "u1"}, {"user_id": "u2"})
    assert [(one["status"], one["code"]) for one in found] == [("rejected", "user_erased"), ("created", None)]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"users": [', 400, "malformed_json"),
        (b'{"users": [{"user_id": }]}', 400, "malformed_json"),
        (b"[]", 422, "invalid_body"),
        (b"{}", 422, "invalid_users"),
        (b'{"users": {}}', 422, "invalid_users"),
        (b'{"users": [], "more": 1}', 422, "unknown_field"),
    ],
)
def test_what_is_no_list_of_users_is_refused_as_a_whole(client: APIClient, body: bytes, status: int, code: str) -> None:
    answered, problem = post(client, body)
    assert (answered, problem["code"]) == (status, code)


def test_an_empty_list_has_an_empty_answer(client: APIClient) -> None:
    assert results(client) == []


def test_a_thousand_users_are_taken_and_one_more_is_422(client: APIClient) -> None:
    users = [{"user_id": f"u{n}"} for n in range(1_001)]
    status, problem = post(client, {"users": users})
    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (422, "too_many_users", "/users")
    assert {one["status"] for one in results(client, *users[:1_000])} == {"created"}


@pytest.mark.parametrize("count", [2, 200])
def test_a_bulk_of_any_size_costs_four_statements(client: APIClient, count: int) -> None:
    users = [{"user_id": f"u{n}", "email": f"u{n}@example.com"} for n in range(count)]
    results(client, *users)
    with CaptureQueriesContext(connection) as captured:
        results(client, *users)
    assert len([one for one in captured if "SAVEPOINT" not in one["sql"]]) == 4
