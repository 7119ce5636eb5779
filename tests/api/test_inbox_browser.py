"""The inbox component at work in a real browser: Debian's Chromium, the demo page, and a real stream."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.db import connection
from playwright.sync_api import APIResponse, Browser, ConsoleMessage, Locator, Page, Route, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from channels.models import InboxMessage
from notify import conf
from preferences.vocabulary import RecipientRef
from tests.factories import Api, make_entries, make_key, make_recipient

CHROMIUM = Path("/usr/bin/chromium")

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


@pytest.fixture
def streams(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process that serves streams, on the tests' database."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(conf, "STREAM_PORT", port)
    at = connection.settings_dict
    who = f"{at['USER']}:{quote(at['PASSWORD'])}"
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgres://{who}@{at['HOST']}:{at['PORT'] or 5432}/{at['NAME']}",
        "REDIS_URL": django_settings.CARILLON["REDIS_URL"],
        "CELERY_BROKER_URL": django_settings.CARILLON["BROKER_URL"],
        "CARILLON_PUBLIC_URL": live_server.url,
    }
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asgi",
        "--port",
        str(port),
        "--workers-kill-timeout",
        "2",
    ]
    process = subprocess.Popen([*command, "--log-level", "warning", "config.asgi:application"], env=environment)
    pause, end = Event(), time.monotonic() + 30
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        pause.wait(0.1)
    yield
    process.terminate()
    process.wait(20)


@pytest.fixture
def alice(live_server: LiveServer) -> RecipientRef:
    return make_recipient("u_alice")


@pytest.fixture
def token(alice: RecipientRef) -> str:
    text: str = Api(make_key()).post("/v1/users/u_alice/token").json()["token"]
    return text


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, streams: None, token: str) -> Iterator[Page]:
    """The demo page with Alice's inbox. Whatever the browser complains of fails the test."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1000, "height": 800}, locale="en-GB")
    page = context.new_page()
    complaints: list[str] = []
    page.pardoned = "nothing"  # type: ignore[attr-defined]  # for a test that knows what it causes

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and page.pardoned not in message.text:  # type: ignore[attr-defined]  # as above
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    show(page, token)
    yield page
    context.close()
    assert complaints == []


def show(page: Page, token: str) -> None:
    page.goto("/inbox-demo")
    page.fill("[name=user]", "u_alice")
    page.fill("[name=token]", token)
    with page.expect_response(lambda response: "/stream?token=" in response.url and response.ok):
        page.get_by_role("button", name="Show this inbox").click()


def bell(page: Page, name: str = "Notifications") -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def test_what_comes_in_is_counted_shown_and_marked_without_reloading(page: Page, alice: RecipientRef) -> None:
    make_entries(alice, "Packed")
    expect(bell(page, "Notifications, 1 unread")).to_be_visible()
    expect(page.locator(".quiet[aria-live]")).to_have_text("New: Packed")
    bell(page, "Notifications, 1 unread").click()
    panel = page.get_by_role("dialog", name="Notifications")
    make_entries(alice, "Shipped")
    expect(panel.get_by_role("listitem")).to_have_text([re.compile("Shipped"), re.compile("Packed")])
    panel.get_by_role("button", name="Mark as read: Shipped").click()
    expect(bell(page, "Notifications, 1 unread")).to_be_visible()
    panel.get_by_role("button", name="Archive: Shipped").click()
    expect(panel.get_by_role("listitem")).to_have_count(1)
    panel.get_by_role("button", name="Mark all as read").click()
    expect(bell(page)).to_be_visible()
    assert InboxMessage.objects.filter(read_at__isnull=True).count() == 0


def test_what_is_done_elsewhere_is_seen_here(page: Page, alice: RecipientRef) -> None:
    first, second = make_entries(alice, "First", "Second")
    bell(page, "Notifications, 2 unread").click()
    panel = page.get_by_role("dialog", name="Notifications")
    elsewhere = Api(make_key())
    elsewhere.patch(f"/v1/notifications/{first}/read")
    expect(panel.get_by_role("button", name="Mark as unread: First")).to_be_visible()
    elsewhere.patch(f"/v1/notifications/{second}/archive")
    expect(panel.get_by_role("listitem")).to_have_count(1)
    expect(bell(page)).to_be_visible()


def test_a_list_that_comes_late_does_not_undo_what_was_heard_meanwhile(page: Page, alice: RecipientRef) -> None:
    first, _ = make_entries(alice, "First", "Second")
    expect(bell(page, "Notifications, 2 unread")).to_be_visible()
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/notifications?limit=20", lambda route: held.append((route, route.fetch())))
    bell(page, "Notifications, 2 unread").click()
    while not held:
        page.wait_for_timeout(20)
    Api(make_key()).patch(f"/v1/notifications/{first}/read")
    expect(bell(page, "Notifications, 1 unread")).to_be_visible()
    for route, answer in held:
        route.fulfill(response=answer)
    panel = page.get_by_role("dialog", name="Notifications")
    expect(panel.get_by_role("button", name="Mark as unread: First")).to_be_visible()
    expect(bell(page, "Notifications, 1 unread")).to_be_visible()


def test_the_keyboard_alone_does_it_all(page: Page, alice: RecipientRef) -> None:
    make_entries(alice, "First", "Second")
    bell(page, "Notifications, 2 unread").focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="Notifications")
    expect(panel.get_by_role("listitem")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(panel.get_by_role("link", name="Second")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(panel.get_by_role("link", name="First")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(panel.get_by_role("button", name="Mark as unread: First")).to_be_focused()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(bell(page, "Notifications, 1 unread")).to_be_focused()


def test_older_ones_are_shown_on_demand_and_each_once(page: Page, alice: RecipientRef, token: str) -> None:
    make_entries(alice, *(f"Number {number}" for number in range(1, 46)))
    show(page, token)
    bell(page, "Notifications, 45 unread").click()
    panel = page.get_by_role("dialog", name="Notifications")
    for count in (20, 40, 45):
        expect(panel.get_by_role("listitem")).to_have_count(count)
        if count < 45:
            panel.get_by_role("button", name="Show older").click()
    expect(panel.get_by_role("button", name="Show older")).to_be_hidden()


def test_words_are_words_and_nothing_in_them_runs(page: Page, alice: RecipientRef) -> None:
    make_entries(alice, "<img src=x onerror=alert(1)>")
    bell(page, "Notifications, 1 unread").click()
    entry = page.get_by_role("dialog").get_by_role("link")
    expect(entry.locator("strong")).to_have_text("<img src=x onerror=alert(1)>")
    expect(entry.locator("img")).to_have_count(0)


def test_a_token_that_ran_out_is_renewed_by_the_page(page: Page, alice: RecipientRef, token: str) -> None:
    page.pardoned = "401 (Unauthorized)"  # type: ignore[attr-defined]  # a browser complains of each, now or later
    page.evaluate(
        """token => { const inbox = document.querySelector('carillon-inbox');
                      inbox.refreshToken = async () => token; inbox.setAttribute('token', 'eyJ.run.out') }""",
        token,
    )
    make_entries(alice, "Packed")
    bell(page, "Notifications, 1 unread").click()
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(1)


def test_in_the_dark_it_is_readable(page: Page, alice: RecipientRef) -> None:
    make_entries(alice, "Packed")
    bell(page, "Notifications, 1 unread").click()
    panel = page.locator("carillon-inbox .panel")
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two words
        colours.append(panel.evaluate("node => getComputedStyle(node).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(28, 25, 23)"]
