"""What the API says of a campaign while it runs and when it is over."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import fan_out, freeze, launch
from campaigns.store import runs
from campaigns.store.runs import RunRow
from notify.store import halts, told
from tests.factories import Api, make_recipient, make_template, make_type
from tests.flow.campaigning import go
from tests.flow.conftest import drain

pytestmark = pytest.mark.django_db

PATH = "/v1/campaigns"


@pytest.fixture(autouse=True)
def _newsletter(api: Api) -> None:
    make_template()
    make_template("other_words")
    make_type(template_id="order_shipped", category="social")
    halts.forget()


def people(count: int) -> None:
    for at in range(count):
        make_recipient(f"u_{at:02}", email=f"person{at}@example.com")


def begun(api: Api, **fields: Any) -> tuple[str, RunRow]:
    """A campaign that was started and launched: its path and its run."""
    body = {
        "name": "News",
        "type": "ORDER_SHIPPED",
        "variables": {"order_id": "ORD-1"},
        "channels": ["email"],
        "audience": {"segment": "user_id STARTS WITH 'u_'"},
    }
    path = f"{PATH}/{api.post(PATH, body | fields).json()['id']}"
    assert api.post(f"{path}/start").status_code == 200
    assert launch.launch(timezone.now()) == 1
    (run,) = runs.under_way(10)
    return path, run


def numbers(api: Api, path: str, *names: str) -> tuple[Any, ...]:
    found = api.get(path).json()
    return tuple(found[name] for name in names)


def all_recipients(api: Api, path: str, query: str = "") -> list[dict[str, Any]]:
    """Page by page, to the end."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.get(f"{path}/recipients?limit=2{query}" + (f"&cursor={cursor}" if cursor else "")).json()
        found += page["data"]
        cursor = page["page"]["next_cursor"]
        if not page["page"]["has_more"]:
            return found


def test_numbers_follow_a_run_from_its_start_to_its_end(api: Api) -> None:
    people(5)
    path, run = begun(api)
    asked = ("total_recipients", "frozen", "processed", "sent", "delivered", "eta_seconds", "status")
    assert numbers(api, path, *asked) == (5, False, 0, 0, 0, 0, "running")
    freeze.freeze(run.id)
    assert numbers(api, path, *asked) == (5, True, 0, 0, 0, None, "running")
    go(run)
    assert numbers(api, path, *asked) == (5, True, 5, 5, 5, None, "completed")


def test_sent_counts_what_providers_took_and_suppressed_is_not_failed(api: Api) -> None:
    people(3)
    make_recipient("u_nomail")
    make_recipient("u_bounces", email="hard-bounce@sandbox.test")
    path, run = begun(api)
    go(run)
    found = api.get(f"{path}/stats").json()
    assert (found["reasons"]["no_address"], found["channels"]["email"]["suppressed"]) == (1, 1)
    assert found["statuses"] == found["channels"]["email"]
    total, processed, sent, suppressed, failed = numbers(
        api, path, "total_recipients", "processed", "sent", "suppressed", "failed"
    )
    assert (total, processed, suppressed) == (5, 5, 1)
    assert sent + suppressed + failed == 5


def test_a_cancelled_run_counts_only_whom_it_told(api: Api) -> None:
    people(4)
    path, run = begun(api, throttle={"max_per_second": 1})
    freeze.freeze(run.id)
    next(fan_out.fan_out(run.id))
    api.post(f"{path}/cancel")
    go(run)
    assert numbers(api, path, "total_recipients", "processed", "sent", "status") == (4, 1, 1, "cancelled")


def test_variants_and_the_control_group_are_told_apart(api: Api) -> None:
    people(40)
    variants = [{"name": "A", "template_id": "order_shipped"}, {"name": "B", "template_id": "other_words"}]
    path, run = begun(api, variants=variants, holdout_percent=50)
    go(run)
    found = api.get(f"{path}/stats").json()
    held = found["holdout"]
    assert (held["percent"], 0 < held["people"] < 40) == (50, True)
    assert sum(words["delivered"] for words in found["variants"].values()) == 40 - held["people"]
    assert set(found["variants"]) == {"A", "B"}
    listed = all_recipients(api, path)
    assert {one["variant"] for one in listed} == {"A", "B"}
    assert len(listed) == 40 - held["people"]


def test_people_are_listed_by_the_page_each_once(api: Api) -> None:
    people(7)
    path, run = begun(api)
    go(run)
    listed = all_recipients(api, path)
    assert sorted(one["user_id"] for one in listed) == [f"u_{at:02}" for at in range(7)]
    assert {one["status"] for one in listed} == {"delivered"}
    ids = [one["notification_id"] for one in listed]
    assert ids == sorted(ids)


def test_people_are_listed_by_what_became_of_them_and_why(api: Api) -> None:
    people(4)
    make_recipient("u_nomail")
    path, run = begun(api)
    go(run)
    (left_out,) = all_recipients(api, path, "&status=suppressed")
    assert (left_out["user_id"], left_out["reasons"]) == ("u_nomail", ["no_address"])
    assert len(all_recipients(api, path, "&status=delivered")) == 4
    assert all_recipients(api, path, "&status=failed") == []


def test_a_page_behind_what_was_looked_through_goes_on_there(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    people(9)
    make_recipient("u_nomail")
    path, run = begun(api)
    go(run)
    monkeypatch.setattr(told, "_SCAN", 3)
    assert [one["user_id"] for one in all_recipients(api, path, "&status=suppressed")] == ["u_nomail"]


def test_people_of_many_instants_are_found_in_the_spans_of_all(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    people(3)
    for at, zone in enumerate(("Asia/Kathmandu", "America/Lima", "Pacific/Apia")):
        make_recipient(f"u_far{at}", email=f"far{at}@example.com", zone=zone)
    path, run = begun(api, local_time="09:00")
    freeze.freeze(run.id)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_slice SET due_at = now() - interval '1 s'")
    go(run)
    monkeypatch.setattr(told, "_SPANS_AT_ONCE", 1)
    assert len({one["user_id"] for one in all_recipients(api, path)}) == 6


@pytest.mark.parametrize("limit", [1, 20])
def test_a_page_of_people_costs_the_same_whatever_its_length(api: Api, limit: int) -> None:
    people(20)
    path, run = begun(api)
    go(run)
    with CaptureQueriesContext(connection) as asked:
        assert len(api.get(f"{path}/recipients?limit={limit}").json()["data"]) == limit
    tables = ("campaigns_", "notify_notification", "preferences_recipient")
    assert len([one for one in asked.captured_queries if any(name in one["sql"] for name in tables)]) == 4


def test_a_run_that_is_none_of_this_campaign_is_unknown(api: Api) -> None:
    people(1)
    path, run = begun(api)
    assert api.get(f"{path}/stats?run_id={run.id}").json()["run"]["id"] == str(run.id)
    for place in ("stats", "recipients"):
        answer = api.get(f"{path}/{place}?run_id=0199aa00-0000-7000-8000-000000000000")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_run")


def test_before_its_first_run_there_is_nobody_and_nothing(api: Api) -> None:
    people(1)
    body = {
        "name": "n",
        "type": "ORDER_SHIPPED",
        "variables": {"order_id": "1"},
        "audience": {"segment": "user_id STARTS WITH 'u_'"},
    }
    path = f"{PATH}/{api.post(PATH, body).json()['id']}"
    assert api.get(f"{path}/recipients").json()["data"] == []
    assert api.get(f"{path}/stats").json()["run"] is None
    assert api.get(f"{path}/recipients?cursor=nonsense").json()["code"] == "invalid_cursor"


def test_a_test_send_is_real_and_not_counted(api: Api) -> None:
    people(2)
    variants = [{"name": "A", "template_id": "order_shipped"}, {"name": "B", "template_id": "other_words"}]
    path, run = begun(api, variants=variants)
    answer = api.post(f"{path}/test", {"user_ids": ["u_00", "u_ghost"]})
    sent = answer.json()["sent"]
    assert (answer.status_code, [one["variant"] for one in sent]) == (202, ["A", "B"])
    assert [[who["user_id"] for who in one["notifications"]] for one in sent] == [["u_00"], ["u_00"]]
    assert [one["rejected"][0]["code"] for one in sent] == ["unknown_user", "unknown_user"]
    drain()
    go(run)
    assert numbers(api, path, "total_recipients", "sent") == (2, 2)
    record = api.get(f"/v1/notifications/{sent[1]['notifications'][0]['id']}").json()
    assert record["metadata"] == {"campaign_id": path.rsplit("/", 1)[-1], "test_send": True, "variant": "B"}
    assert record["status"] == "delivered"


def test_a_test_send_to_nobody_known_sends_nothing(api: Api) -> None:
    people(1)
    path, _ = begun(api)
    answer = api.post(f"{path}/test", {"user_ids": ["u_ghost"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_user")
    too_many = api.post(f"{path}/test", {"user_ids": ["u_00"] * 21}).json()
    assert (too_many["code"], too_many["errors"][0]["pointer"]) == ("invalid_user_ids", "/user_ids")


def test_a_test_send_with_a_key_is_sent_once(api: Api) -> None:
    people(1)
    path, _ = begun(api)
    answers = [api.post(f"{path}/test", {"user_ids": ["u_00"]}, Idempotency_Key="k").json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert api.post(f"{path}/test", {"user_ids": ["u_00"]}).json() != answers[0]
