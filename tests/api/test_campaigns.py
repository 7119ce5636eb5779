"""`/v1/campaigns`, from outside: writing, changing, listing, and who may see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import drafts
from campaigns.models import Campaign, Member
from campaigns.store import campaigns
from notify.vocabulary import Scope
from preferences.models import Recipient
from preferences.store import topics
from tests.factories import Api, make_key, make_recipient, make_template, make_type

pytestmark = pytest.mark.django_db

PATH = "/v1/campaigns"
NOBODY = "0199aa00-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def _news() -> None:
    make_type("NEWS", category="marketing", priority="low", channels=["email"], template_id="news")
    make_template("news", "NEWS", variables={"title": {"type": "string", "required": True, "default": None}})
    make_recipient("u_alice", email="alice@example.com")


def body(**changes: Any) -> dict[str, Any]:
    usual = {
        "name": "Spring news",
        "type": "NEWS",
        "variables": {"title": "Spring"},
        "audience": {"user_ids": ["u_alice"]},
    }
    return usual | changes


def created(api: Api, **changes: Any) -> dict[str, Any]:
    answer = api.post(PATH, body(**changes))
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_a_campaign_is_written_as_a_draft_with_all_that_was_said(api: Api) -> None:
    make_template("news_b", "NEWS", variables={})
    topics.put_topic("news")
    found = created(
        api,
        template_id="news",
        channels=["email", "push"],
        audience={"topic": "news"},
        throttle={"max_per_second": 1000, "window_hours": 4},
        local_time="09:00",
        variants=[
            {"name": "A", "template_id": "news", "weight": 50},
            {"name": "B", "template_id": "news_b", "weight": 50},
        ],
        holdout_percent=5,
    )
    assert found["id"] == found["campaign_id"]
    assert (found["status"], found["kind"], found["priority"]) == ("draft", "campaign", "low")
    assert found["throttle"] == {"max_per_second": 1000, "window_hours": 4}
    assert found["audience"] == {"topic": "news"}
    assert [one["name"] for one in found["variants"]] == ["A", "B"]
    assert (found["local_time"], found["holdout_percent"], found["channels"]) == ("09:00", 5, ["email", "push"])
    assert found["acts"] == ["submit", "start", "cancel"]
    assert [(one["act"], one["actor"][:12]) for one in found["log"]] == [("create", "application:")]
    counts = {"total_recipients", "processed", "sent", "delivered", "suppressed", "failed", "rate_per_second"}
    assert {name: found[name] for name in counts} == dict.fromkeys(counts, 0)
    assert found["eta_seconds"] is None


def test_what_is_told_is_sealed_and_bound_to_its_row(api: Api) -> None:
    found = created(api, variables={"title": "Canary-4711"})
    row = Campaign.objects.get()
    assert b"Canary-4711" not in bytes(row.sealed)
    assert "Canary-4711" not in api.get(f"{PATH}/{found['id']}").content.decode()
    held = campaigns.get(row.id)
    assert held is not None
    assert drafts.variables_of(held) == {"title": "Canary-4711"}


def test_a_list_names_who_is_not_known_and_keeps_the_rest(api: Api) -> None:
    found = created(api, audience={"user_ids": ["u_alice", "u_ghost", "u_alice"]})
    assert (found["audience"], found["estimated_recipients"]) == ({"user_ids": 1}, 1)
    assert [(one["user_id"], one["code"]) for one in found["rejected"]] == [("u_ghost", "unknown_user")]
    assert found["rejected_count"] == 1
    assert list(Member.objects.values_list("recipient_id", flat=True)) == [Recipient.objects.get().id]


def test_a_list_costs_as_many_statements_as_one_person(api: Api) -> None:
    for number in range(40):
        make_recipient(f"u_{number}")
    costs = []
    for names in (["u_alice"], [f"u_{number}" for number in range(40)]):
        with CaptureQueriesContext(connection) as asked:
            created(api, audience={"user_ids": names})
        costs.append(len([one for one in asked.captured_queries if "preferences_" in one["sql"]]))
    assert costs[0] == costs[1] == 1


def test_a_list_may_be_larger_than_a_send(api: Api) -> None:
    names = ["u_alice", *(f"u_{number:040d}" for number in range(30_000))]
    found = created(api, audience={"user_ids": names})
    assert (found["rejected_count"], len(found["rejected"])) == (30_000, 1_000)


def test_a_segment_is_counted_when_it_is_written(api: Api) -> None:
    assert created(api, audience={"segment": "user_id = 'u_alice'"})["estimated_recipients"] == 1


def test_a_draft_is_changed_by_merge_patch(api: Api) -> None:
    found = created(api, throttle={"max_per_second": 5}, holdout_percent=10, local_time="09:00")
    path = f"{PATH}/{found['id']}"
    answer = api.patch(path, {"name": "Later", "throttle": None, "local_time": None, "variables": {"title": "B"}})
    changed = answer.json()
    assert (answer.status_code, changed["name"], changed["holdout_percent"]) == (200, "Later", 10)
    assert changed["throttle"] == {"max_per_second": None, "window_hours": None}
    assert (changed["local_time"], changed["audience"]) == (None, {"user_ids": 1})
    assert changed["log"][-1]["note"] == "name, variables, throttle, local_time"
    assert Member.objects.count() == 1


def test_another_audience_takes_the_place_of_a_list(api: Api) -> None:
    found = created(api)
    changed = api.patch(f"{PATH}/{found['id']}", {"audience": {"segment": "user_id = 'nobody'"}}).json()
    assert (changed["audience"], changed["estimated_recipients"]) == ({"segment": "user_id = 'nobody'"}, 0)
    assert Member.objects.count() == 0


def test_a_patch_is_checked_together_with_what_stays(api: Api) -> None:
    found = created(api)
    answer = api.patch(f"{PATH}/{found['id']}", {"variables": {}})
    fault = answer.json()
    assert (answer.status_code, fault["code"]) == (422, "missing_variable")
    assert fault["errors"][0]["pointer"] == "/variables/title"


def test_campaigns_are_listed_newest_first_by_the_page(api: Api) -> None:
    names = [created(api, name=f"n{number}")["name"] for number in range(3)]
    first = api.get(f"{PATH}?limit=2").json()
    rest = api.get(f"{PATH}?limit=2&cursor={first['page']['next_cursor']}").json()
    assert [one["name"] for one in first["data"] + rest["data"]] == names[::-1]
    assert (first["page"]["has_more"], rest["page"]) == (True, {"next_cursor": None, "has_more": False})
    assert api.get(f"{PATH}?status=running").json()["data"] == []
    assert len(api.get(f"{PATH}?kind=campaign").json()["data"]) == 3


def test_a_page_of_campaigns_costs_three_statements(api: Api) -> None:
    for number in range(5):
        created(api, name=f"n{number}")
    with CaptureQueriesContext(connection) as asked:
        api.get(PATH)
    assert len([one for one in asked.captured_queries if "FROM campaigns_" in one["sql"]]) == 3


def test_campaigns_of_another_application_do_not_exist(api: Api) -> None:
    found = created(api)
    stranger = Api(make_key("rival", [Scope.BULK, Scope.READ]))
    path = f"{PATH}/{found['id']}"
    answers = [
        stranger.get(path),
        stranger.patch(path, {"name": "Mine"}),
        *(stranger.post(f"{path}/{act}") for act in ("submit", "start", "cancel", "estimate")),
        stranger.post(f"{path}/test", {"user_ids": ["u_alice"]}),
        stranger.get(f"{path}/stats"),
        stranger.get(f"{path}/recipients"),
    ]
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "unknown_campaign")}
    assert stranger.get(PATH).json()["data"] == []
    assert stranger.get(f"{PATH}/{NOBODY}").json()["code"] == "unknown_campaign"


def test_who_operates_sees_those_of_all(api: Api) -> None:
    found = created(api)
    operator = Api(make_key("ops", [Scope.BULK, Scope.OPERATE]))
    assert operator.get(f"{PATH}/{found['id']}").json()["name"] == "Spring news"
    assert [one["id"] for one in operator.get(PATH).json()["data"]] == [found["id"]]


def test_a_test_key_writes_tests_and_sees_nothing_else(api: Api) -> None:
    live = created(api)
    tester = Api(make_key(is_test=True))
    found = created(tester)
    assert (found["test"], live["test"]) == (True, False)
    assert [one["id"] for one in tester.get(PATH).json()["data"]] == [found["id"]]
    assert tester.post(f"{PATH}/{live['id']}/start").status_code == 404
    assert created(api, test=True)["test"] is True


def test_reading_takes_less_than_writing(api: Api) -> None:
    found = created(api)
    reader = Api(make_key(scopes=[Scope.READ]))
    assert reader.get(f"{PATH}/{found['id']}").status_code == 200
    answer = reader.post(f"{PATH}/{found['id']}/start")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_a_critical_campaign_takes_the_scope_of_critical_sends() -> None:
    modest = Api(make_key(scopes=[Scope.BULK]))
    answer = modest.post(PATH, body(priority="critical"))
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert (
        Api(make_key(scopes=[Scope.BULK, Scope.SEND_CRITICAL])).post(PATH, body(priority="critical")).status_code == 201
    )
