"""The preference page over HTTP: whose it is, what it takes, and what it keeps to itself."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from channels.rules.sealing import Keyring
from notify import centre, conf
from notify.rules.signed_links import SignedLinks, Visit
from preferences import allow
from preferences import store as people
from preferences.models import Consent
from tests.factories import Api, make_key, make_recipient, make_type

pytestmark = pytest.mark.django_db

EMAIL, PHONE = "zora.canary@example.com", "+447700900456"


def path_for(recipient_id: int, since: datetime | None = None, links: SignedLinks = conf.LINKS) -> str:
    return links.visit_url(Visit.since(recipient_id, since or datetime.now(UTC)))[len(conf.LINKS._url) :]


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def path(db: None) -> str:
    """The page of somebody with an e-mail address and a phone, where there are three types."""
    make_type()
    make_type("NEWS", category="marketing")
    make_type("OTP", category="security", mandatory=True)
    return path_for(make_recipient(email=EMAIL, phone=PHONE, locale="en-GB", zone="Europe/London").id)


def form_in(answer: Any) -> dict[str, str]:
    """What a browser would send of the page, had nobody touched it."""
    text = answer.content.decode()
    fields = {
        name: html.unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text)
    }
    shown = dict(parse_qsl(fields["seen"], keep_blank_values=True))
    return {**fields, **{name: value for name, value in shown.items() if value}}


def document(api: Api) -> dict[str, Any]:
    kept: dict[str, Any] = api.get("/v1/users/u_alice/preferences").json()
    return kept


def test_the_page_shows_how_a_person_is_reached_and_no_address(browser: Client, path: str) -> None:
    answer = browser.get(path)
    text = answer.content.decode()
    assert (answer.status_code, answer.cookies) == (200, {})
    assert "z…@example.com" in text
    assert "…0456" in text
    assert [word for word in (EMAIL, PHONE, "canary", "u_alice") if word in text] == []
    assert "Push notification" not in text


def test_what_is_mandatory_is_explained_and_not_offered(browser: Client, path: str) -> None:
    text = browser.get(path).content.decode()
    assert "What is always sent" in text
    assert ".security" not in text
    assert 'name="category.email.transaction"' in text


def test_the_page_loads_nothing_keeps_nothing_and_tells_nobody(browser: Client, path: str) -> None:
    answer = browser.get(path)
    assert answer["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in answer["Content-Security-Policy"]
    kept = {name: answer[name] for name in ("Cache-Control", "Referrer-Policy", "X-Robots-Tag", "X-Frame-Options")}
    assert kept == {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
        "X-Frame-Options": "DENY",
    }
    text = answer.content.decode()
    assert re.findall(r"<script|\bsrc=|@import|url\(|https?:|\bstyle=|\bon\w+=", text) == []


def test_what_is_chosen_is_kept_and_confirmed(browser: Client, api: Api, path: str) -> None:
    form = form_in(browser.get(path))
    form |= {"marketing": "on", "digest": "daily", "quiet": "on", "zone": "Europe/Berlin", "language": "de"}
    del form["category.sms.transaction"]
    answer = browser.post(path, form)
    assert (answer.status_code, answer["Location"], answer.cookies) == (303, "?saved=1", {})
    confirmed = browser.get(path + answer["Location"])
    assert 'lang="de"' in confirmed.content.decode()
    assert "Gespeichert." in confirmed.content.decode()
    kept = document(api)
    assert (kept["marketing_opt_in"], kept["digest_frequency"], kept["timezone"], kept["locale"], kept["version"]) == (
        *(True, "daily", "Europe/Berlin", "de", 1),
    )
    assert kept["quiet_hours"] == {"start": "22:00", "end": "07:00"}
    assert kept["categories"] == {"transaction": {"sms": False}}


def test_what_was_said_stands_in_the_ledger_with_how_and_in_which_words(browser: Client, path: str) -> None:
    browser.post(path, form_in(browser.get(path)) | {"marketing": "on"})
    entry = Consent.objects.get()
    assert (entry.scope, entry.state, entry.means, entry.actor) == (
        *("marketing", "given", "preference_page", "person"),
    )
    assert entry.text_version == f"{centre.TEXT_VERSION}.en"
    assert (entry.ip_sealed is not None, len(entry.trace)) == (True, 32)


def test_saving_without_a_change_writes_nothing(browser: Client, api: Api, path: str) -> None:
    answer = browser.post(path, form_in(browser.get(path)))
    assert (answer.status_code, answer["Location"]) == (303, "?saved=0")
    assert document(api)["version"] == 0


def test_a_confirmation_belongs_to_what_was_saved_last(browser: Client, api: Api, path: str) -> None:
    browser.post(path, form_in(browser.get(path)) | {"stop": "on"})
    assert "Saved." in browser.get(path + "?saved=1").content.decode()
    api.patch("/v1/users/u_alice/preferences", {"global_opt_out": False})
    assert "Saved." not in browser.get(path + "?saved=1").content.decode()


def test_who_comes_second_is_shown_what_changed_and_asked_again(browser: Client, api: Api, path: str) -> None:
    form = form_in(browser.get(path)) | {"stop": "on"}
    api.patch("/v1/users/u_alice/preferences", {"digest_frequency": "daily", "channels": {"sms": False}})
    answer = browser.post(path, form)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert re.findall(r'<li><a href="#at-([\w.]+)">([^<]*)</a>: <bdi>([^<]*)', text) == [
        ("channel.sms", "Text message", "off"),
        ("digest", "How often", "Together, once a day"),
    ]
    assert document(api)["global_opt_out"] is False
    again = {**form_in(answer), "stop": "on"}
    assert browser.post(path, again).status_code == 303
    kept = document(api)
    assert (kept["global_opt_out"], kept["digest_frequency"], kept["channels"]["sms"]) == (True, "daily", False)


@pytest.mark.parametrize(
    ("fields", "at", "told"),
    [
        ({"zone": "Mars/Olympus"}, "zone", "We do not know this time zone."),
        ({"quiet": "on", "quiet_start": "08:00", "quiet_end": "08:00"}, "quiet_end", "The hours end when they begin."),
        ({"quiet": "on", "quiet_start": "25:00"}, "quiet_start", "Give a time between 00:00 and 23:59"),
        ({"language": "tlh"}, "language", "We do not have this language."),
        ({"digest": "<b>"}, "digest", "Choose one of these."),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_nothing_is_saved(
    browser: Client, api: Api, path: str, fields: dict[str, str], at: str, told: str
) -> None:
    answer = browser.post(path, form_in(browser.get(path)) | {"stop": "on"} | fields)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="fault-{at}">{told}' in text
    assert f'aria-describedby="fault-{at}"' in text
    assert f'<a href="#{at}">' in text
    assert 'name="stop" value="on" checked' in text
    assert document(api)["version"] == 0


@pytest.mark.parametrize(
    "body", [b"", b"version=", b"version=-1", b"version=x&stop=on", b"\xff\xfe", b"%00=%00", b"version=\xd9\xa1x"]
)
def test_a_form_that_is_none_changes_nothing(browser: Client, api: Api, path: str, body: bytes) -> None:
    answer = browser.post(path, body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert "Nothing was saved." in answer.content.decode()
    assert browser.post(path, b"--y", content_type="multipart/form-data; boundary=x").status_code == 400
    assert (
        browser.post(path, b"&".join([b"a=1"] * 1_001), content_type="application/x-www-form-urlencoded").status_code
        == 400
    )
    assert document(api)["version"] == 0


def test_what_is_not_offered_cannot_be_written(browser: Client, api: Api, path: str) -> None:
    form = form_in(browser.get(path))
    extra = {"channel.push": "on", "type.email.OTP": "", "category.email.security": "", "critical_channel": "sms"}
    assert browser.post(path, {**form, **extra, "locale": "xx", "recipient_id": "1"}).status_code == 303
    assert document(api)["version"] == 0


def test_every_page_that_is_not_there_is_the_same_page(browser: Client, api: Api, path: str) -> None:
    gone, erased = make_recipient("u_gone", email="g@example.com"), make_recipient("u_erased", email="e@example.com")
    api.delete("/v1/users/u_gone")
    assert api.post("/v1/users/u_erased/erase").status_code == 202
    own = path.removeprefix("/p/")
    foreign = SignedLinks(Keyring({"k": bytes(32)}), conf.LINKS._url)
    wrong = [
        *("/p/x", "/p/" + "A" * 60, "/p/" + own[:-1], f"/p/{own}A", "/p/" + own[::-1]),
        *(path_for(gone.id), path_for(erased.id), path_for(987_654_321), path_for(0)),
        path_for(gone.id, links=foreign),
    ]
    told = set()
    for one in wrong:
        with CaptureQueriesContext(connection) as asked:
            answers = [browser.get(one), browser.post(one, {"version": "0", "stop": "on"})]
        told |= {(answer.status_code, answer.content, len(asked)) for answer in answers}
    assert len(told) == 1
    assert next(iter(told))[0] == 404


def test_one_person_never_sees_or_changes_the_page_of_another(browser: Client, api: Api, path: str) -> None:
    other = make_recipient("u_bob", email="bob@example.com")
    form = form_in(browser.get(path_for(other.id))) | {"stop": "on"}
    assert browser.post(path_for(other.id), form).status_code == 303
    assert document(api)["version"] == 0
    assert "bob" not in browser.get(path).content.decode()


def test_an_old_link_shows_nothing_of_anybody(browser: Client, api: Api, path: str) -> None:
    recipient = people.resolve(["u_alice"])["u_alice"]
    old = path_for(recipient.id, datetime.now(UTC) - timedelta(days=92))
    with CaptureQueriesContext(connection) as asked:
        answers = [browser.get(old), browser.post(old, {"version": "0", "stop": "on"})]
    assert [(one.status_code, "This link is old." in one.content.decode()) for one in answers] == [(410, True)] * 2
    assert (len(asked), document(api)["version"]) == (0, 0)
    young = path_for(recipient.id, datetime.now(UTC) - timedelta(days=90))
    assert browser.get(young).status_code == 200


def test_a_link_outlives_the_rotation_of_its_key(browser: Client, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Keyring({"old": bytes(range(32))})
    made = path_for(people.resolve(["u_alice"])["u_alice"].id, links=SignedLinks(old, conf.LINKS._url))
    both = Keyring({"new": bytes(32), "old": bytes(range(32))})
    monkeypatch.setattr(conf, "LINKS", SignedLinks(both, conf.LINKS._url))
    assert browser.get(made).status_code == 200


@pytest.mark.parametrize(
    ("locale", "accept", "language", "direction", "word"),
    [
        ("es-MX", "de", "es", "ltr", "Sus mensajes"),
        ("", "fr-CA,en;q=0.5", "fr", "ltr", "Vos messages"),
        ("ja", "xx, de-AT;q=0.9", "de", "ltr", "Ihre Nachrichten"),
        ("ar", "", "ar", "rtl", "رسائلك"),
        ("ja", "nonsense;;q=z", "en", "ltr", "Your messages"),
        ("", "de;q=0, fr", "fr", "ltr", "Vos messages"),
    ],
)
def test_the_page_speaks_the_persons_language_else_the_browsers(
    browser: Client, locale: str, accept: str, language: str, direction: str, word: str
) -> None:
    answer = browser.get(path_for(make_recipient(locale=locale).id), headers={"Accept-Language": accept})
    assert f'<html lang="{language}" dir="{direction}">' in answer.content.decode()
    assert (word in answer.content.decode(), answer["Content-Language"]) == (True, language)


def test_while_the_database_is_away_nothing_is_called_saved(
    browser: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(centre, "open_centre", away)
    answers = [browser.get(path), browser.post(path, {"version": "0", "stop": "on"})]
    assert [(one.status_code, one["Retry-After"]) for one in answers] == [(503, "30")] * 2


def test_an_application_gets_the_address_of_its_users_page(browser: Client, api: Api) -> None:
    make_recipient()
    answer = api.post("/v1/users/u_alice/preference-link")
    assert answer.status_code == 200
    assert browser.get(answer.json()["url"].removeprefix(conf.LINKS._url)).status_code == 200
    good_for = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=90) <= good_for + timedelta(minutes=1) <= timedelta(days=91, minutes=1)


def test_a_link_to_a_page_needs_the_users_scope_and_a_user(api: Api) -> None:
    assert api.post("/v1/users/u_nobody/preference-link").json()["code"] == "unknown_user"
    make_recipient()
    assert Api(make_key(scopes=("send",))).post("/v1/users/u_alice/preference-link").json()["code"] == "missing_scope"
    token = api.post("/v1/users/u_alice/token").json()["token"]
    assert Api(token).post("/v1/users/u_alice/preference-link").status_code == 403


def test_who_has_yet_to_confirm_is_told_so(
    browser: Client, api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allow, "DOUBLE_OPT_IN", True)
    answer = browser.post(path, form_in(browser.get(path)) | {"marketing": "on"})
    assert answer["Location"] == "?saved=1&confirm=1"
    text = browser.get(path + answer["Location"]).content.decode()
    assert "News and offers begin once you follow the link" in text
    assert document(api)["marketing_opt_in"] is False
    assert Consent.objects.get().state == "requested"
