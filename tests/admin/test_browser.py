"""An editor at work in a real browser: Debian's Chromium, over the admin as it is served."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from notify.models import Template, TemplateVersion
from tests.factories import make_template, make_type

CHROMIUM = Path("/usr/bin/chromium")
EDITOR = "/admin/notify/template/order_shipped/edit/"

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
def page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """An editor's first page after the login. Whatever the browser complains of fails the test."""
    user = User.objects.create_user("ada", password="right words", is_staff=True)
    user.groups.add(Group.objects.get(name="editor"))
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1360, "height": 900})
    page = context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/admin/login/")
    page.fill("#id_username", "ada")
    page.fill("#id_password", "right words")
    page.press("#id_password", "Enter")
    expect(page.get_by_text("What is said")).to_be_visible()
    yield page
    context.close()
    assert complaints == []


def open_editor(page: Page) -> None:
    make_type()
    make_template()
    page.goto(EDITOR)
    expect(page.locator("#preview")).to_contain_text("Order Example")


def test_an_editor_sees_what_they_write_and_publishes_it(page: Page) -> None:
    open_editor(page)
    page.fill("#field-body", "Parcel {{ order_id }} comes today")
    expect(page.locator("#preview .toast p")).to_have_text("Parcel Example comes today")
    page.get_by_label("Example of order_id").fill("ORD-7")
    expect(page.locator("#preview .toast p")).to_have_text("Parcel ORD-7 comes today")
    page.get_by_role("button", name="Keep and publish").click()
    expect(page.get_by_text("Version 2 is kept and published.")).to_be_visible()
    assert Template.objects.get().published_version == 2
    version = TemplateVersion.objects.get(number=2)
    assert version.channels["push"]["en"]["body"] == "Parcel {{ order_id }} comes today"
    assert version.published_by == "ada"


def test_a_word_that_is_not_declared_is_told_and_declared_by_a_click(page: Page) -> None:
    open_editor(page)
    page.fill("#field-body", "With {{ carrier }}")
    expect(page.locator("#preview-faults")).to_contain_text('the variable "carrier" is not among')
    page.get_by_role("button", name="Declare carrier").click()
    page.get_by_label("Example of carrier").fill("FedEx")
    expect(page.locator("#preview .toast p")).to_have_text("With FedEx")


def test_another_language_is_added_previewed_and_kept_as_a_draft(page: Page) -> None:
    open_editor(page)
    page.get_by_label("Add a language").fill("es")
    page.get_by_role("button", name="Add", exact=True).click()
    page.fill("#field-title", "En camino")
    expect(page.locator("#preview .toast strong")).to_have_text("En camino")
    page.get_by_role("button", name="Keep as a draft").click()
    expect(page.get_by_text("Version 2 is kept as a draft")).to_be_visible()
    assert Template.objects.get().published_version == 1
    assert TemplateVersion.objects.get(number=2).channels["push"]["es"] == {"title": "En camino"}


def test_a_mail_is_shown_in_a_frame_in_which_nothing_runs(page: Page) -> None:
    open_editor(page)
    page.get_by_role("tab", name="E-mail").click()
    page.fill("#field-html_body", "<h1>Order {{ order_id }}</h1>")
    frame = page.frame_locator("#preview iframe.mail-frame")
    expect(frame.locator("h1")).to_have_text("Order Example")
    assert page.locator("#preview iframe.mail-frame").get_attribute("sandbox") == ""


def test_a_template_is_written_from_nothing(page: Page) -> None:
    page.goto("/admin/notify/template/add/")
    page.fill("#template_id", "parcel_lost")
    page.fill("#type", "PARCEL_LOST")
    page.get_by_role("tab", name="SMS").click()
    page.get_by_role("button", name="Write SMS in en").click()
    page.fill("#field-body", "We lost it.")
    expect(page.locator("#preview .bubble")).to_have_text("We lost it.")
    page.get_by_role("button", name="Keep and publish").click()
    expect(page.get_by_text("parcel_lost is kept and published.")).to_be_visible()
    assert Template.objects.get().published_version == 1
