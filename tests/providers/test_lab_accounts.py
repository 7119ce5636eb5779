"""The lab as a providers file, and its keys when they are replaced."""

from __future__ import annotations

import json
from pathlib import Path

from channels import registry
from channels.conf import read_accounts
from channels.provider import faults_of
from channels.rules.accounts import SecretRef
from channels.vocabulary import Platform, PushMessage, SendOutcome
from config.lab.accounts import ENTRIES, entry_of, providers_file
from tests.bench.lab import Lab as FreshLab
from tests.providers.conformance import build, delivery_id, soon
from tests.providers.conftest import Lab


def test_every_stand_in_is_an_account_without_a_fault(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(providers_file(entry_of(name, lab.places) for name in ENTRIES), encoding="utf-8")
    accounts = [account for account in read_accounts(file) if account.adapter in ENTRIES]
    assert {account.name for account in accounts} == set(ENTRIES)
    faults = [faults_of(one, registry.adapter_class(one).capabilities, file="") for one in accounts]
    assert faults == [[]] * len(ENTRIES)


def test_an_entry_takes_what_is_asked_of_it_over_what_is_usual(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    entry = entry_of("twilio", lab.places, name="first", priority=3, breaker={"open_seconds": 2.5}, regions=["GB"])
    file.write_text(providers_file([entry]), encoding="utf-8")
    account = read_accounts(file)[0]
    assert (account.name, account.adapter, account.priority) == ("first", "twilio", 3)
    assert (account.breaker.open_seconds, account.regions) == (2.5, frozenset({"GB"}))


def test_a_rotated_key_is_refused_from_then_on_and_the_next_one_taken(tmp_path: Path) -> None:
    push = PushMessage(id=delivery_id(1), token="t1", platform=Platform.ANDROID, title="Hi", body="words")
    with FreshLab(tmp_path) as fresh:
        fcm = Lab(fresh.places).fcm()
        old = build(fcm)
        assert [one.outcome for one in old.send_many([push], deadline=soon())] == [SendOutcome.ACCEPTED]
        path = json.loads(fresh.ask("fcm", "POST", "/__rotate"))["service_account_file"]
        assert [one.outcome for one in old.send_many([push], deadline=soon())] == [SendOutcome.MISCONFIGURED]
        new = build(Lab(fresh.places).fcm(name="fcm-next", secrets={"service_account": SecretRef("file", path)}))
        assert [one.outcome for one in new.send_many([push], deadline=soon())] == [SendOutcome.ACCEPTED]
