from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from channels.models import InboxMessage
from channels.policy import UNREAD_COUNTED_TO
from channels.rules.sealing import new_data_key
from notify.vocabulary import Scope
from preferences.models import Recipient
from preferences.vocabulary import RecipientRef
from tests.factories import Api, make_entries, make_key, make_recipient

INBOX = "/v1/users/u_alice/notifications"
NOBODYS = UUID("0199aa00-0000-7000-8000-000000000000")

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(db: None) -> RecipientRef:
    return make_recipient("u_alice")


@pytest.fixture
def own(api: Api, alice: RecipientRef) -> Api:
    """Alice's own app, with her token."""
    return Api(api.post("/v1/users/u_alice/token").json()["token"])


def titles(caller: Api, **query: Any) -> list[str]:
    return [one["title"] for one in page(caller, **query)["data"]]


def page(caller: Api, **query: Any) -> dict[str, Any]:
    answer = caller.get(f"{INBOX}?{'&'.join(f'{key}={value}' for key, value in query.items())}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def pages(caller: Api, limit: int, **query: Any) -> Iterator[list[str]]:
    cursor = ""
    while cursor is not None:
        found = page(caller, limit=limit, cursor=cursor, **query)
        assert found["page"]["has_more"] is (found["page"]["next_cursor"] is not None)
        yield [one["title"] for one in found["data"]]
        cursor = found["page"]["next_cursor"]


def test_an_inbox_is_read_newest_first_with_all_that_the_contract_names(own: Api, alice: RecipientRef) -> None:
    first, second = make_entries(alice, "First", "Second")
    found = page(own)
    assert [one["id"] for one in found["data"]] == [str(second), str(first)]
    assert (found["unread_count"], found["page"]) == (2, {"next_cursor": None, "has_more": False})
    entry = found["data"][1]
    assert entry.pop("created_at").endswith("Z")
    assert entry == {
        "id": str(first),
        "type": "ORDER_SHIPPED",
        "title": "First",
        "body": "First, in full",
        "image_url": None,
        "action_url": "https://shop/1",
        "actions": [],
        "data": {},
        "read_at": None,
        "archived_at": None,
        "collapse_key": None,
    }


def test_an_answer_is_kept_by_no_cache_on_the_way(own: Api) -> None:
    assert own.get(INBOX)["Cache-Control"] == "private, no-store"


def test_a_page_takes_four_queries_however_long_it_is(
    own: Api, alice: RecipientRef, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_entries(alice, *map(str, range(30)))
    page(own)
    with django_assert_num_queries(4):
        page(own, limit=100)


def test_pages_go_on_where_the_last_one_ended_whatever_comes_in(own: Api, alice: RecipientRef) -> None:
    make_entries(alice, *map(str, range(7)))
    walk = pages(own, 3)
    assert next(walk) == ["6", "5", "4"]
    make_entries(alice, "new")
    assert list(walk) == [["3", "2", "1"], ["0"]]


def test_only_the_unread_ones_can_be_asked_for(own: Api, alice: RecipientRef) -> None:
    _, second, _ = make_entries(alice, "a", "b", "c")
    own.patch(f"/v1/notifications/{second}/read")
    assert list(pages(own, 1, unread_only="true")) == [["c"], ["a"]]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_limit"),
        ("limit=101", "invalid_limit"),
        ("unread_only=maybe", "invalid_unread_only"),
        ("archived=true", "unknown_field"),
        ("cursor=%21", "invalid_cursor"),
        ("cursor=bm90IG9uZQ", "invalid_cursor"),
        ("cursor=MjAyNi0xMS0yMVQwMDowMDowMCAwMTk5YWEwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDA", "invalid_cursor"),
    ],
)
def test_a_query_that_is_none_is_refused_and_named(own: Api, query: str, code: str) -> None:
    answer = own.get(f"{INBOX}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_what_expired_or_was_archived_is_neither_shown_nor_counted(own: Api, alice: RecipientRef) -> None:
    now = datetime.now(UTC)
    make_entries(alice, "over", expires_at=(now - timedelta(seconds=1)).timestamp())
    make_entries(alice, "still", expires_at=(now + timedelta(hours=1)).timestamp())
    (gone,) = make_entries(alice, "gone")
    own.patch(f"/v1/notifications/{gone}/archive")
    assert titles(own) == titles(own, unread_only="true") == ["still"]
    assert page(own)["unread_count"] == 1


def test_marks_are_seen_by_the_next_read(own: Api, alice: RecipientRef) -> None:
    (told,) = make_entries(alice, "a")
    marked = own.patch(f"/v1/notifications/{told}/read").json()
    assert (marked["id"], marked["archived_at"], marked["unread_count"]) == (str(told), None, 0)
    assert page(own)["data"][0]["read_at"] == marked["read_at"] is not None
    assert own.patch(f"/v1/notifications/{told}/read").json()["read_at"] == marked["read_at"]
    assert own.patch(f"/v1/notifications/{told}/unread").json()["unread_count"] == 1
    assert page(own)["data"][0]["read_at"] is None


def test_unread_ones_are_counted_up_to_a_thousand(own: Api, alice: RecipientRef) -> None:
    make_entries(alice, "one")
    row = InboxMessage.objects.get()
    rows = [another(row, number) for number in range(UNREAD_COUNTED_TO + 5)]
    InboxMessage.objects.bulk_create(rows)
    assert page(own, limit=1)["unread_count"] == UNREAD_COUNTED_TO


def another(row: InboxMessage, number: int) -> InboxMessage:
    return InboxMessage(
        id=UUID(int=number),
        recipient_id=row.recipient_id,
        notification_id=row.notification_id,
        type=row.type,
        sealed=row.sealed,
        created_at=row.created_at,
    )


def test_everything_is_read_at_once(own: Api, alice: RecipientRef) -> None:
    make_entries(alice, "a", "b", "c")
    assert own.post("/v1/notifications/read-all", {"user_id": "u_alice"}).json() == {"marked": 3, "unread_count": 0}
    assert own.post("/v1/notifications/read-all", {"user_id": "u_alice"}).json() == {"marked": 0, "unread_count": 0}
    assert titles(own, unread_only="true") == []


def test_what_came_in_unseen_stays_unread(own: Api, alice: RecipientRef) -> None:
    _, seen = make_entries(alice, "a", "b")
    make_entries(alice, "unseen")
    body = {"user_id": "u_alice", "up_to": str(seen)}
    assert own.post("/v1/notifications/read-all", body).json() == {"marked": 2, "unread_count": 1}
    assert titles(own, unread_only="true") == ["unseen"]
    body["up_to"] = str(NOBODYS)
    assert own.post("/v1/notifications/read-all", body).json()["code"] == "unknown_notification"


def test_a_later_one_with_the_same_key_takes_the_place_of_the_earlier(own: Api, alice: RecipientRef) -> None:
    (first,) = make_entries(alice, "packed", collapse_key="order:1")
    make_entries(alice, "other", collapse_key="order:2")
    own.post("/v1/notifications/read-all", {"user_id": "u_alice"})
    make_entries(alice, "shipped", collapse_key="order:1")
    assert titles(own) == ["shipped", "other"]
    assert titles(own, unread_only="true") == ["shipped"]
    assert own.patch(f"/v1/notifications/{first}/read").status_code == 404


def test_an_application_reads_and_marks_for_any_of_its_people(api: Api, alice: RecipientRef) -> None:
    (told,) = make_entries(alice, "a")
    assert titles(Api(make_key(scopes=[Scope.READ]))) == titles(Api(make_key(scopes=[Scope.USERS]))) == ["a"]
    assert Api(make_key(scopes=[Scope.READ])).patch(f"/v1/notifications/{told}/read").status_code == 403
    assert api.patch(f"/v1/notifications/{told}/archive").status_code == 200
    assert titles(api) == []


def test_nobody_sees_or_marks_what_is_anothers(own: Api) -> None:
    bob = make_recipient("u_bob")
    (told,) = make_entries(bob, "for Bob")
    refused = [
        own.get("/v1/users/u_bob/notifications"),
        own.get("/v1/users/u_nobody/notifications"),
        own.post("/v1/notifications/read-all", {"user_id": "u_bob"}),
        own.post("/v1/notifications/read-all", {"user_id": "u_nobody"}),
    ]
    assert len({essence(one) for one in refused}) == 1
    assert refused[0].json()["code"] == "unknown_user"
    for path in ("read", "unread", "archive"):
        theirs, nobodys = (own.patch(f"/v1/notifications/{one}/{path}") for one in (told, NOBODYS))
        assert essence(theirs) == essence(nobodys)
        assert theirs.json()["code"] == "unknown_notification"
    kept = InboxMessage.objects.get()
    assert (kept.read_at, kept.archived_at) == (None, None)


def essence(answer: Any) -> str:
    """An answer without the id of its request."""
    body = answer.json()
    body.pop("request_id")
    return f"{answer.status_code} {body} {sorted(set(answer.headers) - {'X-Request-Id', 'traceparent'})}"


def test_anothers_entry_takes_as_long_as_none(own: Api, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    (told,) = make_entries(make_recipient("u_bob"), "for Bob")
    own.get(INBOX)
    for one in (told, NOBODYS):
        with django_assert_num_queries(3):
            own.patch(f"/v1/notifications/{one}/read")
    for path in ("/v1/users/u_bob/notifications", "/v1/users/u_nobody/notifications"):
        with django_assert_num_queries(0):
            own.get(path)
    spent = {one: min(seconds(own, f"/v1/notifications/{one}/read") for _ in range(20)) for one in (told, NOBODYS)}
    assert max(spent.values()) < 2 * min(spent.values())


def seconds(caller: Api, path: str) -> float:
    started = time.perf_counter()
    caller.patch(path)
    return time.perf_counter() - started


def test_who_was_erased_has_no_inbox(api: Api, own: Api, alice: RecipientRef) -> None:
    make_entries(alice, "a")
    Recipient.objects.update(status="erased", data_key=None)
    for caller in (api, own):
        answer = caller.get(INBOX)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_user")


def test_an_entry_that_does_not_open_is_left_out(own: Api, alice: RecipientRef) -> None:
    make_entries(alice, "a", "b")
    row = InboxMessage.objects.order_by("created_at").first()
    assert row is not None
    InboxMessage.objects.filter(pk=row.pk).update(sealed=new_data_key())
    assert titles(own) == ["b"]
