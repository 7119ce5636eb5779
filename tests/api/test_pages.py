"""Pages without a login: what they answer, to whomever, and that nothing can be made of them."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from django.test import Client

from channels.vocabulary import Channel
from notify import conf, engage
from notify.rules.signed_links import Leaving
from preferences import store as people
from preferences.vocabulary import Category
from tests.factories import Api, make_recipient

pytestmark = pytest.mark.django_db

DELIVERY = UUID(int=(7 << 80) | (7 << 76) | (2 << 62))
#: What takes a leaving back is each person's own.
UNDO = re.compile(rb'(?<=name="undo" value=")[^"]+')
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def path_of(url: str) -> str:
    return url[len(conf.LINKS._url) :]


def leave_path(recipient_id: int, **changes: Any) -> str:
    leaving = Leaving(
        **{
            "recipient_id": recipient_id,
            "delivery_id": DELIVERY,
            "channel": Channel.EMAIL,
            "category": Category.MARKETING,
            **changes,
        }
    )
    return path_of(conf.LINKS.leave_url(leaving))


def click_path(destination: str = "https://shop.example/?utm_source=a&b=%20") -> str:
    return path_of(conf.LINKS.clicks_of(DELIVERY)(destination))


@pytest.fixture
def browser() -> Client:
    """A browser that checks nothing of ours away: no session, and Django's protection against forgery at work."""
    return Client(enforce_csrf_checks=True)


def test_looking_at_the_page_changes_nothing(browser: Client, api: Api) -> None:
    path = leave_path(make_recipient().id)
    for method in (browser.get, browser.head):
        answer = method(path)
        assert (answer.status_code, answer.cookies) == (200, {})
    assert api.get("/v1/users/u_alice/preferences").json()["version"] == 0
    assert "Nothing has changed yet" in browser.get(path).content.decode()


def test_the_page_loads_nothing_and_runs_nothing(browser: Client) -> None:
    answer = browser.get(leave_path(7))
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("no-referrer", "no-store")
    for word in ("<script", "src=", "@import", "url("):
        assert word not in answer.content.decode()


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_one_click_takes_effect_at_once_and_again_changes_nothing(browser: Client, api: Api, content_type: str) -> None:
    path = leave_path(make_recipient().id)
    body = (
        b"List-Unsubscribe=One-Click"
        if "urlencoded" in content_type
        else b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
    )
    for _ in range(3):
        answer = browser.post(path, body, content_type=content_type)
        assert (answer.status_code, answer.cookies, answer.get("Location")) == (200, {}, None)
    kept = api.get("/v1/users/u_alice/preferences").json()
    assert (kept["categories"], kept["version"]) == ({"marketing": {"email": False}}, 1)


def test_of_transactions_only_the_type_is_left(browser: Client, api: Api) -> None:
    path = leave_path(make_recipient().id, category=Category.TRANSACTION, type_key="SHIPPED", channel=Channel.SMS)
    assert "by text message" in browser.post(path, ONE_CLICK).content.decode()
    assert api.get("/v1/users/u_alice/preferences").json()["types"] == {"SHIPPED": {"sms": False}}


@pytest.mark.parametrize(
    "body", [b"", b"List-Unsubscribe=No", b"x=One-Click", b"\xff\xfe", b"List-Unsubscribe", b"%00=%00"]
)
def test_a_post_that_does_not_mean_it_changes_nothing(browser: Client, api: Api, body: bytes) -> None:
    path = leave_path(make_recipient().id)
    answer = browser.post(path, body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400
    broken = browser.post(path, b"--y", content_type="multipart/form-data; boundary=x")
    assert broken.status_code == 400
    assert api.get("/v1/users/u_alice/preferences").json()["version"] == 0


def test_nobody_learns_whether_there_is_such_a_person(browser: Client, api: Api) -> None:
    known, unknown = leave_path(make_recipient().id), leave_path(987_654_321)
    make_recipient("u_gone")
    gone = leave_path(people.resolve(["u_gone"])["u_gone"].id)
    api.delete("/v1/users/u_gone")
    answers = [[browser.get(path), browser.post(path, ONE_CLICK)] for path in (known, unknown, gone)]
    told = {(one[0].content, UNDO.sub(b"", one[1].content), one[1].status_code) for one in answers}
    assert len(told) == 1


def test_what_could_not_be_done_is_not_called_done(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> bool:
        raise OperationalError("gone")

    monkeypatch.setattr(engage, "leave", away)
    answer = browser.post(leave_path(7), ONE_CLICK)
    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert "not unsubscribed yet" in answer.content.decode()


@pytest.mark.parametrize("place", ["/u/{}", "/t/c/{}", "/t/o/{}.gif"])
def test_every_address_that_is_not_ours_is_the_same_404(browser: Client, place: str) -> None:
    made = [leave_path(7).removeprefix("/u/"), click_path().removeprefix("/t/c/")]
    wrong = ["x", "A" * 60, "A" * 5000, "%00", "..", *(one[:-1] for one in made), *(f"{one}A" for one in made)]
    foreign = made[1] if place == "/u/{}" else made[0]
    answers = [browser.get(place.format(one)) for one in [*wrong, foreign]]
    assert {one.status_code for one in answers} == {404}
    assert len({one.content for one in answers if one["Content-Type"].startswith("text/html")}) == 1
    assert all("Location" not in one for one in answers)


OPEN_REDIRECTS = [
    "?url=https://evil.example",
    "?next=//evil.example&redirect=https://evil.example",
    "&url=https://evil.example",
    "//evil.example",
    "/https://evil.example",
    "%2f%2fevil.example",
    "?https://evil.example",
    "#@evil.example",
    "%0d%0aLocation:%20https://evil.example",
    ";https://evil.example",
    "@evil.example",
    "%3Furl=https://evil.example",
]


@pytest.mark.parametrize("appended", OPEN_REDIRECTS)
def test_nothing_that_is_appended_leads_elsewhere(browser: Client, appended: str) -> None:
    answer = browser.get(click_path() + appended)
    assert answer.get("Location") in (None, "https://shop.example/?utm_source=a&b=%20")
    assert answer.status_code in (302, 404)
    before = browser.get("/t/c/" + appended + click_path().removeprefix("/t/c/"))
    assert (before.status_code, before.get("Location")) in (
        (404, None),
        (302, "https://shop.example/?utm_source=a&b=%20"),
    )


def test_a_post_follows_no_link(browser: Client) -> None:
    assert browser.post(click_path()).status_code == 405
    assert browser.get(click_path()).cookies == {}


def test_a_token_for_anything_but_a_web_address_leads_nowhere(browser: Client) -> None:
    for destination in ("javascript:alert(1)", "//evil.example", "data:text/html,x", "ftp://x.example/"):
        assert browser.get(click_path(destination)).status_code == 404
