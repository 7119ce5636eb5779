"""`/v1/suppressions`: addresses go in, and never come out."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from notify.vocabulary import Scope
from tests.factories import Api, make_key, make_recipient

pytestmark = pytest.mark.django_db

PATH = "/v1/suppressions"
ALICE = {"channel": "email", "address": "Alice@Example.com"}


def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{PATH}{query}").json()["data"]
    return found


def test_an_address_is_closed_by_hand_and_shown_by_hash_and_hint(api: Api) -> None:
    make_recipient(email="alice@example.com")
    answer = api.post(PATH, ALICE)
    assert answer.status_code == 201
    assert api.post(PATH, ALICE).status_code == 200
    (only,) = listed(api)
    assert (only["channel"], only["reason"], only["hint"]) == ("email", "manual", "a…@example.com")
    assert only["address_hash"] == answer.json()["address_hash"]
    assert "alice@" not in str(only).lower()


def test_an_entry_survives_the_erasure_of_whoever_had_the_address(api: Api) -> None:
    make_recipient(email="alice@example.com")
    api.post(PATH, ALICE)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM preferences_contact_point")
    assert [one["hint"] for one in listed(api)] == [None]
    assert make_recipient("u_again", email="alice@example.com")
    assert api.post(PATH, ALICE).status_code == 200


def test_an_address_is_opened_again_in_clear_or_by_its_hash(api: Api) -> None:
    digest = api.post(PATH, ALICE).json()["address_hash"]
    assert api.call("DELETE", PATH, ALICE).status_code == 204
    missing = api.call("DELETE", PATH, ALICE)
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_suppression")
    api.post(PATH, ALICE)
    assert api.call("DELETE", PATH, {"channel": "email", "address_hash": digest}).status_code == 204
    assert listed(api) == []


def test_the_list_is_cut_into_pages_and_filtered(api: Api) -> None:
    for number in range(5):
        api.post(PATH, {"channel": "sms", "address": f"+1555987654{number}"})
    api.post(PATH, ALICE)
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"{PATH}?limit=2&cursor={cursor}").json()
        seen += [one["address_hash"] for one in page["data"]]
        cursor = page["page"]["next_cursor"]
    assert len(seen) == len(set(seen)) == 6
    assert {one["channel"] for one in listed(api, "?channel=sms")} == {"sms"}
    assert listed(api, "?reason=hard_bounce") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"channel": "email", "address": "nobody"}, "invalid_email"),
        ({"channel": "sms", "address": ""}, "invalid_phone"),
        ({"channel": "push", "address": "token"}, "invalid_channel"),
        ({"channel": "email", "address_hash": "beef"}, "invalid_address_hash"),
    ],
)
def test_what_is_no_address_is_refused(api: Api, body: dict[str, str], code: str) -> None:
    answer = api.post(PATH, body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_cursor_nobody_gave_is_refused(api: Api) -> None:
    assert api.get(f"{PATH}?cursor=zz").json()["code"] == "invalid_cursor"


def test_only_operators_may_see_and_change_the_list(db: None) -> None:
    outsider = Api(make_key(scopes=[Scope.SEND, Scope.READ, Scope.USERS]))
    assert {outsider.call(method, PATH, ALICE).status_code for method in ("GET", "POST", "DELETE")} == {403}
