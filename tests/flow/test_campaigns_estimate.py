"""What an estimate says is what would come of it, and asking changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import conf
from channels.vocabulary import Channel
from notify.store import halts
from preferences.store import topics
from tests.factories import Api, make_recipient, make_template, make_type

pytestmark = pytest.mark.django_db

PATH = "/v1/campaigns"


@pytest.fixture(autouse=True)
def _newsletter(api: Api) -> None:
    make_template()
    make_template("short", channels={"sms": {"en": {"body": "Hi {{ order_id }}"}}})
    make_template("long", channels={"sms": {"en": {"body": "Hello {{ order_id }} " * 20}}})
    make_type(template_id="order_shipped", category="social")
    halts.forget()


def people(count: int, prefix: str = "u_", **fields: Any) -> None:
    for at in range(count):
        make_recipient(f"{prefix}{at}", **{"email": f"{prefix}{at}@example.com"} | fields)


def estimated(api: Api, **fields: Any) -> dict[str, Any]:
    body = {
        "name": "News",
        "type": "ORDER_SHIPPED",
        "variables": {"order_id": "ORD-1"},
        "channels": ["email"],
        "audience": {"segment": "user_id STARTS WITH 'u_'"},
    }
    answer = api.post(PATH, body | fields)
    assert answer.status_code == 201, answer.content
    found = api.post(f"{PATH}/{answer.json()['id']}/estimate")
    assert found.status_code == 200, found.content
    told: dict[str, Any] = found.json()
    return told


def test_who_would_be_reached_and_who_left_out_is_told_with_the_reason(api: Api) -> None:
    people(6)
    make_recipient("u_nomail")
    make_recipient("u_gone", email="gone@example.com")
    api.put("/v1/users/u_gone/preferences", {"global_opt_out": True})
    found = estimated(api)
    assert (found["audience"], found["people"], found["sampled"], found["margin_points"]) == (8, 8, 8, 0)
    assert found["reached"] == {"percent": 75.0, "people": 6}
    assert found["left_out"] == {"percent": 25.0, "people": 2}
    assert found["reasons"] == {
        "no_address": {"percent": 12.5, "people": 1},
        "user_opted_out": {"percent": 12.5, "people": 1},
    }
    assert (found["channels"]["email"]["people"], found["channels"]["email"]["messages"]) == (6, 6)


def test_asking_for_an_estimate_writes_nothing(api: Api) -> None:
    people(3)
    estimated(api)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM notify_notification")
        assert cursor.fetchone() == (0,)


def test_each_wording_is_priced_for_its_share(api: Api) -> None:
    people(30, phone="+447700900123")
    only = [{"name": name, "template_id": name} for name in ("short", "long")]
    prices = [estimated(api, channels=["sms"], variants=[one]) for one in only]
    both = estimated(api, channels=["sms"], variants=only)
    short, long, mixed = (one["channels"]["sms"]["messages"] and one["cost_micros"] for one in (*prices, both))
    assert (short > 0, short < mixed < long) == (True, True)


def test_the_control_group_is_not_among_the_people(api: Api) -> None:
    people(40)
    found = estimated(api, holdout_percent=50)
    held = found["holdout"]["people"]
    assert (found["audience"], found["people"], found["sampled"]) == (40, 40 - held, 40 - held)
    assert 0 < held < 40


def test_the_control_group_of_many_is_its_percentage(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.estimate.ESTIMATE_SAMPLE", 10)
    people(40)
    found = estimated(api, holdout_percent=25)
    assert (found["audience"], found["people"], found["holdout"]) == (40, 30, {"percent": 25, "people": 10})


def test_words_that_cannot_be_made_are_told(api: Api) -> None:
    people(2)
    make_template(
        "divides", channels={"email": {"en": {"subject": "x", "body": "{{ order_id.missing.deeper }}"}}}, variables={}
    )
    found = estimated(api, template_id="divides")
    assert (found["reached"]["people"], found["reasons"]["invalid_payload"]["people"]) == (0, 2)
    assert [one["people"] for one in found["faults"].values()] == [2]


@pytest.mark.parametrize(
    ("throttle", "rate", "seconds", "limited_by", "beyond"),
    [
        ({}, 3_000, 1, "capacity", 0),
        ({"max_per_second": 2}, 2, 10, "max_per_second", 0),
        ({"window_hours": 1}, 0.01, 3_600, "window_hours", 0),
        ({"max_per_second": 2, "window_hours": 0.001}, 2, 10, "max_per_second", 13),
    ],
)
def test_how_long_it_takes_is_said_by_the_lowest_rate(
    api: Api, throttle: dict[str, float], rate: float, seconds: int, limited_by: str, beyond: int
) -> None:
    people(20)
    pace = estimated(api, throttle=throttle, test=True)["pace"]
    assert (pace["people_per_second"], pace["duration_seconds"], pace["limited_by"], pace["beyond_window"]) == (
        rate,
        seconds,
        limited_by,
        beyond,
    )


def test_what_all_campaigns_may_holds_for_each(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "RATE", 4)
    people(20)
    assert estimated(api, test=True)["pace"]["limited_by"] == "all_campaigns"


def test_people_whose_night_it_is_are_told_later(api: Api) -> None:
    people(4, zone="Asia/Tokyo")
    for at in range(4):
        api.put(f"/v1/users/u_{at}/preferences", {"quiet_hours": {"start": "22:00", "end": "07:00"}})
    night = (datetime.now(UTC) + timedelta(days=2)).replace(hour=15, minute=0)
    late = estimated(api, schedule_at=night.isoformat())
    assert (late["reached"]["people"], late["later"]["people"]) == (4, 4)
    assert late["pace"]["starts_at"].startswith(night.date().isoformat())
    morning = estimated(api, local_time="09:00")
    assert (morning["reached"]["people"], morning["later"]["people"]) == (4, 0)


def test_a_large_audience_is_drawn_from(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.estimate.ESTIMATE_SAMPLE", 10)
    people(30)
    found = estimated(api)
    assert (found["people"], found["sampled"], found["reached"]) == (30, 10, {"percent": 100.0, "people": 30})
    assert found["margin_points"] == 31.0


def test_a_topic_nobody_subscribes_to_reaches_nobody(api: Api) -> None:
    topics.put_topic("empty")
    found = estimated(api, audience={"topic": "empty"})
    assert (found["audience"], found["sampled"], found["reached"]["people"]) == (0, 0, 0)
    assert found["needs_approval"] is False


def test_a_list_is_estimated_too_and_says_who_must_approve(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "APPROVAL_ABOVE", 1)
    people(3)
    found = estimated(api, audience={"user_ids": ["u_0", "u_1"]})
    assert (found["audience"], found["needs_approval"], list(found["channels"])) == (2, True, [Channel.EMAIL])


def test_an_estimate_costs_the_same_whatever_the_audience(api: Api) -> None:
    costs = []
    for count in (2, 40):
        people(count)
        with CaptureQueriesContext(connection) as asked:
            estimated(api)
        costs.append(len(asked.captured_queries))
    assert costs[0] >= costs[1]
