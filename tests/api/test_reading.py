from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.vocabulary import Channel
from notify.store import reading
from notify.vocabulary import NotificationStatus, Scope
from preferences.vocabulary import RecipientRef
from tests.factories import Api, make_attempt, make_delivery, make_key, make_notification, make_recipient

NOW = datetime.now(UTC)
PATH = "/v1/notifications"


@pytest.fixture
def alice(db: None) -> RecipientRef:
    return make_recipient("u_alice")


@pytest.fixture
def told(alice: RecipientRef, api_key: str) -> UUID:
    """A notification of which a push has left and an e-mail was not wanted."""
    one = make_notification(alice, key=api_key, metadata={"campaign_id": "c-1"})
    push = make_delivery(
        one, alice, Channel.PUSH, status="sent", provider="fcm", attempts=1, sent_at=NOW, device_id=4711
    )
    make_attempt(push, provider="fcm", provider_message_id="projects/x/messages/1")
    make_delivery(one, alice, Channel.EMAIL, status="suppressed", reason_code="category_opted_out", hint="a…@e…")
    return one


def ids(answer: Any) -> list[str]:
    return [one["id"] for one in answer.json()["data"]]


def test_the_status_is_exactly_the_contract_s_shape(api: Api, told: UUID) -> None:
    body = api.get(f"{PATH}/{told}/status").json()
    assert set(body) == {"id", "status", "user_id", "type", "priority", "created_at", "deliveries"}
    assert (body["id"], body["status"], body["user_id"], body["type"]) == (
        str(told),
        "sent",
        "u_alice",
        "ORDER_SHIPPED",
    )
    push = next(one for one in body["deliveries"] if one["channel"] == "push")
    assert {name: push[name] for name in push if name not in ("id", "sent_at", "detail")} == {
        "channel": "push",
        "address": "…cdef",
        "status": "sent",
        "reason_code": None,
        "provider": "fcm",
        "provider_message_id": "projects/x/messages/1",
        "attempts": 1,
        "segments": 0,
        "cost_micros": 0,
        "next_attempt_at": None,
        "delivered_at": None,
        "opened_at": None,
        "clicked_at": None,
    }
    assert push["sent_at"].endswith("Z")


def test_a_suppressed_delivery_says_why(api: Api, told: UUID) -> None:
    mail = next(one for one in api.get(f"{PATH}/{told}/status").json()["deliveries"] if one["channel"] == "email")
    assert (mail["status"], mail["reason_code"], mail["provider"]) == ("suppressed", "category_opted_out", None)


def test_the_record_holds_what_the_request_said_and_every_attempt(api: Api, told: UUID) -> None:
    body = api.get(f"{PATH}/{told}").json()
    assert (body["application"], body["metadata"], body["template_id"]) == ("shop", {"campaign_id": "c-1"}, None)
    assert len(body["deliveries"]) == 2
    assert [(one["provider"], one["outcome"], one["number"]) for one in body["attempts"]] == [("fcm", "accepted", 1)]
    assert "sealed" not in body


def test_the_status_of_a_notification_follows_its_deliveries_not_the_stored_word(api: Api, told: UUID) -> None:
    assert api.get(f"{PATH}/{told}").json()["status"] == "sent"
    assert [one["status"] for one in api.get(PATH).json()["data"]] == ["sent"]


@pytest.mark.parametrize("suffix", ["", "/status", "/trace"])
def test_an_unknown_notification_is_404(api: Api, suffix: str) -> None:
    answer = api.get(f"{PATH}/0199aa00-0000-7000-8000-000000000000{suffix}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_notification")


@pytest.mark.parametrize("suffix", ["", "/status", "/trace"])
def test_a_sender_follows_what_it_sent_itself_and_knows_nothing_of_others(told: UUID, suffix: str) -> None:
    own = Api(make_key("shop", scopes=[Scope.SEND])).get(f"{PATH}/{told}{suffix}")
    other = Api(make_key("somebody", scopes=[Scope.SEND])).get(f"{PATH}/{told}{suffix}")
    assert own.status_code == 200
    assert (other.status_code, other.json()["code"]) == (404, "unknown_notification")


def test_a_reader_follows_every_application(told: UUID) -> None:
    assert Api(make_key("auditor", scopes=[Scope.READ])).get(f"{PATH}/{told}").status_code == 200


def test_a_neighbour_of_the_family_is_not_mixed_in(api: Api, told: UUID, alice: RecipientRef, api_key: str) -> None:
    neighbour = UUID(int=told.int ^ 1)
    make_delivery(neighbour, alice, Channel.SMS, hint="neighbour")
    assert "neighbour" not in api.get(f"{PATH}/{told}").content.decode()


@pytest.mark.parametrize(("suffix", "statements"), [("", 4), ("/status", 4), ("/trace", 5)])
def test_following_costs_a_fixed_number_of_statements(
    api: Api, told: UUID, alice: RecipientRef, django_assert_num_queries: Any, suffix: str, statements: int
) -> None:
    for number in range(20):
        make_delivery(told, alice, Channel.PUSH, device_id=number)
    api.get(PATH)
    with django_assert_num_queries(statements):
        api.get(f"{PATH}/{told}{suffix}")


@pytest.fixture
def three(alice: RecipientRef, api_key: str) -> list[str]:
    """Three notifications, newest first: two for Alice, the middle one for Bob."""
    bob = make_recipient("u_bob")
    made = [
        make_notification(alice, key=api_key, created_at=NOW - timedelta(hours=3), metadata={"campaign_id": "c-1"}),
        make_notification(bob, key=api_key, type_key="NEW_FOLLOWER", created_at=NOW - timedelta(hours=2)),
        make_notification(alice, key=api_key, created_at=NOW - timedelta(hours=1), status=NotificationStatus.FAILED),
    ]
    return [str(one) for one in reversed(made)]


def test_the_list_is_newest_first(api: Api, three: list[str]) -> None:
    answer = api.get(PATH).json()
    assert [one["id"] for one in answer["data"]] == three
    assert answer["page"] == {"next_cursor": None, "has_more": False}
    assert answer["data"][1]["user_id"] == "u_bob"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("user_id=u_alice", [0, 2]),
        ("user_id=u_nobody", []),
        ("type=NEW_FOLLOWER", [1]),
        ("status=failed", [0]),
        ("status=accepted", [1, 2]),
        ("campaign_id=c-1", [2]),
        ("user_id=u_alice&type=NEW_FOLLOWER", []),
        pytest.param(
            f"created_after={(NOW - timedelta(minutes=150)).isoformat().replace('+00:00', 'Z')}",
            [0, 1],
            id="created_after",
        ),
    ],
)
def test_the_list_is_filtered(api: Api, three: list[str], query: str, found: list[int]) -> None:
    assert ids(api.get(f"{PATH}?{query}")) == [three[at] for at in found]


def test_the_cursor_leads_through_the_whole_list(api: Api, three: list[str]) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    for _ in range(3):
        answer = api.get(f"{PATH}?limit=1&cursor={cursor}").json()
        seen += [one["id"] for one in answer["data"]]
        cursor = answer["page"]["next_cursor"]
    assert (seen, cursor) == (three, None)


def test_a_filter_on_status_goes_by_what_is_shown(api: Api, told: UUID) -> None:
    assert ids(api.get(f"{PATH}?status=sent")) == [str(told)]
    assert ids(api.get(f"{PATH}?status=accepted")) == []


def test_a_search_looks_through_a_bounded_number_of_rows_and_goes_on_behind_them(
    api: Api, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SCAN_LIMIT", 1)
    first = api.get(f"{PATH}?type=NEW_FOLLOWER").json()
    assert (first["data"], first["page"]["has_more"]) == ([], True)
    second = api.get(f"{PATH}?type=NEW_FOLLOWER&cursor={first['page']['next_cursor']}").json()
    assert [one["id"] for one in second["data"]] == [three[1]]


def test_a_list_costs_two_statements(api: Api, three: list[str], django_assert_num_queries: Any) -> None:
    api.get(PATH)
    with django_assert_num_queries(2):
        api.get(PATH)


@pytest.mark.parametrize(
    ("query", "code", "pointer"),
    [
        ("limit=0", "invalid_limit", "limit"),
        ("limit=101", "invalid_limit", "limit"),
        ("limit=x", "invalid_limit", "limit"),
        ("status=nonsense", "invalid_status", "status"),
        ("created_after=yesterday", "invalid_created_after", "created_after"),
        ("created_after=2026-01-01T00:00:00", "invalid_created_after", "created_after"),
        ("cursor=%21", "invalid_cursor", "cursor"),
        ("cursor=YWJj", "invalid_cursor", "cursor"),
        ("surprise=1", "unknown_field", "surprise"),
        ("user_id=a%00b", "invalid_user_id", "user_id"),
    ],
)
def test_a_wrong_parameter_is_422_and_named(api: Api, query: str, code: str, pointer: str) -> None:
    answer = api.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["errors"][0]["pointer"] == pointer
