"""docs/admin.md says what the groups are."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.admin.groups import GROUPS
from tests.architecture.tree import ROOT

PAGES = {
    "Types": "notify.{}_notificationtype",
    "Templates": "notify.{}_template",
    "Campaigns": "campaigns.{}_campaign",
    "Notifications": "notify.{}_notification",
    "Recipients": "preferences.{}_recipient",
    "Imports": "campaigns.{}_import",
    "Suppressions": "preferences.{}_suppression",
    "Dead letters": "notify.{}_deadletter",
    "Waiting work": "notify.{}_page",
    "System mode": "notify.{}_systemmodechange",
    "Providers": "channels.{}_providerswitch",
    "Costs": "channels.{}_rate",
    "Applications": "notify.{}_application",
    "Schedule": "django_celery_beat.{}_periodictask",
    "Staff": "auth.{}_user",
    "Groups": "auth.{}_group",
    "Log": "admin.{}_logentry",
}
READING = {"reads", "compares", "finds"}


def told() -> dict[str, dict[str, str]]:
    """Page → group → the words of the table."""
    lines = (ROOT / Path("docs/admin.md")).read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[1:]}


def test_the_table_names_every_page() -> None:
    assert set(told()) == {*PAGES, "Overview"}


@pytest.mark.parametrize("page", PAGES)
def test_the_table_says_what_a_group_may(page: str) -> None:
    for group, words in told()[page].items():
        acts = not READING.issuperset(words.removesuffix(" keys").split(", "))
        held = {verb for verb in ("view", "change") if PAGES[page].format(verb) in GROUPS[group]}
        if page in {"Recipients", "Suppressions"} and "preferences.add_suppression" in GROUPS[group]:
            held.add("change")
        if page == "Campaigns" and "campaigns.approve_campaign" in GROUPS[group]:
            held.add("change")
        assert held == (set() if words == "no" else {"view", "change"} if acts else {"view"}), (page, group)
