"""`/v1/users`: what owners may say of their users, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from notify.api.auth import Caller
from notify.vocabulary import Tier

ALICE = {
    "email": "alice@example.com",
    "phone": "+15559876543",
    "locale": "en-GB",
    "timezone": "Europe/London",
    "country_code": "GB",
    "attributes": {"plan": "gold", "last_active": "2027-01-02T03:04:05Z"},
}

pytestmark = pytest.mark.django_db


class Users:
    """Calls with a key of some scopes, or with a user's own token."""

    def __init__(self, scopes: str = "users", user_id: str | None = None) -> None:
        self.client = APIClient(raise_request_exception=False)
        caller = Caller(
            application_id=1,
            key_id=1,
            scopes=frozenset(scopes.split()) if user_id is None else frozenset(),
            tier=Tier.INTERNAL,
            is_test=False,
            user_id=user_id,
        )
        self.client.force_authenticate(token=caller)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = self.client.generic(
            method, f"/v1/users/{path}", content, content_type="application/json", headers=headers
        )
        return answer.status_code, json.loads(answer.content) if answer.content else None


@pytest.fixture
def call() -> Users:
    return Users()


def test_a_user_is_created_then_replaced_and_read_in_full(call: Users) -> None:
    status, created = call("PUT", "u_alice", ALICE)
    assert status == 201
    assert created | ALICE == created
    assert (created["user_id"], created["status"]) == ("u_alice", "active")
    status, replaced = call("PUT", "u_alice", {"locale": "de"})
    assert status == 200
    assert (replaced["email"], replaced["locale"], replaced["attributes"]) == (None, "de", {})
    assert call("GET", "u_alice") == (200, replaced)


def test_the_alias_under_api_answers_the_same(call: Users) -> None:
    call("PUT", "u_alice", ALICE)
    assert call.client.get("/api/v1/users/u_alice").json() == call("GET", "u_alice")[1]


def test_a_patch_changes_what_it_names_and_merges_attributes(call: Users) -> None:
    call("PUT", "u_alice", ALICE)
    patch = {"email": None, "phone": "+44 7700 900123", "attributes": {"plan": None, "age": 7}}
    status, after = call("PATCH", "u_alice", patch)
    assert status == 200
    assert (after["email"], after["phone"], after["locale"]) == (None, "+447700900123", "en-GB")
    assert after["attributes"] == {"last_active": "2027-01-02T03:04:05Z", "age": 7}
    assert call("PATCH", "u_alice", {"attributes": None, "locale": None})[1]["attributes"] == {}
    assert call("GET", "u_alice")[1]["locale"] is None


def test_a_deleted_user_says_so_and_is_active_again_once_put(call: Users) -> None:
    call("PUT", "u_alice", ALICE)
    assert call("DELETE", "u_alice") == (204, None)
    assert call("DELETE", "u_alice") == (204, None)
    assert call("GET", "u_alice")[1]["status"] == "deleted"
    assert call("PATCH", "u_alice", {"locale": "fr"})[1]["status"] == "deleted"
    assert call("PUT", "u_alice", ALICE)[1]["status"] == "active"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_user_is_404(call: Users, method: str) -> None:
    status, problem = call(method, "u_nobody", {} if method == "PATCH" else None)
    assert (status, problem["code"]) == (404, "unknown_user")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "alice"),
        ("email", 5),
        ("email", "a\u0000@example.com"),
        ("phone", "5559876543"),
        ("phone", "\ud800"),
        ("locale", "not-a-locale"),
        ("timezone", "Mars/Olympus"),
        ("country_code", "ZZ"),
        ("attributes", []),
        ("attributes", {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {}}}}}}}}}),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_field_that_makes_no_sense_is_422_with_its_pointer(call: Users, method: str, field: str, value: Any) -> None:
    call("PUT", "u_alice", {"locale": "en"})
    status, problem = call(method, "u_alice", {field: value})
    assert (status, problem["code"]) == (422, f"invalid_{field}")
    assert [(one["pointer"], one["code"]) for one in problem["errors"]] == [(f"/{field}", f"invalid_{field}")]
    assert call("GET", "u_alice")[1]["locale"] == "en"


@pytest.mark.parametrize("field", ["status", "id", "data_key", "created_at", "is_admin", "user_id"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_field_that_is_not_the_callers_to_write_is_422(call: Users, method: str, field: str) -> None:
    call("PUT", "u_alice", ALICE)
    status, problem = call(method, "u_alice", {field: "x"})
    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (422, "unknown_field", f"/{field}")


@pytest.mark.parametrize("body", [b"", b"{", b'{"email": ', b"\xff", b'{"email": NaN}', b"{} {}"])
def test_what_is_not_json_is_400(call: Users, body: bytes) -> None:
    status, problem = call("PUT", "u_alice", body)
    assert (status, problem["code"]) == (400, "malformed_json")
    assert call("GET", "u_alice")[0] == 404


@pytest.mark.parametrize("user_id", ["%00", "a%20b", "a%0A", "%C3%BC", "a" * 129, "%2E%2E", "a%7F"])
def test_an_id_that_cannot_be_one_is_refused_and_never_found(call: Users, user_id: str) -> None:
    status, problem = call("PUT", user_id, {})
    assert (status, problem["code"]) in {(422, "invalid_user_id"), (404, "not_found")}
    assert call("GET", user_id)[0] == 404
    assert call("GET", f"{user_id}/preferences")[0] == 404
    assert call("GET", f"{user_id}/devices")[0] == 404


@pytest.mark.parametrize("user_id", ["auth0|5f7c", "alice+news@example.com", "a:b", "a" * 128, "%25", "~"])
def test_an_id_may_be_any_visible_ascii(call: Users, user_id: str) -> None:
    assert call("PUT", user_id, {})[0] == 201
    assert call("GET", user_id)[0] == 200


def test_an_erased_user_takes_no_data(call: Users) -> None:
    call("PUT", "u_alice", ALICE)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_recipient SET status = 'erased', data_key = NULL")
    for method in ("PUT", "PATCH"):
        status, problem = call(method, "u_alice", {})
        assert (status, problem["code"]) == (409, "user_erased")
    found = call("GET", "u_alice")[1]
    assert (found["status"], found["email"], found["phone"]) == ("erased", None, None)


def test_without_the_scope_nothing_is_read_or_written() -> None:
    stranger = Users("send read templates operate")
    for method, path in [("GET", "u_alice"), ("PUT", "u_alice"), ("POST", "bulk"), ("GET", "u_alice/devices")]:
        status, problem = stranger(method, path, {})
        assert (status, problem["code"]) == (403, "missing_scope")


def test_a_users_own_token_does_not_open_the_users_record(call: Users) -> None:
    call("PUT", "u_alice", ALICE)
    assert Users(user_id="u_alice")("GET", "u_alice")[0] == 403


def test_a_method_that_is_not_there_is_405(call: Users) -> None:
    status, problem = call("POST", "u_alice", {})
    assert (status, problem["status"]) == (405, 405)


def test_writing_one_user_costs_a_fixed_number_of_statements(call: Users) -> None:
    call("PUT", "u_alice", ALICE)
    with CaptureQueriesContext(connection) as captured:
        call("PUT", "u_alice", ALICE)
    assert len([one for one in captured if "SAVEPOINT" not in one["sql"]]) == 6
