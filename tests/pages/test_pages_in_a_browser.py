"""The pages for people in Debian's Chromium: by keyboard alone, on a small phone, dark, and from right to left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from channels.vocabulary import Channel
from notify import conf
from notify.rules.signed_links import Leaving, Visit
from preferences import allow
from preferences import store as people
from preferences.rules.requests import PreferencesPatch
from preferences.vocabulary import Category, ConsentActor, ConsentMeans, DigestFrequency, Origin, Preferences
from tests.factories import make_recipient, make_type

CHROMIUM = Path("/usr/bin/chromium")
#: What is asked of every page, in every mode; answers with what is wrong.
CHECKS = (Path(__file__).parent / "accessible.js").read_text("utf-8")
PHONE = {"width": 320, "height": 640}

#: A machine that does other things beside takes longer than Playwright's five seconds.
expect.set_options(timeout=20_000)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright runs an event loop of its own in this thread, which Django would take for an asynchronous caller.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer) -> Iterator[Open]:
    """Opens pages without JavaScript; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def opened(path: str, **mode: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, **{"java_script_enabled": False, **mode})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: hear(message, complaints))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def hear(message: ConsoleMessage, complaints: list[str]) -> None:
    """A status that the test asked for is not a complaint."""
    if message.type in ("error", "warning") and "the server responded with a status of" not in message.text:
        complaints.append(message.text)


class Paths(NamedTuple):
    """Every page there is, of one person."""

    centre: str
    leave: str
    old: str
    nothing: str = "/p/nothing"


@pytest.fixture
def paths(db: None) -> Paths:
    recipient = make_recipient(
        email="alice@example.com", phone="+15559876543", zone="Europe/London", tokens=["token-of-alice-abcdef"]
    )
    for category in Category:
        make_type(category.name, category=category.value)
    make_type("OTP", category="security", mandatory=True)
    now = datetime.now(UTC)
    delivery = UUID(int=(int(now.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))
    leaving = Leaving(
        recipient_id=recipient.id, delivery_id=delivery, channel=Channel.EMAIL, category=Category.MARKETING
    )
    urls = (
        conf.LINKS.visit_url(Visit.since(recipient.id, now)),
        conf.LINKS.leave_url(leaving),
        conf.LINKS.visit_url(Visit.since(recipient.id, now - timedelta(days=100))),
    )
    return Paths(*(url.removeprefix(conf.LINKS._url) for url in urls))


def kept() -> Preferences:
    return allow.get_preferences("u_alice")


def change(**fields: Any) -> None:
    """Somebody else changes the document meanwhile."""
    origin = Origin(means=ConsentMeans.API, actor=ConsentActor.APPLICATION)
    allow.patch_preferences("u_alice", PreferencesPatch(**fields), lambda _: True, origin)


def tab_to(page: Page, name: str, value: str = "") -> None:
    """Press Tab until this field has the focus, as somebody without a mouse would."""
    wanted = f'[name="{name}"]' + (f'[value="{value}"]' if value else "")
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.locator(f"{wanted}:focus").count():
            return
    pytest.fail(f"{name} cannot be reached by keyboard")


def faults(page: Page) -> list[str]:
    """What is wrong with a page for somebody who cannot see it well, or at all."""
    found: list[str] = page.evaluate(CHECKS)
    return found


MODES = [
    pytest.param({"viewport": PHONE, "color_scheme": "light", "locale": "en"}, id="phone"),
    pytest.param({"viewport": PHONE, "color_scheme": "dark", "locale": "de"}, id="dark-phone"),
    pytest.param({"viewport": PHONE, "color_scheme": "light", "locale": "ar"}, id="right-to-left"),
    pytest.param({"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark", "locale": "fr"}, id="desk"),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", Paths._fields)
def test_every_page_can_be_used_by_everybody(open_page: Open, paths: Paths, name: str, mode: dict[str, Any]) -> None:
    page = open_page(getattr(paths, name), **mode, java_script_enabled=True)
    assert faults(page) == []
    assert page.locator("html").get_attribute("lang") == mode["locale"]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_said_after_a_form_can_be_read_by_everybody(
    open_page: Open, paths: Paths, mode: dict[str, Any]
) -> None:
    page = open_page(paths.centre, **mode, java_script_enabled=True)
    page.locator('[name="quiet"]').check()
    page.locator('[name="quiet_end"]').fill("22:00")
    page.locator("button").click()
    assert (page.locator("#fault-quiet_end").count(), faults(page)) == (1, [])
    page.locator('[name="quiet_end"]').fill("06:00")
    change(digest_frequency=DigestFrequency.DAILY, channels={Channel.SMS: False})
    page.locator("button").click()
    assert (page.locator(".note li").count(), faults(page)) == (2, [])
    page.locator("button").click()
    assert (page.locator('[role="status"]').count(), faults(page)) == (1, [])
    page.goto(paths.leave)
    page.locator("button").click()
    assert (page.locator('[role="status"]').count(), faults(page)) == (1, [])
    page.locator("button").click()
    assert (page.locator('[role="status"]').count(), faults(page)) == (1, [])


def test_everything_is_chosen_and_saved_by_keyboard_alone(open_page: Open, paths: Paths) -> None:
    page = open_page(paths.centre, viewport=PHONE, locale="en-GB")
    tab_to(page, "channel.sms")
    page.keyboard.press("Space")
    tab_to(page, "marketing")
    page.keyboard.press("Space")
    tab_to(page, "category.push.marketing")
    page.keyboard.press("Space")
    tab_to(page, "quiet")
    page.keyboard.press("Space")
    tab_to(page, "quiet_start")
    page.keyboard.press("ArrowDown")
    tab_to(page, "zone")
    page.keyboard.type("Kathm")
    tab_to(page, "digest", "realtime")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator('[role="status"]')).to_contain_text("Saved.")
    expect(page.locator('[role="status"]')).to_be_focused()
    said = kept()
    assert (said.channels, said.categories) == ({Channel.SMS: False}, {Category.MARKETING: {Channel.PUSH: False}})
    assert (said.marketing_opt_in, said.timezone, said.digest_frequency) == (True, "Asia/Kathmandu", "daily")
    assert said.quiet_hours is not None
    assert (said.quiet_hours.start, said.quiet_hours.end, said.version) == ("21:00", "07:00", 1)


def test_the_summary_of_faults_has_the_focus_and_leads_to_the_field(open_page: Open, paths: Paths) -> None:
    page = open_page(paths.centre, viewport=PHONE, locale="en-GB")
    page.locator('[name="quiet"]').check()
    page.locator('[name="quiet_end"]').fill("22:00")
    page.locator("button").click()
    expect(page.locator('[role="alert"]')).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(page.url.partition("#")[0] + "#quiet_end")
    page.keyboard.press("Tab")
    expect(page.locator("#quiet_end")).to_be_focused()
    assert kept().version == 0


def test_who_comes_second_sees_what_changed_and_keeps_their_own(open_page: Open, paths: Paths) -> None:
    page = open_page(paths.centre, viewport=PHONE, locale="en-GB")
    page.locator('[name="stop"]').check()
    change(timezone="Asia/Tokyo")
    page.locator("button").click()
    expect(page.locator('[role="alert"]')).to_contain_text("Time zone: Asia/Tokyo")
    expect(page.locator('[name="stop"]')).to_be_checked()
    page.locator("button").click()
    expect(page.locator('[role="status"]')).to_contain_text("Saved.")
    assert (kept().global_opt_out, kept().timezone) == (True, "Asia/Tokyo")


def test_loading_a_saved_page_again_saves_nothing_again(open_page: Open, paths: Paths) -> None:
    page = open_page(paths.centre, locale="en-GB")
    page.locator('[name="stop"]').check()
    page.locator("button").click()
    page.reload()
    expect(page.locator('[role="status"]')).to_contain_text("Saved.")
    assert kept().version == 1


def test_who_leaves_by_mistake_is_back_with_two_keys(open_page: Open, paths: Paths) -> None:
    page = open_page(paths.leave, viewport=PHONE, locale="en-GB")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("You are unsubscribed.")
    assert kept().categories == {Category.MARKETING: {Channel.EMAIL: False}}
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Undone.")
    assert kept().categories == {}
    page.get_by_role("link").click()
    expect(page.locator("h1")).to_have_text("Your messages")


def test_no_page_sends_its_address_or_a_cookie_anywhere(open_page: Open, paths: Paths) -> None:
    page = open_page(paths.leave)
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108  playwright marks what it is given
    page.get_by_role("link").click()
    page.locator("button").click()
    assert all(one.url.startswith(page.url.split("/p/")[0]) for one in asked)
    assert [one.url for one in asked if "referer" in one.headers] == []
    assert page.context.cookies() == []
    assert people.resolve(["u_alice"])["u_alice"].status == "active"
