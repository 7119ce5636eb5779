"""A campaign's life in Debian's Chromium: written by one person, approved by another, and seen to move by both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from campaigns import conf, control, launch
from campaigns.drafts import variables_of
from campaigns.store import campaigns
from campaigns.store.campaigns import CampaignRow
from campaigns.vocabulary import Act
from notify.store import halts
from tests.factories import make_recipient, make_template, make_type
from tests.flow.campaigning import go, make_campaign, only_run, people, start

CHROMIUM = Path("/usr/bin/chromium")
CHECKS = (Path(__file__).parents[1] / "pages" / "accessible.js").read_text("utf-8")
#: Leaves of a page what is ours, since its frame is Unfold's to answer for, in colours that the checks can read.
OURS = """() => {
  const main = document.createElement("main");
  const heading = document.createElement("h1");
  heading.textContent = document.title;
  main.append(heading, document.querySelector(".desk"));
  for (const node of main.querySelectorAll("[hidden]")) node.remove();
  document.body.replaceChildren(main, ...document.querySelectorAll("body style"));
  const brush = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const plain = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    return `rgb(${[...brush.getImageData(0, 0, 1, 1).data.slice(0, 3)].join(" ")})`;
  };
  for (const node of document.querySelectorAll("body, body *")) {
    const style = getComputedStyle(node);
    for (const name of ["color", "backgroundColor"]) {
      if (style[name].startsWith("ok")) node.style[name] = plain(style[name]);
    }
  }
}"""
LIST = "/admin/campaigns/campaign/"

#: A machine that does other things beside takes longer than Playwright's five seconds.
expect.set_options(timeout=20_000)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's Chromium: apt-get install chromium"),
]

LogIn = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright runs an event loop of its own in this thread, which Django would take for an asynchronous caller.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def log_in(browser: Browser, live_server: LiveServer) -> Iterator[LogIn]:
    """Logs somebody of a group in, each in a browser of their own. Whatever it complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def page_of(name: str, group: str) -> Page:
        user = User.objects.create_user(name, password="right words", is_staff=True)
        user.groups.add(Group.objects.get(name=group))
        contexts.append(browser.new_context(base_url=live_server.url, viewport={"width": 1360, "height": 900}))
        page = contexts[-1].new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/admin/login/")
        page.fill("#id_username", name)
        page.fill("#id_password", "right words")
        page.press("#id_password", "Enter")
        expect(page.get_by_role("link", name="Campaigns")).to_be_visible()
        return page

    make_template()
    make_type(template_id="order_shipped", category="social")
    halts.forget()
    yield page_of
    for context in contexts:
        context.close()
    assert complaints == []


def only() -> CampaignRow:
    (row,) = campaigns.listing(application_id=None, status=None, kind=None, before=None, limit=2)
    return row


def write(page: Page) -> None:
    """Fill in the form, and look at what it answers meanwhile."""
    page.goto(f"{LIST}add/")
    page.get_by_label("Name, for the people who work here").fill("Spring sale")
    page.get_by_label("Notification type").fill("ORDER_SHIPPED")
    page.get_by_label("email", exact=True).check()
    page.get_by_label("order_id (required)").fill("ORD-7")
    page.get_by_label("Segment", exact=True).fill("user_id STARTS WITH 'u_'")
    expect(page.locator("#audience")).to_contain_text("3 people")
    page.get_by_role("button", name="Keep the draft").click()
    expect(page.get_by_text("Kept as a draft")).to_be_visible()


def wrong_with(page: Page) -> list[str]:
    """What the checks for everybody find in our part of a page."""
    page.evaluate(OURS)
    found: list[str] = page.evaluate(CHECKS)
    return found


def test_a_campaign_is_written_approved_by_another_and_watched_to_its_end(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "APPROVAL_ABOVE", 2)
    people(3)
    ada, otto = log_in("ada", "editor"), log_in("otto", "operator")
    write(ada)
    row = only()
    assert (row.estimated, variables_of(row)) == (3, {"order_id": "ORD-7"})
    ada.get_by_role("button", name="Estimate").click()
    expect(ada.get_by_text("What it would come to now")).to_be_visible()
    ada.get_by_role("button", name="Submit for approval").click()
    expect(ada.locator("#state .badge")).to_have_text("pending")
    otto.goto(f"{LIST}{row.id}/change/")
    otto.get_by_text("Approve …").click()
    otto.get_by_label("Type how many people that is: 3").fill("3")
    otto.get_by_role("button", name="Approve").click()
    expect(ada.locator("#state .badge")).to_have_text("scheduled")
    otto.get_by_text("Start now …").click()
    otto.get_by_label("Type how many people that is: 3").fill("3")
    otto.get_by_role("button", name="Start now").click()
    expect(ada.locator("#state .badge")).to_have_text("running")
    launch.launch(timezone.now())
    expect(ada.locator("#told")).to_have_text("0 of 3")
    go(only_run(row))
    expect(ada.locator("#told")).to_have_text("3 of 3")
    expect(ada.locator("#figure-sent")).to_have_text("3")
    expect(ada.locator("#state .badge")).to_have_text("completed")


def test_a_fault_in_a_segment_is_shown_where_it_stands(log_in: LogIn) -> None:
    page = log_in("ada", "editor")
    page.goto(f"{LIST}add/")
    page.get_by_label("Segment", exact=True).fill("plan = 'pro' AND has_email = 7")
    expect(page.locator("#audience")).to_contain_text("line 1, column 30")
    page.get_by_role("button", name="Show the place").click()
    assert page.evaluate("document.activeElement.selectionStart") == 29
    page.get_by_label("Told", exact=True).select_option("again")
    page.get_by_label("Again: minute hour day month weekday").fill("0 9 * * 1")
    expect(page.locator("#coming li")).to_have_count(4)


def test_the_switch_is_pressed_on_the_list_while_it_runs(log_in: LogIn) -> None:
    make_recipient("u_one", email="one@example.com")
    row = make_campaign()
    page = log_in("otto", "operator")
    page.goto(LIST)
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    start(row)
    page.reload()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#under-way .badge")).to_have_text("paused")
    control.act_on(row.id, Act.RESUME, actor="staff:ann", now=timezone.now())
    expect(page.locator("#under-way .badge")).to_have_text("running")


@pytest.mark.parametrize("size", [(1360, 900), (360, 740)])
def test_its_pages_are_for_everybody(log_in: LogIn, size: tuple[int, int]) -> None:
    people(2)
    row = make_campaign()
    page = log_in("ada", "editor")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{LIST}{row.id}/edit/")
    expect(page.locator("#audience")).to_contain_text("2 people")
    expect(page.get_by_label("order_id (required)")).to_be_visible()
    found = {"form": wrong_with(page)}
    page.goto(f"{LIST}{row.id}/change/")
    found["draft"] = wrong_with(page)
    start(row)
    go(only_run(row))
    for name, address in (("run", f"{row.id}/change/"), ("list", "")):
        page.goto(f"{LIST}{address}")
        found[name] = wrong_with(page)
    assert [f"{name}: {fault}" for name, faults in found.items() for fault in faults] == []
