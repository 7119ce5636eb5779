"""`/v1/types` over HTTP."""

from typing import Any

import pytest

from tests.factories import Api

SECURITY = {"category": "security"}


def words(template_id: str = "order_shipped", type_key: str = "ORDER_SHIPPED") -> dict[str, Any]:
    return {"template_id": template_id, "type": type_key, "channels": {"sms": {"en": {"body": "Hello"}}}}


def test_a_type_is_created_with_what_its_category_suggests(api: Api) -> None:
    answer = api.put("/v1/types/LOGIN_ALERT", SECURITY)
    assert answer.status_code == 201
    assert answer.json() == {
        "key": "LOGIN_ALERT",
        "category": "security",
        "priority": "medium",
        "channels": ["push", "sms", "email"],
        "mandatory": False,
        "exempt_from_caps": False,
        "caps": [],
        "quiet_hours": "bypass",
        "digestible": False,
        "over_cap": "defer",
        "ttl_seconds": None,
        "retention_days": None,
        "track_opens": False,
        "track_clicks": False,
        "template_id": None,
    }
    assert api.get("/v1/types/LOGIN_ALERT").json() == answer.json()


@pytest.mark.parametrize(
    ("key", "priority"),
    [("VERIFICATION_CODE", "high"), ("NEW_MESSAGE", "medium"), ("WEEKLY_DIGEST", "low"), ("ANYTHING", "medium")],
)
def test_a_type_without_a_priority_gets_that_of_its_key(api: Api, key: str, priority: str) -> None:
    assert api.put(f"/v1/types/{key}", {"category": "transaction"}).json()["priority"] == priority


def test_everything_the_caller_says_is_kept(api: Api) -> None:
    body = {
        "category": "marketing",
        "priority": "low",
        "channels": ["in_app"],
        "exempt_from_caps": True,
        "caps": [{"max": 10, "per_seconds": 3600}],
        "quiet_hours": "drop",
        "digestible": True,
        "over_cap": "suppress",
        "mandatory": True,
        "ttl_seconds": 600,
        "retention_days": 7,
        "track_opens": True,
        "track_clicks": True,
        "template_id": None,
    }
    assert api.put("/v1/types/SALE", body).json() == {"key": "SALE", **body}


def test_a_second_put_replaces_the_type_and_says_200(api: Api) -> None:
    api.put("/v1/types/SALE", {"category": "marketing", "ttl_seconds": 600})
    answer = api.put("/v1/types/SALE", {"category": "social"})
    assert answer.status_code == 200
    assert answer.json()["ttl_seconds"] is None
    assert answer.json()["channels"] == ["push", "in_app"]


def test_a_type_may_name_only_a_template_that_exists(api: Api) -> None:
    answer = api.put("/v1/types/ORDER_SHIPPED", {"category": "transaction", "template_id": "order_shipped"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_template")
    assert answer.json()["errors"][0]["pointer"] == "/template_id"
    assert api.get("/v1/types/ORDER_SHIPPED").status_code == 404


def test_a_type_may_name_only_a_template_of_its_own(api: Api) -> None:
    assert api.post("/v1/templates", words()).status_code == 201
    answer = api.put("/v1/types/OTHER", {"category": "transaction", "template_id": "order_shipped"})
    assert (answer.status_code, answer.json()["code"]) == (422, "template_type_mismatch")
    assert api.put("/v1/types/ORDER_SHIPPED", {"category": "transaction", "template_id": "order_shipped"}).json()[
        "template_id"
    ] == ("order_shipped")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "invalid_category", "/category"),
        ({"category": "gossip"}, "invalid_category", "/category"),
        ({**SECURITY, "priority": "urgent"}, "invalid_priority", "/priority"),
        ({**SECURITY, "channels": []}, "invalid_channels", "/channels"),
        ({**SECURITY, "channels": ["fax"]}, "invalid_channels", "/channels/0"),
        ({**SECURITY, "caps": [{"max": 0, "per_seconds": 1}]}, "invalid_max", "/caps/0/max"),
        ({**SECURITY, "ttl_seconds": 0}, "invalid_ttl_seconds", "/ttl_seconds"),
        ({**SECURITY, "colour": "red"}, "unknown_field", "/colour"),
    ],
)
def test_a_faulty_type_is_refused_with_its_place(api: Api, body: Any, code: str, pointer: str) -> None:
    answer = api.put("/v1/types/ANY", body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("key", ["with space", "-x", "x" * 129, "ä"])
def test_a_key_that_cannot_be_one_is_refused(api: Api, key: str) -> None:
    assert api.put(f"/v1/types/{key}", SECURITY).status_code == 422
    assert api.get(f"/v1/types/{key}").status_code == 404


def test_types_are_listed_in_pages_by_their_keys(api: Api) -> None:
    for key in ("C", "A", "B"):
        api.put(f"/v1/types/{key}", SECURITY)
    first = api.get("/v1/types?limit=2").json()
    assert [row["key"] for row in first["data"]] == ["A", "B"]
    assert first["page"]["has_more"]
    second = api.get(f"/v1/types?limit=2&cursor={first['page']['next_cursor']}").json()
    assert [row["key"] for row in second["data"]] == ["C"]
    assert second["page"] == {"next_cursor": None, "has_more": False}


@pytest.mark.parametrize("cursor", ["AA", "gAAA"])
def test_a_cursor_nobody_gave_out_is_refused(api: Api, cursor: str) -> None:
    answer = api.get(f"/v1/types?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize("days", [0, 91, -1])
def test_words_are_kept_no_longer_than_the_log(api: Api, days: int) -> None:
    answer = api.put("/v1/types/LOGIN_ALERT", {"category": "security", "retention_days": days})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_retention_days")
