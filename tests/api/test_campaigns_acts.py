"""What may be done to a campaign in which state, from outside; the table is rules/transitions.py."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns import conf
from campaigns.models import Campaign, Doing
from campaigns.rules.transitions import FOR_PEOPLE, acts_in, after, is_allowed
from campaigns.vocabulary import Act, CampaignStatus
from notify.vocabulary import Scope
from tests.factories import Api, make_key, make_recipient, make_template, make_type

pytestmark = pytest.mark.django_db

PATH = "/v1/campaigns"
S = CampaignStatus


@pytest.fixture
def campaign(api: Api) -> str:
    """The path of a draft for one person."""
    make_type("NEWS", category="marketing", priority="low", channels=["email"], template_id="news")
    make_template("news", "NEWS", variables={})
    make_recipient("u_alice", email="alice@example.com")
    body = {"name": "n", "type": "NEWS", "audience": {"user_ids": ["u_alice"]}}
    return f"{PATH}/{api.post(PATH, body).json()['id']}"


def put(status: CampaignStatus, **fields: Any) -> None:
    Campaign.objects.update(status=status.value, **fields)


def told(answer: Any) -> tuple[int, str]:
    found = answer.json()
    return answer.status_code, found.get("code") or found["status"]


@pytest.mark.parametrize("status", list(CampaignStatus))
@pytest.mark.parametrize("act", FOR_PEOPLE)
def test_an_act_leads_where_the_table_says_or_is_409(api: Api, campaign: str, act: Act, status: CampaignStatus) -> None:
    put(status)
    before = Doing.objects.count()
    answer = api.post(f"{campaign}/{act}")
    if is_allowed(act, status):
        expected = after(act, status)
        assert told(answer) == (200, expected.value)
        assert answer.json()["acts"] == [str(one) for one in acts_in(expected)]
        assert (Doing.objects.last().act, Doing.objects.count()) == (act.value, before + 1)
    else:
        assert told(answer) == (409, "invalid_transition")
        assert Campaign.objects.get().status == status.value
        assert Doing.objects.count() == before


@pytest.mark.parametrize("status", list(CampaignStatus))
def test_only_a_draft_may_be_changed(api: Api, campaign: str, status: CampaignStatus) -> None:
    put(status)
    answer = api.patch(campaign, {"name": "other"})
    assert told(answer) == ((200, "draft") if status is S.DRAFT else (409, "invalid_transition"))


def test_a_refused_act_says_what_may_be_done(api: Api, campaign: str) -> None:
    put(S.PAUSED)
    assert api.post(f"{campaign}/start").json()["detail"] == (
        "A campaign that is paused cannot be told to start. Now it can be told to: resume, cancel."
    )


def test_a_start_pressed_twice_starts_once(api: Api, campaign: str) -> None:
    assert [told(api.post(f"{campaign}/start")) for _ in range(2)] == [(200, "running"), (409, "invalid_transition")]
    assert Doing.objects.filter(act="start").count() == 1


def test_a_resume_of_what_runs_and_a_pause_of_what_stands_are_refused(api: Api, campaign: str) -> None:
    api.post(f"{campaign}/start")
    answers = [told(api.post(f"{campaign}/{act}")) for act in ("resume", "pause", "pause", "resume")]
    refused = (409, "invalid_transition")
    assert answers == [refused, (200, "paused"), refused, (200, "running")]


def test_the_whole_way_is_kept_with_who_did_what_and_why(api: Api, campaign: str) -> None:
    for act in ("submit", "reject", "submit", "approve", "start", "pause", "resume", "cancel"):
        assert api.post(f"{campaign}/{act}", {"note": f"because of {act}"}).status_code == 200
    log = api.get(campaign).json()["log"]
    assert [one["act"] for one in log[1:]] == [
        "submit",
        "reject",
        "submit",
        "approve",
        "start",
        "pause",
        "resume",
        "cancel",
    ]
    assert {one["actor"].partition(":")[0] for one in log} == {"application"}
    assert (log[-1]["note"], log[-1]["before"], log[-1]["after"]) == ("because of cancel", "running", "cancelled")


def test_what_many_would_get_is_not_started_as_a_draft(
    api: Api, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "APPROVAL_ABOVE", 0)
    assert told(api.post(f"{campaign}/start")) == (409, "approval_required")


def test_what_many_would_get_is_approved_by_somebody_else(
    api: Api, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "APPROVAL_ABOVE", 0)
    api.post(f"{campaign}/submit")
    assert told(api.post(f"{campaign}/approve")) == (409, "own_approval")
    other = Api(make_key("ops", [Scope.BULK, Scope.OPERATE]))
    assert told(other.post(f"{campaign}/approve")) == (200, "scheduled")
    assert told(api.post(f"{campaign}/start")) == (200, "running")


def test_an_audience_that_has_grown_is_counted_anew_before_the_start(
    api: Api, campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "APPROVAL_ABOVE", 1)
    api.patch(campaign, {"audience": {"segment": "has_email = true"}})
    make_recipient("u_bob", email="bob@example.com")
    assert told(api.post(f"{campaign}/start")) == (409, "approval_required")
    assert api.get(campaign).json()["estimated_recipients"] == 2


@pytest.mark.parametrize(
    ("body", "status", "code"), [({"why": 1}, 422, "unknown_field"), (b"{", 400, "malformed_json")]
)
def test_a_body_that_is_none_is_refused(api: Api, campaign: str, body: Any, status: int, code: str) -> None:
    assert told(api.post(f"{campaign}/submit", body)) == (status, code)
