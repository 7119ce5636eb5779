"""From a mail to the pages behind its links, and what they do to what is still queued."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.conf import settings
from django.test import Client

from channels import registry
from notify import centre, conf
from notify.policy import UNDO_LIFETIME
from preferences.models import Consent
from tests.factories import Api, make_recipient
from tests.flow.conftest import drain, plan_only

pytestmark = pytest.mark.django_db

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
HTML = '<p><a href="{{ unsubscribe_url }}">no more</a> <a href="{{ preferences_url }}">all settings</a></p>'


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def news(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A caller whose NEWS, tracked, goes by mail and SMS to somebody who wants it, in German."""
    monkeypatch.setattr(registry._workshop, "pid", 0)
    policy = {"category": "marketing", "channels": ["email"], "track_clicks": True}
    assert api.put("/v1/types/NEWS", policy).status_code == 201
    wordings = {
        "email": {"en": {"subject": "News", "html_body": HTML}},
        "sms": {"en": {"body": "{{ preferences_url }}"}},
    }
    template = {"template_id": "news", "type": "NEWS", "channels": wordings, "variables": {}}
    assert api.post("/v1/templates", template).status_code == 201
    api.put("/v1/types/NEWS", {**policy, "template_id": "news"})
    make_recipient(email="alice@example.com", phone="+447700900456", locale="de")
    api.put("/v1/users/u_alice/preferences", {"marketing_opt_in": True})
    return api


def send(api: Api, key: str, **body: Any) -> str:
    response = api.post("/v1/notifications", {"type": "NEWS", "user_id": "u_alice", "idempotency_key": key, **body})
    assert response.status_code == 202, response.content
    return str(response.json()["notifications"][0]["id"])


def paths_in_mail(api: Api) -> list[str]:
    """The way out and the preference page, as the mail of a notification names them."""
    send(api, "first")
    drain()
    mail = (Path(settings.CARILLON["HOME"]) / "sandbox" / "email.jsonl").read_text().splitlines()[-1]
    return [path_of(one) for one in re.findall(r'href="([^"]+)"', json.loads(mail)["html"])]


def path_of(url: str) -> str:
    assert url.startswith(settings.CARILLON["PUBLIC_URL"])
    return url.removeprefix(settings.CARILLON["PUBLIC_URL"])


def form_in(answer: Any) -> dict[str, str]:
    """What a browser would send of the page, had nobody touched it."""
    text = answer.content.decode()
    version = re.findall(r'name="version" value="(\d+)"', text)[0]
    seen = re.findall(r'name="seen" value="([^"]*)"', text)[0].replace("&amp;", "&")
    return {"version": version, "seen": seen, **dict(parse_qsl(seen))}


def undo_in(answer: Any) -> str:
    found: str = re.findall(r'name="undo" value="([^"]+)"', answer.content.decode())[0]
    return found


def statuses(api: Api, told: str) -> list[tuple[str, str | None]]:
    deliveries = api.get(f"/v1/notifications/{told}/status").json()["deliveries"]
    return [(one["status"], one["reason_code"]) for one in deliveries]


def categories(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/v1/users/u_alice/preferences").json()["categories"]
    return found


def test_a_mail_leads_to_both_pages_in_its_readers_language(news: Api, browser: Client) -> None:
    leave, preferences = paths_in_mail(news)
    assert (leave[:3], preferences[:3]) == ("/u/", "/p/")
    assert "Keine Neuigkeiten und Angebote mehr per E-Mail?" in browser.get(leave).content.decode()
    assert "Ihre Nachrichten" in browser.get(preferences).content.decode()


def test_what_is_chosen_on_the_page_holds_for_what_is_queued(news: Api, browser: Client) -> None:
    _, preferences = paths_in_mail(news)
    queued = send(news, "second")
    plan_only()
    form = form_in(browser.get(preferences))
    del form["marketing"]
    assert browser.post(preferences, form).status_code == 303
    drain()
    assert statuses(news, queued) == [("suppressed", "category_opted_out")]


def test_the_way_out_leads_to_the_page_of_everything(news: Api, browser: Client) -> None:
    leave, _ = paths_in_mail(news)
    found = re.findall(r'<a href="\.\.(/p/[^"]+)"', browser.get(leave).content.decode())
    assert browser.get(found[0]).status_code == 200


def test_the_token_of_one_page_opens_no_other(news: Api, browser: Client) -> None:
    leave, preferences = paths_in_mail(news)
    assert browser.get(leave.replace("/u/", "/p/")).status_code == 404
    assert browser.post(preferences.replace("/p/", "/u/"), ONE_CLICK).status_code == 404


def test_who_left_by_mistake_comes_back_by_a_form_of_its_own(news: Api, browser: Client) -> None:
    leave, _ = paths_in_mail(news)
    gone = browser.post(leave, {**ONE_CLICK, "shown": "1"})
    assert categories(news) == {"marketing": {"email": False}}
    back = browser.post(leave, {"undo": undo_in(gone)})
    assert (back.status_code, back.cookies, categories(news)) == (200, {}, {})
    told = send(news, "after")
    drain()
    assert statuses(news, told) == [("delivered", None)]
    entries = Consent.objects.filter(means="unsubscribe_link").order_by("id")
    assert [(one.state, one.text_version) for one in entries] == [
        ("withdrawn", f"{centre.TEXT_VERSION}.de"),
        ("given", f"{centre.TEXT_VERSION}.de"),
    ]
    assert len({one.delivery_id for one in entries}) == 1


def test_a_mail_programs_click_names_no_words_of_ours(news: Api, browser: Client) -> None:
    leave, _ = paths_in_mail(news)
    browser.post(leave, ONE_CLICK)
    assert Consent.objects.get(means="unsubscribe_link").text_version == ""


def test_nobody_comes_back_by_the_link_alone(news: Api, browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    leave, _ = paths_in_mail(news)
    undo = undo_in(browser.post(leave, ONE_CLICK))
    other = browser.post(leave, ONE_CLICK)
    for wrong in ("", "1", undo[:-1], leave.removeprefix("/u/")):
        assert browser.post(leave, {"undo": wrong}).status_code == 400
    monkeypatch.setattr("notify.api.pages.UNDO_LIFETIME", -UNDO_LIFETIME)
    late = undo_in(browser.post(leave, ONE_CLICK))
    answer = browser.post(leave, {"undo": late})
    assert (answer.status_code, "nicht mehr" in answer.content.decode()) == (400, True)
    assert categories(news) == {"marketing": {"email": False}}
    assert other.status_code == 200


def test_the_undoing_of_one_leaving_undoes_no_other(news: Api, browser: Client) -> None:
    leave, _ = paths_in_mail(news)
    leaving = conf.LINKS.read_leave(leave.removeprefix("/u/"))
    foreign = path_of(conf.LINKS.leave_url(type(leaving)(**{**leaving_fields(leaving), "type_key": "OTHER"})))
    undo = undo_in(browser.post(foreign, ONE_CLICK))
    browser.post(leave, ONE_CLICK)
    assert browser.post(leave, {"undo": undo}).status_code == 400
    assert categories(news) == {"marketing": {"email": False}}


def leaving_fields(leaving: Any) -> dict[str, Any]:
    return {name: getattr(leaving, name) for name in leaving.__struct_fields__}


def test_a_text_message_may_name_the_page_too(news: Api, browser: Client) -> None:
    send(news, "sms", channels=["sms"])
    drain()
    text = (Path(settings.CARILLON["HOME"]) / "sandbox" / "sms.jsonl").read_text().splitlines()[-1]
    found = re.findall(r"https?://[^\s\"]+/p/[\w-]+", text)
    assert browser.get(path_of(found[0])).status_code == 200
