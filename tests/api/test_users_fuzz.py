"""Whatever is sent about users, preferences and devices: an answer, never an accident."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from notify.api.auth import Caller
from notify.vocabulary import Tier

pytestmark = pytest.mark.django_db

FIELDS_TEXT = (
    "user_id users email phone locale timezone country_code attributes channels categories types global_opt_out"
    " channel_order quiet_hours start end version device_id platform token old_token app_version endpoint keys push"
    " email marketing"
)
FIELDS = FIELDS_TEXT.split()
WORDS = ["u_a", "ios", "web", "push", "email", "en-GB", "UTC", "GB", "a@b.co", "+15559876543", "22:00", "\0", "\ud800"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6)
CALLS = st.sampled_from(
    [
        ("PUT", "u_fuzz"),
        ("PATCH", "u_fuzz"),
        ("POST", "bulk"),
        ("PUT", "u_fuzz/preferences"),
        ("PATCH", "u_fuzz/preferences"),
        ("POST", "u_fuzz/devices"),
        ("PUT", "u_fuzz/devices/d1"),
    ]
)
FUZZ = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def client() -> APIClient:
    made = APIClient()
    scopes = frozenset({"users"})
    made.force_authenticate(token=Caller(application_id=1, key_id=1, scopes=scopes, tier=Tier.INTERNAL, is_test=False))
    made.put("/v1/users/u_fuzz", {}, format="json")
    return made


def answer(client: APIClient, method: str, path: str, body: bytes) -> Any:
    return client.generic(method, f"/v1/users/{path}", body, content_type="application/json")


@FUZZ
@given(call=CALLS, body=BODIES)
def test_any_json_is_taken_or_refused_with_a_code(client: APIClient, call: tuple[str, str], body: Any) -> None:
    given_back = answer(client, *call, json.dumps(body).encode())
    assert given_back.status_code in {200, 201, 400, 422}
    assert given_back.status_code < 400 or given_back.json()["code"]


@FUZZ
@given(call=CALLS, body=st.binary(max_size=40))
def test_any_bytes_are_refused_with_a_code(client: APIClient, call: tuple[str, str], body: bytes) -> None:
    assert answer(client, *call, body).status_code in {200, 400, 422}


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "1" * 400, "0." + "1" * 400, "1e-400", "-0", "9007199254740993", "1" * 5_000]
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_number_of_any_size_is_kept_or_refused(client: APIClient, method: str, number: str) -> None:
    given_back = answer(client, method, "u_fuzz", f'{{"attributes": {{"n": {number}}}}}'.encode())
    assert given_back.status_code in {200, 400, 422}
    assert answer(client, "GET", "u_fuzz", b"").status_code == 200
    person = client.get("/v1/users/u_fuzz").json()
    assert person["attributes"] == {} or isinstance(person["attributes"]["n"], (int, float))


@pytest.mark.parametrize("path", ["u_fuzz", "bulk", "u_fuzz/preferences", "u_fuzz/devices/d1"])
def test_a_body_of_ten_megabytes_is_413_and_a_deep_one_422(client: APIClient, path: str) -> None:
    method = "POST" if path == "bulk" else "PUT"
    assert answer(client, method, path, b'"' + b"x" * 10_000_000 + b'"').status_code == 413
    deep = b'{"attributes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert answer(client, method, path, deep).status_code == 422
