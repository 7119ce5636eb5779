from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone

from notify import conf
from notify.api import auth
from notify.models import ApiKey
from notify.policy import USER_TOKEN_LIFETIME
from notify.vocabulary import Scope
from tests.factories import Api, make_key, make_recipient

PREFERENCES = "/v1/users/u_alice/preferences"


@pytest.fixture
def token(api: Api) -> str:
    """A token of u_alice."""
    make_recipient("u_alice")
    make_recipient("u_bob")
    return str(api.post("/v1/users/u_alice/token").json()["token"])


def forged(token: str, *, key: bytes = conf.USER_TOKEN_KEY, **claims: Any) -> str:
    known = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(known | claims, key, algorithm="HS256")


def test_a_token_says_when_it_ends(api: Api) -> None:
    make_recipient("u_alice")
    answer = api.post("/v1/users/u_alice/token").json()
    ends = datetime.fromisoformat(answer["expires_at"])
    assert abs(ends - datetime.now(UTC) - USER_TOKEN_LIFETIME) < timedelta(seconds=2)
    assert timedelta(hours=24) >= USER_TOKEN_LIFETIME


def test_a_token_opens_its_users_own_pages(token: str) -> None:
    assert Api(token).get(PREFERENCES).status_code == 200


def test_somebody_else_looks_to_a_token_like_nobody(token: str) -> None:
    other = Api(token).get("/v1/users/u_bob/preferences")
    nobody = Api(token).get("/v1/users/u_nobody/preferences")
    assert (other.status_code, other.json()["code"]) == (404, "unknown_user")
    assert {**other.json(), "request_id": ""} == {**nobody.json(), "request_id": ""}


@pytest.mark.parametrize("path", ["/v1/users/u_alice", "/v1/notifications", "/v1/users/u_alice/token"])
def test_a_token_opens_nothing_else(token: str, path: str) -> None:
    answer = Api(token).post(path) if path.endswith("token") else Api(token).get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_a_token_past_its_end_is_401_expired_key(token: str) -> None:
    stale = forged(token, exp=datetime.now(UTC) - timedelta(seconds=1))
    assert Api(stale).get(PREFERENCES).json()["code"] == "expired_key"


@pytest.mark.parametrize(
    "changes", [{"key": b"x" * 32}, {"aud": "somebody:else"}, {"exp": None}, {"sub": 7}, {"key": "x"}, {"key": None}]
)
def test_a_forged_token_is_401_invalid_key(token: str, changes: dict[str, Any]) -> None:
    secret = changes.pop("key") if isinstance(changes.get("key"), bytes) else conf.USER_TOKEN_KEY
    known = jwt.decode(token, options={"verify_signature": False}) | changes
    known = {name: value for name, value in known.items() if value is not None}
    if isinstance(known.get("sub"), int):
        known["sub"] = str(known["sub"])
        known["aud"] = "x"
    answer = Api(jwt.encode(known, secret, algorithm="HS256")).get(PREFERENCES)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")


def test_an_unsigned_token_is_401(token: str) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    assert Api(jwt.encode(claims, "", algorithm="none")).get(PREFERENCES).status_code == 401


def test_revoking_a_key_ends_its_tokens(token: str) -> None:
    ApiKey.objects.update(revoked_at=timezone.now())
    auth._Known.rows.clear()
    assert Api(token).get(PREFERENCES).json()["code"] == "invalid_key"


def test_a_key_that_ran_out_lets_its_tokens_run_out_too(token: str) -> None:
    ApiKey.objects.update(expires_at=timezone.now())
    auth._Known.rows.clear()
    assert Api(token).get(PREFERENCES).status_code == 200


@pytest.mark.parametrize("user_id", ["u_nobody", "a%00b", "%20", "é"])
def test_nobody_gets_no_token(api: Api, user_id: str) -> None:
    answer = api.post(f"/v1/users/{user_id}/token")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_minting_needs_the_scope_users(db: None) -> None:
    make_recipient("u_alice")
    key = make_key(scopes=[one for one in Scope if one is not Scope.USERS])
    assert Api(key).post("/v1/users/u_alice/token").json()["code"] == "missing_scope"
