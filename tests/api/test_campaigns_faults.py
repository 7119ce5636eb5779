"""Whatever is wrong with a campaign is told with its place, its code and the cure, all of it at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.factories import Api, make_recipient, make_template, make_type

pytestmark = pytest.mark.django_db

PATH = "/v1/campaigns"
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()
NEXT_YEAR = (datetime.now(UTC) + timedelta(days=365)).isoformat()


@pytest.fixture(autouse=True)
def _news() -> None:
    make_type("NEWS", category="marketing", priority="low", channels=["email"], template_id="news")
    make_template("news", "NEWS", variables={"title": {"type": "string", "required": True, "default": None}})
    make_template("plain", "NEWS", variables={})
    make_type("BARE", channels=["email"])
    make_template("parcel", "BARE", variables={})
    make_recipient("u_alice", email="alice@example.com")


def body(**changes: Any) -> dict[str, Any]:
    usual = {"name": "n", "type": "NEWS", "variables": {"title": "t"}, "audience": {"user_ids": ["u_alice"]}}
    return {name: value for name, value in (usual | changes).items() if value is not ...}


def variants(*named: dict[str, Any]) -> dict[str, Any]:
    return {"variants": [{"name": "A", "template_id": "plain", "weight": 1} | one for one in named]}


CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ...}, "invalid_name", "/name"),
    ({"type": "NONE"}, "unknown_type", "/type"),
    ({"type": "BARE"}, "invalid_template_id", "/template_id"),
    ({"template_id": "ghost"}, "unknown_template", "/template_id"),
    ({"template_id": "parcel"}, "template_type_mismatch", "/template_id"),
    ({"variables": {}}, "missing_variable", "/variables/title"),
    ({"variables": {"title": 7}}, "invalid_variable", "/variables/title"),
    ({"channels": ["pigeon"]}, "invalid_channels", "/channels/0"),
    ({"channels": []}, "invalid_channels", "/channels"),
    ({"priority": "urgent"}, "invalid_priority", "/priority"),
    (variants({"template_id": "ghost"}), "unknown_template", "/variants/0/template_id"),
    (variants({"template_id": "parcel"}), "template_type_mismatch", "/variants/0/template_id"),
    (variants({"weight": 0}), "invalid_weight", "/variants/0/weight"),
    (variants({}, {}), "duplicate_variant", "/variants/1/name"),
    (variants(*({"name": str(one)} for one in range(11))), "invalid_variants", "/variants"),
    ({"variables": {}} | variants({"template_id": "news"}), "missing_variable", "/variables/title"),
    ({"holdout_percent": 51}, "invalid_holdout_percent", "/holdout_percent"),
    ({"holdout_percent": -1}, "invalid_holdout_percent", "/holdout_percent"),
    ({"audience": ...}, "invalid_audience", "/audience"),
    ({"audience": {}}, "invalid_audience", "/audience"),
    ({"audience": {"topic": "t", "segment": "user_id = 'a'"}}, "invalid_audience", "/audience"),
    ({"audience": {"user_ids": []}}, "invalid_user_ids", "/audience/user_ids"),
    ({"audience": {"user_ids": ["u_ghost"]}}, "unknown_user", "/audience/user_ids"),
    ({"audience": {"user_ids": ["a/b"]}}, "invalid_user_ids", "/audience/user_ids/0"),
    ({"audience": {"user_ids": ["u"] * 100_001}}, "too_many_users", "/audience/user_ids"),
    ({"audience": {"topic": "ghost"}}, "unknown_topic", "/audience/topic"),
    ({"audience": {"segment": "plan ="}}, "invalid_segment", "/audience/segment"),
    ({"throttle": {"max_per_second": 0}}, "invalid_max_per_second", "/throttle/max_per_second"),
    ({"throttle": {"window_hours": 0}}, "invalid_window_hours", "/throttle/window_hours"),
    ({"throttle": {"per_hour": 1}}, "unknown_field", "/throttle/per_hour"),
    ({"schedule_at": YESTERDAY}, "invalid_schedule_at", "/schedule_at"),
    ({"schedule_at": YESTERDAY, "local_time": "09:00"}, "invalid_schedule_at", "/schedule_at"),
    ({"schedule_at": NEXT_YEAR}, "invalid_schedule_at", "/schedule_at"),
    ({"schedule_at": "2027-03-28T09:00:00"}, "invalid_schedule_at", "/schedule_at"),
    ({"schedule_at": "tomorrow"}, "invalid_schedule_at", "/schedule_at"),
    ({"local_time": "9am"}, "invalid_local_time", "/local_time"),
    ({"local_time": "24:00"}, "invalid_local_time", "/local_time"),
    ({"local_time": "09:00:00"}, "invalid_local_time", "/local_time"),
    ({"timezone": "Mars/Olympus"}, "invalid_timezone", "/timezone"),
    ({"recurrence": {"cron": "0 9 * *"}}, "invalid_cron", "/recurrence/cron"),
    ({"recurrence": {"cron": "0 9 31 2 *"}}, "invalid_cron", "/recurrence/cron"),
    ({"recurrence": {"cron": "0 9 * * 1", "timezone": "Nowhere"}}, "invalid_timezone", "/recurrence/timezone"),
    (
        {"recurrence": {"cron": "0 9 * * 1", "timezone": "Europe/Rome"}, "timezone": "Europe/Oslo"},
        "invalid_timezone",
        "/timezone",
    ),
    ({"frequency": "daily"}, "unknown_field", "/frequency"),
]


@pytest.mark.parametrize(
    ("changes", "code", "pointer"), CASES, ids=[f"{at}-{case[1]}" for at, case in enumerate(CASES)]
)
def test_a_fault_is_told_with_its_place(api: Api, changes: dict[str, Any], code: str, pointer: str) -> None:
    answer = api.post(PATH, body(**changes))
    fault = answer.json()
    assert (answer.status_code, fault["code"], fault["errors"][0]["pointer"]) == (422, code, pointer)
    assert fault["errors"][0]["message"]


def test_a_segment_says_where_its_fault_is(api: Api) -> None:
    fault = api.post(PATH, body(audience={"segment": "country IN ('US' 'CA')"})).json()["errors"][0]
    assert (fault["position"]["line"], fault["position"]["column"]) == (1, 18)


def test_all_faults_are_told_at_once(api: Api) -> None:
    faults = api.post(PATH, body(local_time="9", timezone="Mars", template_id="ghost", audience={"topic": "x"})).json()
    pointers = [one["pointer"] for one in faults["errors"]]
    assert pointers == ["/template_id", "/local_time", "/timezone", "/audience/topic"]
    assert faults["detail"].endswith("(3 more in errors)")


def test_variables_that_have_defaults_may_be_left_out(api: Api) -> None:
    make_template("kind", "NEWS", variables={"title": {"type": "string", "required": True, "default": "Hello"}})
    assert api.post(PATH, body(template_id="kind", variables={})).status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule_at": (datetime.now(UTC) + timedelta(days=2)).isoformat()},
        {"schedule_at": "now"},
        {"schedule_at": datetime.now(UTC).replace(hour=0, minute=0).isoformat(), "local_time": "23:59"},
        {"recurrence": {"cron": "0 9 * * 1", "timezone": "Asia/Kathmandu"}, "schedule_at": YESTERDAY},
        {"recurrence": {"cron": "0 9 * * 1", "timezone": "Asia/Kathmandu"}, "timezone": "Asia/Kathmandu"},
        {"template_id": "plain", "variables": {}},
        {"template_id": "news"} | variants({}, {"name": "B", "weight": 9}),
    ],
)
def test_what_makes_sense_is_kept(api: Api, changes: dict[str, Any]) -> None:
    if changes.get("schedule_at") == "now":
        changes = {"schedule_at": datetime.now(UTC).isoformat()}
    assert api.post(PATH, body(**changes)).status_code == 201
