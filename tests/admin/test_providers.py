"""Provider accounts: switched and weighed at run time, on record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import LogEntry

from channels import conf, store
from channels.send import send_page
from channels.store import Switch
from channels.vocabulary import Channel, Platform, PushMessage
from tests.admin.conftest import Staff
from tests.providers.conformance import delivery_id, soon

LIST = "/admin/channels/providerswitch/"
FILE = """
[[provider]]
name = "one"
adapter = "sandbox"
channel = "push"
weight = 30

[[provider]]
name = "two"
adapter = "sandbox"
channel = "push"
weight = 10
"""


@pytest.fixture
def two_accounts(settings: LazySettings, tmp_path: Path) -> Path:
    path = tmp_path / "providers.toml"
    path.write_text(FILE)
    settings.CARILLON = {**settings.CARILLON, "PROVIDERS_FILE": path}
    return path


def shares(page: Any) -> dict[str, int]:
    return {line.account.name: line.share for _, lines in page.context["channels"] for line in lines}


def test_every_account_is_shown_by_channel_with_its_share(staff: Staff, two_accounts: Path) -> None:
    page = staff("auditor").get(LIST)
    assert shares(page) == {"one": 75, "two": 25, "inbox": 100}
    assert str(two_accounts) in page.content.decode()


def test_switching_off_and_on_is_kept_and_logged(staff: Staff, two_accounts: Path) -> None:
    operator = staff("operator")
    operator.post(f"{LIST}one/set/", {"weight": ""})
    assert store.provider_switches() == {"one": Switch(enabled=False, weight=None)}
    assert shares(operator.get(LIST)) == {"one": 0, "two": 100, "inbox": 100}
    operator.post(f"{LIST}one/set/", {"enabled": "on", "weight": "10"})
    assert store.provider_switches() == {"one": Switch(enabled=True, weight=10)}
    assert list(LogEntry.objects.order_by("pk").values_list("object_id", "change_message")) == [
        ("one", "switched off"),
        ("one", "switched on, weight 30 (file) → 10"),
    ]


def test_who_changed_it_is_shown(staff: Staff, two_accounts: Path) -> None:
    operator = staff("operator")
    operator.post(f"{LIST}one/set/", {"enabled": "on", "weight": "10"})
    assert " by operator-" in operator.get(LIST).content.decode()


def test_nothing_is_logged_when_nothing_changes(staff: Staff, two_accounts: Path) -> None:
    staff("operator").post(f"{LIST}one/set/", {"enabled": "on", "weight": ""})
    assert store.provider_switches() == {}
    assert LogEntry.objects.count() == 0


def test_switching_off_the_last_account_of_a_channel_warns(staff: Staff, two_accounts: Path) -> None:
    operator = staff("operator")
    operator.post(f"{LIST}one/set/", {})
    page = operator.post(f"{LIST}two/set/", {}, follow=True).content.decode()
    assert "push has no account left" in page


@pytest.mark.parametrize("weight", ["-1", "much", "1000001"])
def test_a_weight_that_is_none_is_refused_with_the_cure(staff: Staff, two_accounts: Path, weight: str) -> None:
    page = staff("operator").post(f"{LIST}one/set/", {"enabled": "on", "weight": weight}, follow=True)
    assert "one: The weight is" in page.content.decode()
    assert store.provider_switches() == {}


def test_an_account_that_is_not_declared_is_not_found(staff: Staff, two_accounts: Path) -> None:
    assert staff("operator").post(f"{LIST}three/set/", {}).status_code == 404


def test_a_faulty_file_is_shown_with_its_cures(staff: Staff, settings: LazySettings, tmp_path: Path) -> None:
    path = tmp_path / "faulty.toml"
    path.write_text('[[provider]]\nname = "one"\n')
    settings.CARILLON = {**settings.CARILLON, "PROVIDERS_FILE": path}
    assert "adapter: is missing" in staff("auditor").get(LIST).content.decode()


def test_the_page_tells_of_a_circuit_a_stop_and_the_last_minutes(staff: Staff, two_accounts: Path) -> None:
    two_accounts.write_text(
        FILE.replace("weight = 30", 'options = {always = "down"}').replace(
            "weight = 10", 'priority = 2\noptions = {always = "misconfigured"}\ndaily_limit = 50'
        )
    )
    conf._accounts_of.cache_clear()
    message = PushMessage(id=delivery_id(1), token="token", platform=Platform.WEB)
    for _ in range(5):
        send_page(Channel.PUSH, [message], deadline=soon())
    text = " ".join(staff("auditor").get(LIST).content.decode().split())
    assert '<span class="badge is-off">circuit open</span>' in text
    assert '<span class="badge is-off">stopped</span>' in text
    assert "0 %<" in text
    assert "50 today" in text
