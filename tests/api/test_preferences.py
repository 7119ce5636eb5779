"""`/v1/users/{user_id}/preferences`: the document, its version, and who may touch it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.response import Response
from rest_framework.test import APIClient

from notify.api.auth import Caller
from notify.vocabulary import Tier

pytestmark = pytest.mark.django_db

DEFAULTS = {
    "channels": {"push": True, "email": True, "sms": True, "in_app": True},
    "categories": {},
    "types": {},
    "global_opt_out": False,
    "marketing_opt_in": False,
    "channel_order": [],
    "critical_channel": None,
    "sms_preference": "default",
    "quiet_hours": None,
    "timezone": None,
    "locale": None,
    "digest_frequency": "realtime",
    "version": 0,
}
WHOLE = {
    "channels": {"push": True, "email": True, "sms": False, "in_app": True},
    "categories": {"marketing": {"email": False}, "social": {"push": False}},
    "types": {"NEW_FOLLOWER": {"email": False}},
    "global_opt_out": False,
    "marketing_opt_in": True,
    "channel_order": ["push", "email"],
    "critical_channel": "sms",
    "sms_preference": "default",
    "quiet_hours": {"start": "22:00", "end": "07:00"},
    "timezone": "Europe/London",
    "locale": "en-GB",
    "digest_frequency": "realtime",
    "version": 3,
}


class Desk:
    """Calls about u_alice's preferences, with a key or with a user's own token."""

    def __init__(self, user_id: str | None = None) -> None:
        self.client = APIClient(raise_request_exception=False)
        scopes = frozenset({"users"} if user_id is None else ())
        self.client.force_authenticate(
            token=Caller(application_id=1, key_id=1, scopes=scopes, tier=Tier.INTERNAL, is_test=False, user_id=user_id)
        )

    def __call__(self, method: str, body: Any = None, *, of: str = "u_alice", if_match: str | None = None) -> Response:
        headers = {"If-Match": if_match} if if_match is not None else {}
        content = b"" if body is None else json.dumps(body).encode()
        answer: Response = self.client.generic(
            method, f"/v1/users/{of}/preferences", content, content_type="application/json", headers=headers
        )
        return answer


@pytest.fixture
def call() -> Desk:
    made = Desk()
    made.client.put("/v1/users/u_alice", {}, format="json")
    return made


def test_who_said_nothing_has_the_defaults_and_marketing_off(call: Desk) -> None:
    answer = call("GET")
    assert (answer.status_code, answer.json(), answer["ETag"]) == (200, DEFAULTS, '"0"')


def test_the_whole_document_is_kept_and_its_version_counts(call: Desk) -> None:
    answer = call("PUT", WHOLE)
    assert (answer.status_code, answer.json(), answer["ETag"]) == (200, WHOLE | {"version": 1}, '"1"')
    assert call("GET").json() == WHOLE | {"version": 1}
    assert call("PUT", {}).json() == DEFAULTS | {"version": 2}


def test_a_patch_changes_one_switch_and_null_puts_back_the_default(call: Desk) -> None:
    call("PUT", WHOLE)
    patch = {"categories": {"social": {"email": False}, "marketing": None}, "quiet_hours": {"end": "08:00"}}
    after = call("PATCH", patch | {"critical_channel": None}).json()
    assert after["categories"] == {"social": {"push": False, "email": False}}
    assert after["quiet_hours"] == {"start": "22:00", "end": "08:00"}
    assert (after["critical_channel"], after["marketing_opt_in"], after["version"]) == (None, True, 2)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("tag", ['"0"', '"7"', "0", '"x"', '"10"', "", '"1" "2"'])
def test_a_stale_tag_is_412_and_changes_nothing(call: Desk, method: str, tag: str) -> None:
    call("PUT", WHOLE)
    answer = call(method, {"global_opt_out": True}, if_match=tag)
    assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")
    assert call("GET").json() == WHOLE | {"version": 1}


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', "*", '"0", "1"'])
def test_the_tag_that_was_read_lets_the_write_through(call: Desk, tag: str) -> None:
    call("PUT", WHOLE)
    answer = call("PATCH", {"global_opt_out": True}, if_match=tag)
    assert (answer.status_code, answer["ETag"]) == (200, '"2"')


def test_of_two_devices_that_read_the_same_version_the_second_is_told(call: Desk) -> None:
    tag = call("GET")["ETag"]
    assert call("PATCH", {"channels": {"sms": False}}, if_match=tag).status_code == 200
    assert call("PATCH", {"channels": {"push": False}}, if_match=tag).status_code == 412
    assert call("GET").json()["channels"] == {"push": True, "email": True, "sms": False, "in_app": True}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"channels": {"fax": True}}, "invalid_channels", "/channels"),
        ({"channels": {"sms": 1}}, "invalid_channels", "/channels"),
        ({"categories": {"gossip": {}}}, "invalid_categories", "/categories"),
        ({"global_opt_out": "yes"}, "invalid_global_opt_out", "/global_opt_out"),
        ({"channel_order": ["sms", "sms"]}, "invalid_channel_order", "/channel_order"),
        ({"channel_order": ["fax"]}, "invalid_channel_order", "/channel_order/0"),
        ({"critical_channel": "fax"}, "invalid_critical_channel", "/critical_channel"),
        ({"sms_preference": "sometimes"}, "invalid_sms_preference", "/sms_preference"),
        ({"quiet_hours": {"start": "22:00", "end": "22:00"}}, "invalid_quiet_hours", "/quiet_hours"),
        ({"timezone": "Mars/Olympus"}, "invalid_timezone", "/timezone"),
        ({"locale": "not-a-locale"}, "invalid_locale", "/locale"),
        ({"digest_frequency": "never"}, "invalid_digest_frequency", "/digest_frequency"),
        ({"types": {"": {}}}, "invalid_types", "/types"),
        ({"types": {"A\0": {}}}, "invalid_types", "/types"),
        ({"consent": True}, "unknown_field", "/consent"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_makes_no_sense_is_422_with_its_pointer(
    call: Desk, method: str, body: Any, code: str, pointer: str
) -> None:
    answer = call(method, body)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["errors"][0]["pointer"]) == (422, code, pointer)
    assert call("GET").json() == DEFAULTS


@pytest.mark.parametrize("window", [{"start": "22:00"}, {"start": "24:00", "end": "07:00"}, {"start": "2", "end": "3"}])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_half_a_window_or_no_time_of_day_is_422(call: Desk, method: str, window: dict[str, str]) -> None:
    answer = call(method, {"quiet_hours": window})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/quiet_hours")


def test_a_persons_own_token_reads_and_writes_their_own_and_nobody_elses(call: Desk) -> None:
    call.client.put("/v1/users/u_bob", {}, format="json")
    alice = Desk(user_id="u_alice")
    assert alice("PATCH", {"global_opt_out": True}).status_code == 200
    others, nobody = alice("GET", of="u_bob"), alice("GET", of="u_nobody")
    assert others.status_code == nobody.status_code == 404
    assert others.json() | {"request_id": ""} == nobody.json() | {"request_id": ""}
    assert alice("PUT", {"global_opt_out": True}, of="u_bob").status_code == 404
    assert call("GET", of="u_bob").json() == DEFAULTS


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_an_unknown_user_is_404(call: Desk, method: str) -> None:
    answer = call(method, {}, of="u_nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_user")


def test_an_erased_user_says_nothing_any_more(call: Desk) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_recipient SET status = 'erased', data_key = NULL")
    answer = call("PATCH", {"marketing_opt_in": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "user_erased")


def test_a_write_costs_three_statements_and_one_for_the_ledger(call: Desk) -> None:
    with CaptureQueriesContext(connection) as captured:
        call("PATCH", {"channels": {"sms": False}})
    assert len([one for one in captured if "SAVEPOINT" not in one["sql"]]) == 4


def test_what_equals_the_default_is_not_stored(call: Desk) -> None:
    call("PUT", {**DEFAULTS, "channels": {}, "marketing_opt_in": None})
    with connection.cursor() as cursor:
        cursor.execute("SELECT document::text FROM preferences_preference")
        assert cursor.fetchone() == ('{"version": 1}',)
