"""Provider accounts: their scorecards, and the switch operators' programs hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from channels import store
from channels.models import ProviderSwitch
from channels.rules.gate import Why
from channels.send import send_page
from channels.store import Switch
from channels.vocabulary import Channel, EmailMessage
from notify.models import ApiKey
from notify.vocabulary import Scope
from tests.factories import Api, make_key
from tests.providers.conformance import delivery_id, soon

FILE = """
[[provider]]
name = "down"
adapter = "sandbox"
channel = "email"
options = {always = "down"}

[[provider]]
name = "busy"
adapter = "sandbox"
channel = "email"
priority = 2
rate_per_second = 0.01
options = {always = "throttled"}

[[provider]]
name = "refused"
adapter = "sandbox"
channel = "sms"
options = {always = "misconfigured"}

[[provider]]
name = "well"
adapter = "sandbox"
channel = "sms"
weight = 50
daily_limit = 100
"""


@pytest.fixture(autouse=True)
def _accounts(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "providers.toml"
    path.write_text(FILE)
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": path}


def mails(count: int) -> list[EmailMessage]:
    return [EmailMessage(id=delivery_id(at), to="alice@example.com", text="words") for at in range(count)]


def fail_five_times() -> None:
    """A page of the sandbox is one request."""
    for _ in range(5):
        send_page(Channel.EMAIL, mails(1), deadline=soon())


def cards(api: Api) -> dict[str, dict[str, Any]]:
    answer = api.get("/v1/providers")
    assert answer.status_code == 200
    return {card["name"]: card for card in answer.json()["data"]}


def test_accounts_are_listed_in_the_order_in_which_they_are_tried(api: Api) -> None:
    assert list(cards(api)) == ["down", "busy", "refused", "well", "inbox"]


def test_an_account_nobody_has_asked_is_as_the_file_says(api: Api) -> None:
    assert cards(api)["well"] == {
        "name": "well",
        "adapter": "sandbox",
        "channel": "sms",
        "enabled": True,
        "priority": 1,
        "weight": 50,
        "effective_weight": 50.0,
        "breaker_state": "closed",
        "failure_count": 0,
        "last_failure_at": None,
        "open_until": None,
        "backoff_until": None,
        "stopped": None,
        "rate_left": None,
        "daily_left": 100,
        "recent": {
            "sound": 0,
            "faults": 0,
            "throttled": 0,
            "refused": 0,
            "success_rate": None,
            "mean_ms": None,
            "p95_ms": None,
        },
    }


def test_the_card_tells_what_became_of_the_traffic(api: Api) -> None:
    fail_five_times()
    send_page(Channel.EMAIL, mails(8), deadline=soon())
    down, busy = (cards(api)[name] for name in ("down", "busy"))
    assert (down["breaker_state"], down["recent"]["faults"], down["recent"]["success_rate"]) == ("open", 5, 0.0)
    assert down["open_until"] > down["last_failure_at"]
    assert busy["backoff_until"] is not None
    assert (busy["rate_left"], busy["breaker_state"], busy["recent"]["throttled"]) == (0, "closed", 1)


def test_a_circuit_that_opened_and_a_stop_are_gauges_and_counters(api: Api, stranger: Api) -> None:
    fail_five_times()
    held = send_page(Channel.EMAIL, mails(5), deadline=soon())
    assert {one.code for one in held} == {Why.BACKING_OFF}
    text = stranger.get("/metrics").content.decode()
    assert 'provider_circuit_state{channel="email",provider="down"} 2.0' in text
    assert 'provider_stopped{channel="sms",provider="refused"} 0.0' in text
    assert 'provider_held_total{provider="down",reason="circuit_open"}' in text
    assert 'provider_changes_total{change="opened",provider="down"}' in text


def test_a_switch_and_a_weight_are_set_by_themselves_and_signed(api: Api) -> None:
    assert api.patch("/v1/providers/well", {"weight": 7}).json()["weight"] == 7
    answer = api.patch("/v1/providers/well", {"enabled": False})
    assert answer.status_code == 200
    assert (answer.json()["enabled"], answer.json()["weight"]) == (False, 7)
    assert api.patch("/v1/providers/well", {"enabled": True, "weight": None}).json()["weight"] == 50
    assert store.provider_switches() == {"well": Switch(enabled=True, weight=None)}
    assert ProviderSwitch.objects.get().updated_by == f"API key {ApiKey.objects.get().pk}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"enabled": "yes"}, "invalid_enabled"),
        ({"weight": -1}, "invalid_weight"),
        ({"weight": 1.5}, "invalid_weight"),
        ({"weight": 10**9}, "invalid_weight"),
        ({"priority": 1}, "unknown_field"),
    ],
)
def test_what_cannot_be_set_is_refused_by_its_field(api: Api, body: dict[str, Any], code: str) -> None:
    answer = api.patch("/v1/providers/well", body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    assert store.provider_switches() == {}


def test_an_account_that_is_not_declared_is_not_found(api: Api) -> None:
    answer = api.patch("/v1/providers/other", {"enabled": False})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_provider")


@pytest.mark.django_db
def test_reading_and_operating_are_scopes_of_their_own() -> None:
    reader, operator = Api(make_key(scopes=(Scope.READ,))), Api(make_key(scopes=(Scope.OPERATE,)))
    assert reader.patch("/v1/providers/well", {"weight": 1}).status_code == 403
    assert operator.get("/v1/providers").status_code == 403
    assert operator.patch("/v1/providers/well", {"weight": 1}).status_code == 200
