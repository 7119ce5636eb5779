"""Opens, clicks and the way out, over HTTP from the send to the status."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client

from channels import registry
from notify import conf, engage, receive
from tests.factories import Api, make_recipient
from tests.flow.conftest import drain, plan_only

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
HTML = (
    '<html><body><p>Dear {{ name }}</p><a href="https://shop.example/o/{{ order_id }}?utm_source=mail&amp;b=%20c">S</a>'
    '<a href="{{ unsubscribe_url }}">no more</a><a data-no-track href="https://shop.example/terms">terms</a>'
    "</body></html>"
)


class Links(HTMLParser):
    """Every address a mail program would find in the HTML."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.images: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a":
            self.hrefs.append(found["href"] or "")
        if tag == "img":
            self.images.append(found["src"] or "")


@pytest.fixture(autouse=True)
def _fresh_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter is made once in a process, and the sandbox keeps to the folder it was made for."""
    monkeypatch.setattr(registry._workshop, "pid", 0)


@pytest.fixture
def newsletter(api: Api) -> Api:
    """A caller whose NEWSLETTER is tracked, and whose reader wants it."""
    answer = api.put("/v1/types/NEWSLETTER", {"category": "marketing", "channels": ["email"]})
    assert answer.status_code == 201
    template = {
        "template_id": "newsletter",
        "type": "NEWSLETTER",
        "channels": {"email": {"en": {"subject": "News", "html_body": HTML}}},
        "variables": {"name": {"type": "string"}, "order_id": {"type": "string"}},
    }
    assert api.post("/v1/templates", template).status_code == 201
    policy = {"category": "marketing", "channels": ["email"], "template_id": "newsletter"}
    tracked = {**policy, "track_opens": True, "track_clicks": True}
    assert api.put("/v1/types/NEWSLETTER", tracked).json()["track_opens"] is True
    make_recipient(email="alice@example.com")
    api.put("/v1/users/u_alice/preferences", {"marketing_opt_in": True})
    return api


def send(api: Api, **body: Any) -> str:
    request = {
        "type": "NEWSLETTER",
        "user_id": "u_alice",
        "variables": {"name": "Alice", "order_id": "7"},
        "idempotency_key": str(send.__dict__.setdefault("calls", iter(range(10**6))).__next__()),
        **body,
    }
    response = api.post("/v1/notifications", request)
    assert response.status_code == 202, response.content
    return str(response.json()["notifications"][0]["id"])


def mails() -> list[dict[str, Any]]:
    path = Path(settings.CARILLON["HOME"]) / "sandbox" / "email.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def only_mail(api: Api, **body: Any) -> tuple[str, dict[str, Any]]:
    """A notification that was sent a while ago, and its mail."""
    told = send(api, **body)
    drain()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_delivery SET sent_at = sent_at - interval '1 minute'")
    return told, mails()[-1]


def path_of(url: str) -> str:
    assert url.startswith(settings.CARILLON["PUBLIC_URL"])
    return url.removeprefix(settings.CARILLON["PUBLIC_URL"])


def follow(url: str, **headers: str) -> Any:
    return Client().get(path_of(url), headers={"User-Agent": FIREFOX, **headers})


def delivery(api: Api, told: str) -> dict[str, Any]:
    receive.receive()
    state: dict[str, Any] = api.get(f"/v1/notifications/{told}/status").json()["deliveries"][0]
    return state


def test_a_mail_carries_its_pixel_its_redirects_and_its_way_out(newsletter: Api) -> None:
    _, mail = only_mail(newsletter)
    found = Links(mail["html"])
    assert [re.sub(r"[\w-]{40,}", "TOKEN", path_of(one)) for one in found.hrefs[:2]] == ["/t/c/TOKEN", "/u/TOKEN"]
    assert found.hrefs[2] == "https://shop.example/terms"
    assert [re.sub(r"[\w-]{40,}", "TOKEN", path_of(one)) for one in found.images] == ["/t/o/TOKEN.gif"]
    assert mail["headers"]["List-Unsubscribe"] == f"<{found.hrefs[1]}>"
    assert mail["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "https://shop.example/o/7?utm_source=mail&b=%20c" in mail["text"]


def test_without_the_switches_a_mail_is_as_it_was_written(newsletter: Api) -> None:
    newsletter.put(
        "/v1/types/NEWSLETTER", {"category": "marketing", "channels": ["email"], "template_id": "newsletter"}
    )
    _, mail = only_mail(newsletter)
    found = Links(mail["html"])
    assert found.hrefs[0] == "https://shop.example/o/7?utm_source=mail&b=%20c"
    assert found.images == []


def test_opening_and_clicking_are_noticed(newsletter: Api) -> None:
    told, mail = only_mail(newsletter)
    found = Links(mail["html"])
    seen = follow(found.images[0])
    assert (seen.status_code, seen["Content-Type"], seen["Cache-Control"]) == (200, "image/gif", "no-store")
    assert (delivery(newsletter, told)["opened_at"] is None, delivery(newsletter, told)["clicked_at"]) == (False, None)
    went = follow(found.hrefs[0])
    assert (went.status_code, went["Location"]) == (302, "https://shop.example/o/7?utm_source=mail&b=%20c")
    assert went["Referrer-Policy"] == "no-referrer"
    assert delivery(newsletter, told)["clicked_at"] is not None
    trace = newsletter.get(f"/v1/notifications/{told}/trace").json()["trace"]
    told_of = [one["detail"]["kind"] for one in trace if one["decision"] == "receipt"]
    assert sorted(told_of) == ["clicked", "opened"]  # one transaction, one instant: in any order


def test_a_machine_is_noticed_and_a_person_after_it_still_counts(newsletter: Api) -> None:
    told, mail = only_mail(newsletter)
    pixel = Links(mail["html"]).images[0]
    follow(pixel, User_Agent="Mozilla/5.0")
    assert delivery(newsletter, told)["opened_at"] is None
    follow(pixel)
    assert delivery(newsletter, told)["opened_at"] is not None


def test_a_hundred_openings_are_one_row(newsletter: Api) -> None:
    _, mail = only_mail(newsletter)
    for _ in range(100):
        follow(Links(mail["html"]).images[0])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM notify_receipt")
        assert cursor.fetchone()[0] == 1


def test_words_given_with_the_call_are_tracked_too(newsletter: Api) -> None:
    content = {"subject": "S", "body": "b", "html_body": '<a href="https://shop.example/?a=1&amp;b=2">x</a>'}
    told, mail = only_mail(newsletter, content=content)
    assert follow(Links(mail["html"]).hrefs[0])["Location"] == "https://shop.example/?a=1&b=2"
    assert delivery(newsletter, told)["clicked_at"] is not None


def test_one_click_stops_what_is_queued_and_says_so_in_the_trace(newsletter: Api) -> None:
    first, mail = only_mail(newsletter)
    queued = send(newsletter)
    plan_only()
    answer = Client(enforce_csrf_checks=True).post(
        path_of(mail["headers"]["List-Unsubscribe"][1:-1]), {"List-Unsubscribe": "One-Click"}
    )
    assert (answer.status_code, answer.cookies) == (200, {})
    drain()
    state = newsletter.get(f"/v1/notifications/{queued}/status").json()["deliveries"][0]
    assert (state["status"], state["reason_code"]) == ("suppressed", "category_opted_out")
    trace = newsletter.get(f"/v1/notifications/{first}/trace").json()["trace"]
    assert [one["detail"] for one in trace if one["decision"] == "unsubscribed"] == [
        {"category": "marketing", "type": None}
    ]
    assert newsletter.get("/v1/users/u_alice/preferences").json()["categories"] == {"marketing": {"email": False}}


def test_postgresql_may_be_away(newsletter: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _, mail = only_mail(newsletter)
    found = Links(mail["html"])

    def away(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(engage.engagement, "delivery", away)
    monkeypatch.setattr(engage._Database, "resting_until", 0.0)
    assert follow(found.images[0]).status_code == 200
    assert follow(found.hrefs[0])["Location"].startswith("https://shop.example/")


def test_a_link_still_leads_on_when_its_log_was_dropped(newsletter: Api) -> None:
    _, mail = only_mail(newsletter)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM notify_delivery")
    assert follow(Links(mail["html"]).hrefs[0]).status_code == 302
    leaving = conf.LINKS.read_leave(Links(mail["html"]).hrefs[1].rsplit("/", 1)[1])
    assert leaving.category == "marketing"
