"""`POST /v1/notifications/bulk` and `/v1/fanouts`, from outside."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns import drafts
from campaigns.models import Campaign, Member
from campaigns.store import campaigns
from notify.vocabulary import Scope
from preferences import subscribe
from preferences.rules.requests import SubscribersBody
from preferences.store import topics
from tests.factories import Api, make_key, make_recipient, make_template, make_type

pytestmark = pytest.mark.django_db

BULK = "/v1/notifications/bulk"
FANOUTS = "/v1/fanouts"


@pytest.fixture(autouse=True)
def _news() -> None:
    make_type("NEWS", category="marketing", priority="low", channels=["email"], template_id="news")
    make_template("news", "NEWS", variables={"title": {"type": "string", "required": True, "default": "Hello"}})
    for name in ("u_alice", "u_bob"):
        make_recipient(name, email=f"{name}@example.com")
    topics.put_topic("user:u_star")
    subscribe.change_subscribers("user:u_star", SubscribersBody(add=["u_alice", "u_bob"]))


def bulk(**changes: Any) -> dict[str, Any]:
    usual = {"batch_id": "b-1", "type": "NEWS", "segment": {"filter": "has_email = true"}}
    return {name: value for name, value in (usual | changes).items() if value is not ...}


@pytest.mark.parametrize("path", [BULK, "/v1/notifications/batch", "/api/v1/notifications/bulk"])
def test_a_bulk_send_is_a_campaign_that_runs(api: Api, path: str) -> None:
    throttle = {"max_per_second": 1000, "window_hours": 4}
    answer = api.post(path, bulk(template_id="news", priority="low", throttle=throttle))
    found = answer.json()
    assert (answer.status_code, found["estimated_count"], found["batch_id"]) == (202, 2, "b-1")
    campaign = api.get(f"/v1/campaigns/{found['campaign_id']}").json()
    assert (campaign["status"], campaign["kind"], campaign["name"]) == ("running", "bulk", "b-1")
    assert (campaign["throttle"], campaign["next_at"] is not None) == (throttle, True)
    assert [one["act"] for one in campaign["log"]] == ["create", "start"]


def test_a_bulk_send_to_a_list_keeps_the_list(api: Api) -> None:
    found = api.post(BULK, bulk(segment=..., user_ids=["u_alice", "u_ghost"])).json()
    assert (found["estimated_count"], found["rejected_count"]) == (1, 1)
    assert [one["user_id"] for one in found["rejected"]] == ["u_ghost"]
    assert Member.objects.count() == 1


def test_the_same_bulk_send_again_is_the_same_campaign(api: Api) -> None:
    first = api.post(BULK, bulk())
    again = api.post(BULK, bulk())
    assert (again.status_code, again.content) == (202, first.content)
    assert (again["Idempotency-Replayed"], first.get("Idempotency-Replayed")) == ("true", None)
    assert Campaign.objects.count() == 1


def test_a_batch_id_that_stands_for_something_else_is_refused(api: Api) -> None:
    api.post(BULK, bulk())
    answer = api.post(BULK, bulk(priority="medium"))
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert Campaign.objects.count() == 1


def test_a_header_goes_before_the_batch_id(api: Api) -> None:
    answers = [api.post(BULK, bulk(), Idempotency_Key=key) for key in ("k-1", "k-2", "k-1")]
    assert len({one.json()["campaign_id"] for one in answers}) == 2


def test_keys_of_a_bulk_send_and_of_a_send_do_not_meet(api: Api) -> None:
    send = {"type": "NEWS", "user_id": "u_alice", "idempotency_key": "b-1"}
    assert [api.post("/v1/notifications", send).status_code, api.post(BULK, bulk()).status_code] == [202, 202]


def test_a_bulk_send_that_is_refused_leaves_its_key_free(api: Api) -> None:
    assert api.post(BULK, bulk(type="NONE")).status_code == 422
    assert Campaign.objects.count() == 0
    assert api.post(BULK, bulk()).status_code == 202


def test_large_bulk_sends_need_nobody_else(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.conf.APPROVAL_ABOVE", 0)
    assert api.post(BULK, bulk()).status_code == 202


@pytest.mark.parametrize(
    ("changes", "status", "code", "pointer"),
    [
        ({"batch_id": ...}, 400, "idempotency_key_required", None),
        ({"type": "NONE"}, 422, "unknown_type", "/type"),
        ({"template_id": "ghost"}, 422, "unknown_template", "/template_id"),
        ({"segment": ...}, 422, "invalid_audience", ""),
        ({"user_ids": ["u_alice"]}, 422, "invalid_audience", ""),
        ({"segment": {"filter": "plan ="}}, 422, "invalid_segment", "/segment/filter"),
        ({"segment": "plan = 1"}, 422, "invalid_segment", "/segment"),
        ({"segment": ..., "user_ids": ["u_ghost"]}, 422, "unknown_user", "/user_ids"),
        ({"segment": ..., "user_ids": ["u"] * 100_001}, 422, "too_many_users", "/user_ids"),
        ({"segment": ..., "topic": "ghost"}, 422, "unknown_topic", "/topic"),
        ({"throttle": {"max_per_second": 0}}, 422, "invalid_max_per_second", "/throttle/max_per_second"),
        ({"batch_id": "x" * 256}, 422, "invalid_batch_id", "/batch_id"),
        ({"schedule_at": None}, 422, "unknown_field", "/schedule_at"),
    ],
)
def test_a_bulk_send_that_makes_no_sense_is_refused(
    api: Api, changes: dict[str, Any], status: int, code: str, pointer: str | None
) -> None:
    answer = api.post(BULK, bulk(**changes))
    fault = answer.json()
    assert (answer.status_code, fault["code"]) == (status, code)
    assert [one["pointer"] for one in fault["errors"]] == ([pointer] if pointer is not None else [])


def test_a_bulk_send_takes_the_scope_of_many(api: Api) -> None:
    answer = Api(make_key(scopes=[Scope.SEND])).post(BULK, bulk())
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("whom", [{"source_user_id": "u_star"}, {"topic": "user:u_star"}])
def test_followers_are_told_at_once(api: Api, whom: dict[str, str]) -> None:
    answer = api.post(FANOUTS, {"type": "NEWS", "template_id": "news", "variables": {"title": "Hi"}} | whom)
    accepted = answer.json()
    assert (answer.status_code, accepted["total_recipients"], accepted["is_estimate"]) == (202, 2, False)
    found = api.get(f"{FANOUTS}/{accepted['fanout_id']}").json()
    assert (found["status"], found["source_user_id"], found["topic"]) == ("running", "u_star", "user:u_star")
    assert (found["total_recipients"], found["processed"], found["completed_at"]) == (2, 0, None)
    campaign = campaigns.get(Campaign.objects.get().id)
    assert campaign is not None
    assert drafts.variables_of(campaign) == {"title": "Hi"}


def test_a_large_topic_is_counted_no_further_than_it_costs_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.start.FANOUT_COUNTED_TO", 1)
    accepted = api.post(FANOUTS, {"type": "NEWS", "source_user_id": "u_star"}).json()
    assert (accepted["total_recipients"], accepted["is_estimate"]) == (1, True)


def test_a_fan_out_without_a_key_is_a_new_one_each_time_and_with_one_it_is_not(api: Api) -> None:
    body = {"type": "NEWS", "source_user_id": "u_star"}
    plain = {api.post(FANOUTS, body).json()["fanout_id"] for _ in range(2)}
    keyed = {api.post(FANOUTS, body, Idempotency_Key="k").json()["fanout_id"] for _ in range(2)}
    assert (len(plain), len(keyed), Campaign.objects.count()) == (2, 1, 3)
    answer = api.post(FANOUTS, body | {"priority": "medium"}, Idempotency_Key="k")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({}, "invalid_audience", ""),
        ({"topic": "t", "source_user_id": "u"}, "invalid_audience", ""),
        ({"topic": "ghost"}, "unknown_topic", "/topic"),
        ({"source_user_id": "ghost"}, "unknown_topic", "/source_user_id"),
        ({"source_user_id": "u_star", "type": "NONE"}, "unknown_type", "/type"),
        ({"source_user_id": "u_star", "template_id": "ghost"}, "unknown_template", "/template_id"),
        ({"source_user_id": "u_star", "variables": {"title": 1}}, "invalid_variable", "/variables/title"),
        ({"source_user_id": "u_star", "user_ids": []}, "unknown_field", "/user_ids"),
    ],
)
def test_a_fan_out_that_makes_no_sense_is_refused(api: Api, changes: dict[str, Any], code: str, pointer: str) -> None:
    answer = api.post(FANOUTS, {"type": "NEWS"} | changes)
    fault = answer.json()
    assert (answer.status_code, fault["code"], fault["errors"][0]["pointer"]) == (422, code, pointer)


def test_a_fan_out_of_another_and_a_campaign_that_is_none_do_not_exist(api: Api) -> None:
    fanout = api.post(FANOUTS, {"type": "NEWS", "source_user_id": "u_star"}).json()["fanout_id"]
    campaign = api.post(BULK, bulk()).json()["campaign_id"]
    rival = Api(make_key("rival", [Scope.BULK]))
    answers = [rival.get(f"{FANOUTS}/{fanout}"), api.get(f"{FANOUTS}/{campaign}")]
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "unknown_fanout")}
    assert api.post(f"/v1/campaigns/{fanout}/pause").status_code == 200
