from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from channels.rules.snapshots import Snapshot
from config import logs
from config.stream import app, hub
from config.stream.hub import Listener
from notify import inbox
from notify.api import auth
from notify.api.auth import Caller, mint_ticket
from notify.models import ApiKey
from notify.vocabulary import Scope, Tier
from preferences.models import Recipient
from preferences.vocabulary import RecipientRef
from tests.api.listening import Ear, aside, serving
from tests.factories import Api, key_row, make_entries, make_key, make_recipient, make_told, make_topic, make_type

STREAM = "/v1/users/u_alice/notifications/stream"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key(transactional_db: None) -> str:
    return make_key()


@pytest.fixture
def alice(transactional_db: None) -> RecipientRef:
    return make_recipient("u_alice")


@pytest.fixture
def token(key: str, alice: RecipientRef) -> str:
    text: str = Api(key).post("/v1/users/u_alice/token").json()["token"]
    return text


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def play(story: Callable[[app.Application], Awaitable[None]]) -> None:
    """Run a test's story beside the application."""

    async def run() -> None:
        async with serving() as application:
            await asyncio.wait_for(story(application), 60)

    asyncio.run(run())


async def opened(application: app.Application, credential: str, **headers: str) -> Ear:
    ear = Ear(STREAM, **bearer(credential), **headers)
    await ear.begin(application)
    assert ear.status == 200
    return ear


def test_a_listener_is_told_the_count_then_what_comes_in_and_what_is_done(token: str, alice: RecipientRef) -> None:
    own = Api(token)

    async def story(application: app.Application) -> None:
        ear = await opened(application, token)
        (count,) = await ear.hear_group()
        assert (count.data, count.id.count(":")) == ({"unread_count": 0}, 2)
        (told,) = await aside(make_entries)(alice, "Packed")
        entry = await ear.hear_until("notification")
        assert (entry.data["id"], entry.data["title"], entry.id) == (str(told), "Packed", "")
        assert (await ear.hear_until("unread_count")).data == {"unread_count": 1}
        await aside(own.patch)(f"/v1/notifications/{told}/read")
        assert (await ear.hear_until("read")).data["read_at"] is not None
        await aside(own.patch)(f"/v1/notifications/{told}/unread")
        assert (await ear.hear_until("read")).data == {"id": str(told), "read_at": None}
        await aside(own.post)("/v1/notifications/read-all", {"user_id": "u_alice"})
        assert (await ear.hear_until("read")).data["id"] == str(told)
        await aside(own.patch)(f"/v1/notifications/{told}/archive")
        assert (await ear.hear_until("archive")).data == {"id": str(told)}
        await ear.hang_up()

    play(story)


def test_after_a_break_what_was_missed_comes_and_nothing_else(token: str, alice: RecipientRef) -> None:
    async def story(application: app.Application) -> None:
        await aside(make_entries)(alice, "Old")
        ear = await opened(application, token)
        position = (await ear.hear_group())[-1].id
        await ear.hang_up()
        await aside(make_entries)(alice, "First", "Second")
        again = await opened(application, token, Last_Event_ID=position)
        group = await again.hear_group()
        assert [event.data.get("title") for event in group] == ["First", "Second", None]
        assert group[-1].data == {"unread_count": 3}

    play(story)


@pytest.mark.parametrize("position", ["", "x", "7", "-1:2:", "1:2:3,", "9" * 30 + ":1:", "1:2:3 or 1=1"])
def test_a_position_that_is_none_is_that_of_a_newcomer(token: str, alice: RecipientRef, position: str) -> None:
    make_entries(alice, "Old")

    async def story(application: app.Application) -> None:
        ear = await opened(application, token, Last_Event_ID=position)
        assert [event.name for event in await ear.hear_group()] == ["unread_count"]

    play(story)


def test_each_hears_of_their_own_inbox_alone(key: str, token: str, alice: RecipientRef) -> None:
    bob = make_recipient("u_bob")

    async def story(application: app.Application) -> None:
        hers, two = await opened(application, token), await opened(application, key)
        his = Ear("/api/v1/users/u_bob/notifications/stream", **bearer(key))
        await his.begin(application)
        for ear in (hers, two, his):
            await ear.hear_group()
        await aside(make_entries)(bob, "for Bob")
        await aside(make_entries)(alice, "for Alice")
        titles = [(await ear.hear_until("notification")).data["title"] for ear in (hers, two, his)]
        assert titles == ["for Alice", "for Alice", "for Bob"]

    play(story)


def test_after_its_own_connection_broke_nothing_is_missed(token: str, alice: RecipientRef) -> None:
    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN carillon_inbox'"
            )

    async def story(application: app.Application) -> None:
        ear = await opened(application, token)
        await ear.hear_group()
        await aside(cut)()
        await aside(make_entries)(alice, "While deaf")
        assert (await ear.hear_until("notification")).data["title"] == "While deaf"

    play(story)


def test_whoever_is_erased_or_whose_key_is_revoked_hears_no_more(
    token: str, alice: RecipientRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "STREAM_ALIVE_SECONDS", 0.1)

    def revoke() -> None:
        ApiKey.objects.update(revoked_at=timezone.now())
        auth._Known.rows.clear()

    async def story(application: app.Application) -> None:
        first, second = await opened(application, token), await opened(application, token)
        for ear in (first, second):
            await ear.hear_group()
        await aside(revoke)()
        for ear in (first, second):
            while event := await ear.hear():
                assert event.data == {"unread_count": 0}

    play(story)


def test_an_erased_persons_stream_ends_with_the_next_news(token: str, alice: RecipientRef) -> None:
    async def story(application: app.Application) -> None:
        ear = await opened(application, token)
        await ear.hear_group()
        await aside(Recipient.objects.filter(pk=alice.id).update)(status="erased", data_key=None)
        await aside(make_entries)(alice, "Too late")
        assert await ear.hear() is None

    play(story)


def test_a_stream_ends_with_its_credential(key: str, alice: RecipientRef) -> None:
    caller = Caller(application_id=1, key_id=key_row(key).id, scopes=frozenset(), tier=Tier.BULK, is_test=False)
    brief = mint_ticket(
        caller, "u_alice", now=datetime.now(UTC), lifetime=timedelta(minutes=1), stays=timedelta(seconds=1)
    )

    async def story(application: app.Application) -> None:
        ear = Ear(f"{STREAM}?token={brief}")
        await ear.begin(application)
        # The count may come twice: once more when the process has begun to listen.
        while (event := await ear.hear()) is not None:
            assert event.name == "unread_count"

    play(story)


def refused(path: str, **headers: str) -> tuple[int, str]:
    """Status and body of a call that opens nothing."""
    found: list[tuple[int, str]] = []

    async def story(application: app.Application) -> None:
        ear = Ear(path, **headers)
        await ear.begin(application)
        body = (await ear._came.get())["body"].decode()
        found.append((ear.status, body))

    play(story)
    return found[0]


@pytest.mark.parametrize(
    ("scope", "path", "status", "code"),
    [
        (Scope.READ, "/v1/users/u_nobody/notifications/stream", 404, "unknown_user"),
        (Scope.SEND, STREAM, 403, "missing_scope"),
        (None, STREAM, 401, "invalid_key"),
        (Scope.READ, "/v1/users/u_alice/else", 404, "not_found"),
        (None, STREAM + "?token=eyJhbGciOiJub25lIn0.e30.", 401, "invalid_key"),
    ],
)
def test_who_may_not_listen_is_refused_as_by_the_api(
    alice: RecipientRef, scope: Scope | None, path: str, status: int, code: str
) -> None:
    headers = bearer(make_key(scopes=[scope])) if scope is not None else {}
    answered, body = refused(path, **headers)
    assert (answered, f'"{code}"' in body) == (status, True)


def test_a_user_token_opens_its_own_stream_alone(token: str) -> None:
    make_recipient("u_bob")
    theirs = refused("/v1/users/u_bob/notifications/stream", **bearer(token))
    nobodys = refused("/v1/users/u_nobody/notifications/stream", **bearer(token))
    assert (theirs[0], theirs[1].split("request_id")[0]) == (nobodys[0], nobodys[1].split("request_id")[0])
    assert (theirs[0], "unknown_user" in theirs[1]) == (404, True)


def test_nobody_opens_more_streams_than_anybody_needs(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "PER_PERSON", 1)
    monkeypatch.setattr(hub, "PER_PROCESS", 2)

    async def story(application: app.Application) -> None:
        first = await opened(application, token)
        await first.hear_group()
        second = Ear(STREAM, **bearer(token))
        await second.begin(application)
        assert second.status == 429
        monkeypatch.setattr(hub, "PER_PROCESS", 1)
        third = Ear(STREAM, **bearer(token))
        await third.begin(application)
        assert (third.status, third.headers["retry-after"]) == (503, "5")
        await first.hang_up()
        await opened(application, token)

    play(story)


def test_who_is_too_slow_is_cut_off_and_comes_back_with_what_they_saw() -> None:
    async def story() -> None:
        listener = Listener(1, None)
        for number in range(100):
            listener.tell(inbox.News([], 0), Snapshot(number, number, frozenset()), set())
        heard = []
        while (chunk := await listener.waiting.get()) is not None:
            heard.append(chunk)
        assert heard[0].startswith(b"id: ")
        assert len(heard) <= hub._WAITING

    asyncio.run(story())


def test_the_web_shows_the_way_to_a_stream_with_a_ticket_for_it_alone(token: str, settings: Settings) -> None:
    answer = Api(token).get(STREAM, Accept="text/event-stream")
    place = urlsplit(answer["Location"])
    assert (answer.status_code, place.hostname, place.path) == (307, "testserver", STREAM)
    ticket = place.query.removeprefix("token=")
    assert Api(ticket).get("/v1/users/u_alice/notifications").json()["code"] == "invalid_key"

    async def story(application: app.Application) -> None:
        ear = Ear(f"{STREAM}?{place.query}")
        await ear.begin(application)
        assert (ear.status, (await ear.hear_group())[0].data) == (200, {"unread_count": 0})

    play(story)


def test_a_browser_may_show_its_user_token_in_the_address_and_no_log_tells(
    token: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(logs._out, "stream", written)
    answer = Api().get(f"{STREAM}?token={token}")
    assert answer.status_code == 307
    assert Api().get(f"{STREAM}?token={key}").status_code == 401

    async def story(application: app.Application) -> None:
        ear = Ear(f"{STREAM}?token={token}")
        await ear.begin(application)
        await ear.hear_group()
        await ear.hang_up()

    play(story)
    told = written.getvalue().decode()
    assert "stream.opened" in told
    assert (token in told, key in told, "token=" in told) == (False, False, False)


SHOP = "https://shop.example"


def test_only_pages_of_named_origins_may_read_an_inbox(settings: Settings, key: str, alice: RecipientRef) -> None:
    settings.CARILLON = {**settings.CARILLON, "INBOX_ORIGINS": (SHOP,)}
    settings.PRODUCTION = True
    path = "/v1/users/u_alice/notifications"
    for origin, allowed in ((SHOP, SHOP), ("https://shop.example.evil", None), ("null", None)):
        answer = Api(key).get(path, Origin=origin)
        assert (answer.get("Access-Control-Allow-Origin"), answer["Vary"]) == (allowed, "Origin")
    wanted = {"Access_Control_Request_Method": "PATCH", "Access_Control_Request_Headers": "authorization"}
    asked = Api().call("OPTIONS", path, Origin=SHOP, **wanted)
    assert (asked.status_code, "PATCH" in asked["Access-Control-Allow-Methods"]) == (204, True)
    assert "Access-Control-Allow-Credentials" not in asked
    assert Api().call("OPTIONS", path, Origin="https://evil.example", **wanted).status_code == 401
    for elsewhere in ("/v1/users/u_alice", "/v1/notifications"):
        assert "Access-Control-Allow-Origin" not in Api(key).get(elsewhere, Origin=SHOP)


def test_the_stream_tells_browsers_the_same(settings: Settings, token: str) -> None:
    settings.CARILLON = {**settings.CARILLON, "INBOX_ORIGINS": (SHOP,)}

    async def story(application: app.Application) -> None:
        found: list[Any] = []
        here = "http://localhost:8000"
        for method, origin in (("GET", SHOP), ("OPTIONS", SHOP), ("GET", "https://evil.example"), ("GET", here)):
            ear = Ear(STREAM, method, **bearer(token), Origin=origin, Host="localhost:8001")
            await ear.begin(application)
            found.append((ear.status, ear.headers.get("access-control-allow-origin")))
        assert found == [(200, SHOP), (204, SHOP), (200, None), (200, here)]

    play(story)


def test_what_a_topic_is_told_reaches_its_listeners_and_nobody_else(token: str, key: str, alice: RecipientRef) -> None:
    make_type("NEWS", channels=["in_app"])
    bob, news = make_recipient("u_bob"), make_topic("news", alice)
    own = Api(token)

    async def story(application: app.Application) -> None:
        hers = await opened(application, token)
        his = Ear("/v1/users/u_bob/notifications/stream", **bearer(key))
        await his.begin(application)
        for ear in (hers, his):
            await ear.hear_group()
        await aside(make_told)(news, "Eclipse")
        entry = (await hers.hear_until("notification")).data
        assert (entry["title"], entry["body"]) == ("Eclipse", "Eclipse for u_alice")
        assert (await hers.hear_until("unread_count")).data == {"unread_count": 1}
        await aside(own.post)("/v1/notifications/read-all", {"user_id": "u_alice"})
        assert (await hers.hear_until("read")).data["id"] == entry["id"]
        assert (await hers.hear_until("unread_count")).data == {"unread_count": 0}
        await aside(make_entries)(bob, "for Bob")
        assert (await his.hear_until("notification")).data["title"] == "for Bob"

    play(story)


def test_after_a_break_comes_what_topics_were_told_and_nothing_twice(token: str, alice: RecipientRef) -> None:
    make_type("NEWS", channels=["in_app"])
    news = make_topic("news", alice)
    make_told(news, "Old")
    own = Api(token)

    async def story(application: app.Application) -> None:
        ear = await opened(application, token)
        position = (await ear.hear_group())[-1]
        assert position.data == {"unread_count": 1}
        await ear.hang_up()
        await aside(make_told)(news, "First", "Second")
        told = (await aside(own.get)("/v1/users/u_alice/notifications")).json()["data"]
        await aside(own.patch)(f"/v1/notifications/{told[1]['id']}/read")
        again = await opened(application, token, Last_Event_ID=position.id)
        group = await again.hear_group()
        assert [event.data.get("title") for event in group] == ["First", "Second", None]
        assert [event.data["read_at"] is not None for event in group[:2]] == [True, False]
        await aside(make_told)(news, "Third")
        assert [event.data.get("title") for event in await again.hear_group()] == ["Third", None]
        await again.hang_up()

    play(story)


def test_all_listeners_are_asked_for_in_one_question(
    alice: RecipientRef, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_type("NEWS", channels=["in_app"])
    crowd = [make_recipient(f"u_{number}") for number in range(20)]
    news = make_topic("news", alice, *crowd[:10])
    make_told(news, "Eclipse")
    everybody = [alice.id, *(one.id for one in crowd)]
    with django_assert_num_queries(1):
        subscribed = inbox.subscribers_among({news}, everybody)
    assert subscribed == {alice.id, *(one.id for one in crowd[:10])}
    inbox.news_of(dict.fromkeys(subscribed, 0))
    for listening in ([alice.id], everybody):
        with django_assert_num_queries(8):
            found = inbox.news_of(dict.fromkeys(listening, 0))
    told = {one for one, news in found.of.items() if [entry.title for _, entry in news.entries] == ["Eclipse"]}
    assert told == subscribed
