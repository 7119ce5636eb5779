"""What topics are told, as their subscribers see it: merged into the inbox when that is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from channels.models import InboxMessage
from notify import broadcasts, conf, policy, receive, sweep
from notify.models import Broadcast, Notification
from preferences.store import topics
from preferences.vocabulary import Category, RecipientRef
from tests.factories import Api, make_entries, make_recipient, make_told, make_topic, make_type

INBOX = "/v1/users/u_alice/notifications"

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(db: None) -> RecipientRef:
    make_type("NEWS", channels=["in_app"], category=Category.SOCIAL.value)
    return make_recipient("u_alice")


@pytest.fixture
def news(alice: RecipientRef) -> int:
    """A topic that Alice subscribes to."""
    return make_topic("news", alice)


@pytest.fixture
def own(api: Api, alice: RecipientRef) -> Api:
    """Alice's own app, with her token."""
    return Api(api.post("/v1/users/u_alice/token").json()["token"])


def page(caller: Api, query: str = "") -> dict[str, Any]:
    answer = caller.get(f"{INBOX}{query}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def titles(caller: Api, query: str = "") -> list[str]:
    return [one["title"] for one in page(caller, query)["data"]]


def walk(caller: Api, query: str) -> list[list[str]]:
    found: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        one = page(caller, f"?cursor={cursor}{query}")
        found.append([entry["title"] for entry in one["data"]])
        cursor = one["page"]["next_cursor"]
    return found


def test_what_a_topic_is_told_stands_in_the_inbox_in_the_readers_own_words(own: Api, news: int) -> None:
    make_told(news, "Eclipse")
    found = page(own)
    (entry,) = found["data"]
    assert (entry["title"], entry["body"], entry["type"]) == ("Eclipse", "Eclipse for u_alice", "NEWS")
    assert (entry["read_at"], entry["archived_at"], found["unread_count"]) == (None, None, 1)
    assert page(own)["data"][0]["id"] == entry["id"]
    assert InboxMessage.objects.count() == 0


def test_rows_and_broadcasts_stand_in_one_order_and_are_walked_once(own: Api, alice: RecipientRef, news: int) -> None:
    sports = make_topic("sports", alice)
    for number in range(4):
        make_told(news, f"news {number}")
        make_entries(alice, f"own {number}")
        make_told(sports, f"sports {number}")
    expected = [f"{kind} {number}" for number in (3, 2, 1, 0) for kind in ("sports", "own", "news")]
    for limit in (1, 5, 12, 100):
        pages = walk(own, f"&limit={limit}")
        assert [one for each in pages for one in each] == expected
        assert {len(one) for one in pages[:-1]} <= {limit}
    assert page(own, "?limit=1")["unread_count"] == 12


def test_a_touch_between_two_pages_shifts_nothing(own: Api, alice: RecipientRef, news: int) -> None:
    make_told(news, *"abcdef")
    first = page(own, "?limit=2")
    make_told(news, "new")
    for entry in first["data"]:
        own.patch(f"/v1/notifications/{entry['id']}/read")
    own.patch(f"/v1/notifications/{page(own, '?limit=7')['data'][4]['id']}/unread")
    rest = page(own, f"?cursor={first['page']['next_cursor']}")
    assert [one["title"] for one in first["data"] + rest["data"]] == list("fedcba")


def test_marks_make_a_row_that_keeps_id_and_place(own: Api, news: int) -> None:
    make_told(news, "first", "second")
    second, first = page(own)["data"]
    marked = own.patch(f"/v1/notifications/{first['id']}/read").json()
    assert (marked["id"], marked["unread_count"]) == (first["id"], 1)
    again = page(own)["data"]
    assert [one["id"] for one in again] == [second["id"], first["id"]]
    assert again[1] == first | {"read_at": marked["read_at"]}
    assert titles(own, "?unread_only=true") == ["second"]
    assert own.patch(f"/v1/notifications/{first['id']}/unread").json()["unread_count"] == 2
    assert own.patch(f"/v1/notifications/{second['id']}/archive").json()["unread_count"] == 1
    assert titles(own) == ["first"]
    assert InboxMessage.objects.count() == 2


def test_what_was_touched_is_a_notification_like_any_other(api: Api, own: Api, news: int) -> None:
    make_told(news, "Eclipse")
    told = page(own)["data"][0]["id"]
    assert api.get(f"/v1/notifications/{told}/status").status_code == 404
    own.patch(f"/v1/notifications/{told}/read")
    status = api.get(f"/v1/notifications/{told}/status").json()
    assert (status["status"], status["user_id"], status["type"]) == ("delivered", "u_alice", "NEWS")
    assert [(one["channel"], one["status"]) for one in status["deliveries"]] == [("in_app", "delivered")]
    assert api.get(f"/v1/notifications/{told}/trace").status_code == 200
    assert b"Eclipse" in b"".join(api.get("/v1/users/u_alice/export").streaming_content)


def test_what_an_app_notices_counts_though_nobody_has_touched_it(api: Api, own: Api, news: int) -> None:
    make_told(news, "Eclipse")
    told = page(own)["data"][0]["id"]
    push = {"event": "opened", "channel": "push"}
    assert own.post(f"/v1/notifications/{told}/events", push).status_code == 404
    assert own.post(f"/v1/notifications/{told}/events", {"event": "opened"}).status_code == 204
    receive.receive()
    (delivery,) = api.get(f"/v1/notifications/{told}/status").json()["deliveries"]
    assert delivery["opened_at"] is not None
    assert page(own)["unread_count"] == 1


def test_read_all_covers_what_topics_were_told(own: Api, alice: RecipientRef, news: int) -> None:
    make_told(news, "a", "b")
    make_entries(alice, "c")
    make_told(news, "d")
    seen = page(own)["data"][1]["id"]
    up_to_b = {"user_id": "u_alice", "up_to": page(own)["data"][2]["id"]}
    assert own.post("/v1/notifications/read-all", up_to_b).json() == {"marked": 2, "unread_count": 2}
    assert own.post("/v1/notifications/read-all", {"user_id": "u_alice", "up_to": seen}).json()["marked"] == 1
    assert titles(own, "?unread_only=true") == ["d"]
    assert own.post("/v1/notifications/read-all", {"user_id": "u_alice"}).json() == {"marked": 1, "unread_count": 0}
    assert titles(own) == ["d", "c", "b", "a"]


def test_read_all_touches_no_more_at_once_than_it_may(own: Api, news: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notify.inbox.TOUCHED_AT_ONCE", 2)
    make_told(news, *"abc")
    assert own.post("/v1/notifications/read-all", {"user_id": "u_alice"}).json() == {"marked": 2, "unread_count": 1}
    assert titles(own, "?unread_only=true") == ["a"]


def test_who_joins_later_or_leaves_sees_none_of_it(own: Api, alice: RecipientRef) -> None:
    news = make_topic("news")
    make_told(news, "before")
    topics.add_subscribers(news, [alice.id])
    make_told(news, "after")
    assert titles(own) == ["after"]
    topics.remove_subscribers(news, [alice.id])
    assert titles(own) == []


SILENCES: dict[str, Callable[[Api], Any]] = {
    "opted out of everything": lambda api: api.patch("/v1/users/u_alice/preferences", {"global_opt_out": True}),
    "wants nothing in the app": lambda api: api.patch("/v1/users/u_alice/preferences", {"channels": {"in_app": False}}),
    "wants none of its kind": lambda api: api.patch(
        "/v1/users/u_alice/preferences", {"categories": {"social": {"in_app": False}}}
    ),
    "wants none of the type": lambda api: api.patch(
        "/v1/users/u_alice/preferences", {"types": {"NEWS": {"in_app": False}}}
    ),
    "was deleted": lambda api: api.delete("/v1/users/u_alice"),
    "the topic was deleted": lambda api: api.delete("/v1/topics/news"),
    "it was cancelled": lambda _: broadcasts.cancel(Broadcast.objects.get().batch_id),
    "it expired": lambda _: Broadcast.objects.update(expires_at=timezone.now() - timedelta(days=1)),
    "it is too old": lambda _: Broadcast.objects.update(
        created_at=timezone.now() - timedelta(days=conf.RETENTION_DAYS)
    ),
}


@pytest.mark.parametrize("silence", SILENCES)
def test_nothing_is_shown_or_counted_or_marked_after_a_no(api: Api, news: int, silence: str) -> None:
    make_told(news, "Eclipse")
    told = page(api)["data"][0]["id"]
    SILENCES[silence](api)
    assert (titles(api), page(api)["unread_count"]) == ([], 0)
    assert api.patch(f"/v1/notifications/{told}/read").json()["code"] == "unknown_notification"
    assert api.post("/v1/notifications/read-all", {"user_id": "u_alice"}).json()["marked"] == 0


def test_marketing_is_shown_to_nobody_who_has_not_agreed(api: Api, news: int) -> None:
    make_type("PROMO", channels=["in_app"], category=Category.MARKETING.value)
    make_told(news, "Sale", type_key="PROMO")
    assert titles(api) == []
    api.patch("/v1/users/u_alice/preferences", {"marketing_opt_in": True})
    assert titles(api) == ["Sale"]


def test_a_batch_is_told_to_a_topic_once_and_a_test_to_nobody(own: Api, news: int) -> None:
    (batch,) = make_told(news, "Eclipse")
    assert broadcasts.publish(batch, news, expires_at=None, now=datetime.now(UTC)) is False
    make_told(news, "Trial", test=True)
    assert titles(own) == ["Eclipse"]


def test_nobody_marks_what_is_anothers(api: Api, own: Api, alice: RecipientRef, news: int) -> None:
    bob = make_recipient("u_bob")
    topics.add_subscribers(news, [bob.id])
    make_told(news, "Eclipse")
    his = api.get("/v1/users/u_bob/notifications").json()["data"][0]["id"]
    assert his != page(own)["data"][0]["id"]
    assert own.patch(f"/v1/notifications/{his}/read").status_code == 404
    assert InboxMessage.objects.count() == 0
    assert api.patch(f"/v1/notifications/{his}/read").status_code == 200
    assert InboxMessage.objects.get().recipient_id == bob.id


def test_who_was_erased_leaves_no_trace_of_what_they_touched(api: Api, own: Api, news: int) -> None:
    make_told(news, "a", "b")
    own.post("/v1/notifications/read-all", {"user_id": "u_alice"})
    assert api.post("/v1/users/u_alice/erase").status_code == 202
    assert InboxMessage.objects.count() == 0
    assert all(not bytes(one.sealed) for one in Notification.objects.all())


def test_what_cannot_be_worded_is_left_out_and_put_away(own: Api, alice: RecipientRef, news: int) -> None:
    make_told(news, "Eclipse")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_batch SET sealed = '\\x00'")
    assert titles(own) == []
    own.post("/v1/notifications/read-all", {"user_id": "u_alice"})
    assert page(own)["unread_count"] == 0


def test_who_subscribes_to_nothing_pays_one_statement(
    own: Api, alice: RecipientRef, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_told(make_topic("news"), "Eclipse")
    make_entries(alice, "Packed")
    page(own)
    with django_assert_num_queries(4):
        page(own)
    make_topic("quiet", alice)
    with django_assert_num_queries(5):
        page(own)


def test_a_page_costs_as_much_whatever_topics_were_told(
    own: Api, alice: RecipientRef, news: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sports = make_topic("sports", alice)
    for topic in (news, sports):
        make_told(topic, *map(str, range(10)))
    page(own)
    with django_assert_num_queries(8):
        assert len(page(own)["data"]) == 20
    told = page(own)["data"][3]["id"]
    with django_assert_num_queries(20):
        own.patch(f"/v1/notifications/{told}/read")
    with django_assert_num_queries(16):
        assert own.post("/v1/notifications/read-all", {"user_id": "u_alice"}).json()["marked"] == 19


def test_no_more_than_the_newest_of_a_topic_stand_there(own: Api, news: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notify.store.broadcasts.BROADCASTS_OF_TOPIC", 3)
    assert policy.BROADCASTS_OF_TOPIC > 3
    make_told(news, *"abcde")
    assert (titles(own), page(own)["unread_count"]) == (["e", "d", "c"], 3)
    own.post("/v1/notifications/read-all", {"user_id": "u_alice"})
    assert page(own)["unread_count"] == 0


def test_the_housekeeping_forgets_what_is_too_old(own: Api, news: int) -> None:
    make_told(news, "old", "new")
    Broadcast.objects.filter(pk=Broadcast.objects.order_by("id")[0].pk).update(
        created_at=timezone.now() - timedelta(days=conf.RETENTION_DAYS, minutes=1)
    )
    assert sweep.maintain().broadcasts_forgotten == 1
    assert titles(own) == ["new"]
