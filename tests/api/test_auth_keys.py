from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from notify.api import auth
from notify.models import ApiKey, Application
from notify.vocabulary import Scope
from tests.factories import Api, key_row, make_key

PATH = "/v1/notifications"


def let_a_second_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process knows of keys is too old now."""
    monkeypatch.setattr(auth, "_KNOWN_FOR", -1.0)
    auth._Known.rows.clear()


def test_a_key_with_the_scope_is_let_in(api: Api) -> None:
    assert api.get(PATH).status_code == 200


@pytest.mark.parametrize(
    "credential",
    ["", "x", "crl_live_abcdefgh", "crl_live_abcdefgh_" + "a" * 43, "crl_live_abcdefgh_" + "é" * 43, "eyJh.eyJh.x"],
)
def test_what_is_no_key_is_401_invalid_key(db: None, credential: str) -> None:
    answer = Api(credential).get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_scheme_other_than_bearer_is_401(api_key: str) -> None:
    answer = Api().get(PATH, Authorization=f"Basic {api_key}")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")


def test_a_wrong_secret_with_the_right_prefix_is_401(api_key: str) -> None:
    assert Api(api_key[:-4] + "AAAA").get(PATH).status_code == 401


def test_a_live_key_is_not_good_as_a_test_key(api_key: str) -> None:
    assert Api(api_key.replace("crl_live_", "crl_test_")).get(PATH).status_code == 401


def test_a_key_past_its_expiry_is_401_expired_key(db: None) -> None:
    answer = Api(make_key(expires_at=timezone.now() - timedelta(seconds=1))).get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (401, "expired_key")


def test_a_wrong_secret_is_not_told_that_the_key_has_expired(db: None) -> None:
    key = make_key(expires_at=timezone.now() - timedelta(seconds=1))
    assert Api(key[:-4] + "AAAA").get(PATH).json()["code"] == "invalid_key"


def test_a_revoked_key_fails_within_a_second(api: Api, api_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert auth._KNOWN_FOR < 1.0
    assert api.get(PATH).status_code == 200
    ApiKey.objects.update(revoked_at=timezone.now())
    let_a_second_pass(monkeypatch)
    assert api.get(PATH).json()["code"] == "invalid_key"


def test_the_keys_of_a_disabled_application_fail(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    Application.objects.update(disabled_at=timezone.now())
    assert api.get(PATH).json()["code"] == "invalid_key"


def test_two_keys_of_an_application_are_good_at_once(db: None) -> None:
    first, second = make_key("shop"), make_key("shop")
    assert key_row(first).application_id == key_row(second).application_id
    assert [Api(key).get(PATH).status_code for key in (first, second)] == [200, 200]


def test_the_database_holds_nothing_of_the_secret(api_key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(k)::text FROM notify_api_key k")
        stored = cursor.fetchone()[0]
    secret = api_key.split("_", 3)[3]  # base64url has underscores of its own
    assert api_key.split("_")[2] in stored
    assert secret not in stored
    assert secret.encode().hex() not in stored


def test_the_last_use_is_written_at_most_once_a_minute(
    api: Api, api_key: str, django_assert_num_queries: object
) -> None:
    api.get(PATH)
    first = key_row(api_key).last_used_at
    assert first is not None
    auth._Known.use_noted.clear()
    api.get(PATH)
    assert key_row(api_key).last_used_at == first


def test_a_known_key_costs_no_statement(api: Api, django_assert_num_queries: object) -> None:
    api.get(PATH)
    with django_assert_num_queries(1):  # type: ignore[operator]  # pytest-django types its fixture as an object
        api.get(PATH)


def test_guessing_prefixes_does_not_fill_the_memory(stranger: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_MOST_KNOWN", 3)
    for number in range(10):
        Api(f"crl_live_guess{number:03}_" + "a" * 43).get(PATH)
    assert len(auth._Known.rows) <= 3


@pytest.mark.parametrize("path", ["/v1/notifications", "/api/v1/notifications"])
def test_a_missing_scope_is_403_and_named(db: None, path: str) -> None:
    answer = Api(make_key(scopes=[Scope.USERS])).get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert "read" in answer.json()["detail"]
