"""`/v1/topics`: what people subscribe to, from outside."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notify import sweep
from notify.vocabulary import Scope
from preferences.models import Subscription, Topic
from preferences.policy import SUBSCRIBERS_COUNTED_TO
from preferences.store import topics
from preferences.subscribe import Topic as Counted
from tests.factories import Api, make_key, make_recipient

pytestmark = pytest.mark.django_db

PATH = "/v1/topics/user:u_star"
SUBSCRIBERS = f"{PATH}/subscribers"


def join(api: Api, *user_ids: str) -> Any:
    answer = api.post(SUBSCRIBERS, {"add": user_ids})
    assert answer.status_code == 200
    return answer.json()


def test_a_topic_is_created_once_and_told_with_its_size(api: Api) -> None:
    assert api.get(PATH).status_code == 404
    assert [api.put(PATH).status_code for _ in range(2)] == [201, 200]
    make_recipient("u_alice")
    join(api, "u_alice")
    found = api.get(PATH).json()
    assert (found["key"], found["subscribers"], found["subscribers_exact"]) == ("user:u_star", 1, True)


def test_a_large_topic_is_counted_up_to_a_limit_and_says_so() -> None:
    row, _ = topics.put_topic("news")
    assert Counted(row, SUBSCRIBERS_COUNTED_TO).is_exact is False
    assert Counted(row, SUBSCRIBERS_COUNTED_TO - 1).is_exact is True


def test_people_join_and_leave_and_who_cannot_holds_up_nobody(api: Api) -> None:
    api.put(PATH)
    for name in ("u_alice", "u_bob", "u_gone"):
        make_recipient(name)
    join(api, "u_bob")
    assert api.post("/v1/users/u_gone/erase").status_code == 202
    answer = api.post(SUBSCRIBERS, {"add": ["u_alice", "u_gone", "u_ghost", "u_alice"], "remove": ["u_bob", "u_none"]})
    body = answer.json()
    assert (answer.status_code, body["added"], body["removed"]) == (200, 1, 1)
    codes = [(one["user_id"], one["code"]) for one in body["rejected"]]
    assert codes == [("u_gone", "user_erased"), ("u_ghost", "unknown_user"), ("u_none", "unknown_user")]
    assert api.get(PATH).json()["subscribers"] == 1


def test_who_joins_again_stays_subscribed_since_the_first_time(api: Api) -> None:
    api.put(PATH)
    make_recipient("u_alice")
    join(api, "u_alice")
    since = Subscription.objects.get().since
    assert join(api, "u_alice") == {"added": 0, "removed": 0, "rejected": []}
    assert Subscription.objects.get().since == since


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"add": ["u_1", "u_2"], "remove": ["u_3", "u_2"]}, "ambiguous_user", "/remove/1"),
        ({"add": ["u"] * 1_001}, "invalid_add", "/add"),
        ({"add": ["a/b"]}, "invalid_add", "/add/0"),
        ({"users": []}, "unknown_field", "/users"),
    ],
)
def test_lists_that_make_no_sense_are_refused_with_their_place(
    api: Api, body: dict[str, Any], code: str, pointer: str
) -> None:
    api.put(PATH)
    answer = api.post(SUBSCRIBERS, body)
    fault = answer.json()
    assert (answer.status_code, fault["code"], fault["errors"][0]["pointer"]) == (422, code, pointer)


def test_a_page_of_people_costs_as_many_statements_as_one(api: Api) -> None:
    api.put(PATH)
    names = [f"u_{number}" for number in range(50)]
    for name in names:
        make_recipient(name)
    counts = []
    for chosen in (names[:1], names[1:]):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            api.post(SUBSCRIBERS, {"add": chosen, "remove": ["u_ghost"]})
        counts.append(len([one for one in asked.captured_queries if "preferences_" in one["sql"]]))
    assert counts == [4, 4]


def test_a_deleted_topic_is_gone_at_once_and_its_key_names_a_new_one(api: Api) -> None:
    api.put(PATH)
    make_recipient("u_alice")
    join(api, "u_alice")
    assert [api.delete(PATH).status_code for _ in range(2)] == [204, 404]
    assert (api.get(PATH).json()["code"], join_code(api)) == ("unknown_topic", "unknown_topic")
    assert api.put(PATH).status_code == 201
    assert api.get(PATH).json()["subscribers"] == 0


def join_code(api: Api) -> str:
    code: str = api.post(SUBSCRIBERS, {"add": ["u_alice"]}).json()["code"]
    return code


def test_the_housekeeping_removes_what_a_deleted_topic_leaves(api: Api) -> None:
    api.put(PATH)
    for number in range(5):
        make_recipient(f"u_{number}")
    join(api, *(f"u_{number}" for number in range(5)))
    api.delete(PATH)
    assert [topics.clear_deleted(3), topics.clear_deleted(3)] == [3, 2]
    assert Topic.objects.count() == 1, "who subscribed meanwhile is still found by it"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_topic SET deleted_at = now() - interval '2 hours'")
    assert sweep.maintain().subscriptions_removed == 0
    assert (Topic.objects.count(), Subscription.objects.count()) == (0, 0)


def test_topics_are_listed_by_their_keys_in_pages(api: Api) -> None:
    for key in ("b", "a", "user:X", "user:Y", "C"):
        api.put(f"/v1/topics/{key}")
    api.delete("/v1/topics/b")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"/v1/topics?limit=2&cursor={cursor}").json()
        seen += [one["key"] for one in page["data"]]
        cursor = page["page"]["next_cursor"]
    assert seen == ["C", "a", "user:X", "user:Y"]
    assert api.get("/v1/topics?cursor=xyz").json()["code"] == "invalid_cursor"


@pytest.mark.parametrize(("key", "status"), [("x" * 200, 201), ("x" * 201, 422), ("%E2%82%AC", 422), ("a%20b", 422)])
def test_a_key_is_one_visible_segment_of_a_path(api: Api, key: str, status: int) -> None:
    assert api.put(f"/v1/topics/{key}").status_code == status


def test_reading_takes_another_scope_than_writing(api: Api) -> None:
    api.put(PATH)
    reader = Api(make_key(scopes=[Scope.READ]))
    assert [reader.get(PATH).status_code, reader.get("/v1/topics").status_code] == [200, 200]
    assert [reader.put(PATH).status_code, reader.delete(PATH).status_code] == [403, 403]
    assert reader.post(SUBSCRIBERS, {"add": []}).status_code == 403
    assert Api(make_key(scopes=[Scope.SEND])).get(PATH).status_code == 403


def test_what_a_person_subscribes_to_is_exported_and_erased_with_them(api: Api) -> None:
    api.put(PATH)
    make_recipient("u_alice")
    join(api, "u_alice")
    exported = msgspec.json.decode(b"".join(api.get("/v1/users/u_alice/export").streaming_content))
    assert [one["key"] for one in exported["topics"]] == ["user:u_star"]
    api.post("/v1/users/u_alice/erase")
    assert Subscription.objects.count() == 0
