from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from channels import conf, policy, registry
from channels.conf import Secret
from channels.errors import ConfigurationFault
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import Channel


def declared(settings: Settings, tmp_path: Path, text: str) -> Path:
    path = tmp_path / "providers.toml"
    path.write_text(text)
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": path}
    conf._accounts_of.cache_clear()
    return path


def found(settings: Settings, tmp_path: Path, text: str) -> list[tuple[str | None, str]]:
    """Ids and messages of this app's checks, without the file's path."""
    path = declared(settings, tmp_path, text)
    checks = [check for check in run_checks() if (check.id or "").startswith("channels.")]
    return [(check.id, check.msg.removeprefix(f"{path}: ")) for check in checks]


MAIN = '[[provider]]\nname = "main"\nadapter = "{}"\nchannel = "{}"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = [", ("channels.E001", "is not TOML: ")),
        ("provider = 5", ("channels.E001", "provider: write [[provider]]")),
        ("[provider]\nname = 'x'", ("channels.E001", "provider: write [[provider]]")),
        ("[[providers]]", ("channels.E001", "providers: unknown")),
        (MAIN.format("sandbox", "pigeon"), ("channels.E002", 'provider "main": channel: must be one of push')),
        (MAIN.format("pigeon", "email"), ("channels.E003", 'provider "main": adapter: unknown adapter')),
        (MAIN.format("fcm", "email"), ("channels.E003", 'provider "main": adapter: unknown adapter')),
        (
            MAIN.format("inbox", "in_app") + "base_url = 'http://x'",
            ("channels.E002", 'provider "main": base_url: inbox'),
        ),
        (
            MAIN.format("smtp", "email") + "options = {from_email = 'a@example.com'}",
            ("channels.E002", 'provider "main": base_url: is missing'),
        ),
        (
            MAIN.format("sandbox", "email") + "options = {latency = 5}",
            ("channels.E004", 'provider "main": options.latency'),
        ),
        (
            MAIN.format("sandbox", "email") + "options = {latency_ms = 'x'}",
            ("channels.E004", 'provider "main": options.latency_ms: must be a whole number'),
        ),
        (
            MAIN.format("fcm", "push") + "options = {project_id = 'p'}",
            ("channels.E005", 'provider "main": secrets.service_account: is missing'),
        ),
        (
            MAIN.format("fcm", "push") + "options = {project_id = 'p'}\nsecrets = {service_account = 'env:NOT_SET'}",
            ("channels.E005", 'provider "main": secrets.service_account: set the environment variable NOT_SET'),
        ),
        (
            MAIN.format("fcm", "push") + "options = {project_id = 'p'}\nsecrets = {service_account = 'file:/nope'}",
            ("channels.E005", 'provider "main": secrets.service_account: make /nope readable'),
        ),
        (
            MAIN.format("sandbox", "email") + "secrets = {key = 'hunter2'}",
            ("channels.E005", 'provider "main": secrets: key'),
        ),
        (MAIN.format("sandbox", "email") * 2, ("channels.E002", 'provider "main": name: is used twice')),
        (
            MAIN.format("sandbox", "email").replace("main", "sandbox-sms"),
            ("channels.E002", 'provider "sandbox-sms": name: is the built-in'),
        ),
        ("[[provider]]\nadapter = 'sandbox'\nchannel = 'sms'", ("channels.E002", "provider 1: name: is missing")),
        (
            MAIN.format("smtp", "email")
            + "base_url = 'smtp://127.0.0.1'\nca_file = '/nope'\noptions = {from_email = 'a@example.com'}",
            ("channels.E002", 'provider "main": ca_file: make /nope readable'),
        ),
    ],
)
def test_a_fault_stops_the_start_and_names_file_entry_key_and_cure(
    settings: Settings, tmp_path: Path, text: str, fault: tuple[str, str]
) -> None:
    ((check_id, message),) = found(settings, tmp_path, text)
    assert check_id == fault[0]
    assert message.startswith(fault[1])
    assert "hunter2" not in message


def test_all_faults_of_a_file_are_told_at_once(settings: Settings, tmp_path: Path) -> None:
    text = MAIN.format("sandbox", "pigeon") + "weight = -1\n" + MAIN.format("sandbox", "sms") + "colour = 'blue'\n"
    assert len(found(settings, tmp_path, text)) == 3


def test_a_missing_file_says_so(settings: Settings, tmp_path: Path) -> None:
    settings.CARILLON = {**settings.CARILLON, "PROVIDERS_FILE": tmp_path / "nowhere.toml"}
    (fault,) = registry.faults()
    assert str(fault).startswith(f"{tmp_path}/nowhere.toml: cannot be read (No such file or directory)")


def test_without_a_file_nothing_is_wrong(settings: Settings) -> None:
    settings.CARILLON = {**settings.CARILLON, "PROVIDERS_FILE": None}
    assert registry.faults() == []
    assert [account.name for account in conf.accounts()] == ["sandbox-push", "sandbox-sms", "sandbox-email", "inbox"]


def test_channels_without_an_account_are_warned_of(settings: Settings, tmp_path: Path) -> None:
    warnings = found(settings, tmp_path, MAIN.format("sandbox", "email"))
    assert [(check_id, message.partition(":")[0]) for check_id, message in warnings] == [
        ("channels.W001", "no account carries push"),
        ("channels.W001", "no account carries sms"),
    ]


SENDER = """
[[provider]]
name = "{name}"
adapter = "smtp"
channel = "{channel}"
base_url = "smtp://127.0.0.1:25"
options = {{from_email = "shop@{domain}"}}
"""


def test_mail_accounts_of_different_domains_are_warned_of(settings: Settings, tmp_path: Path) -> None:
    """DKIM and DMARC are a domain's: an account that takes over must be able to sign for the same one (R171)."""
    one, same, other = (
        SENDER.format(name=name, channel="email", domain=domain)
        for name, domain in (("a", "example.com"), ("b", "EXAMPLE.com"), ("c", "mail.example.com"))
    )
    rest = MAIN.format("sandbox", "push") + MAIN.format("sandbox", "sms").replace("main", "rest")
    assert found(settings, tmp_path, one + same + rest) == []
    ((check_id, message),) = found(settings, tmp_path, one + same + other + rest)
    assert check_id == "channels.W003"
    assert message == "e-mail accounts send from different domains (example.com: a, b; mail.example.com: c)"


def test_a_secret_is_read_when_it_is_needed_and_never_shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    monkeypatch.setenv("KEY", "hunter3")
    secrets = [conf.resolve(SecretRef("file", str(tmp_path / "key"))), conf.resolve(SecretRef("env", "KEY"))]
    assert [secret.reveal() for secret in secrets] == ["hunter2", "hunter3"]
    assert "hunter" not in f"{secrets} {secrets[0]}"


@pytest.mark.parametrize(("content", "cure"), [("", "the file is empty"), ("\xff", "not text")])
def test_a_secret_file_without_a_secret_is_told(tmp_path: Path, content: str, cure: str) -> None:
    (tmp_path / "key").write_bytes(content.encode("latin-1"))
    with pytest.raises(LookupError, match=cure):
        conf.resolve(SecretRef("file", str(tmp_path / "key")))


def sandbox(**options: Any) -> Account:
    return Account(name="box", adapter="sandbox", channel=Channel.EMAIL, options=options)


def test_an_adapter_is_built_once_and_anew_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    first = registry.adapter_of(sandbox())
    assert registry.adapter_of(sandbox()) is first
    monkeypatch.setattr(registry._workshop, "pid", os.getpid() + 1)
    assert registry.adapter_of(sandbox()) is not first


def test_a_failure_to_build_is_remembered_only_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(
        name="fcm",
        adapter="fcm",
        channel=Channel.PUSH,
        options={"project_id": "p"},
        secrets={"service_account": SecretRef("env", "LATE_KEY")},
    )
    faults = []
    for seconds in (policy.REBUILD_AFTER_SECONDS, policy.REBUILD_AFTER_SECONDS, -1.0):
        monkeypatch.setattr(policy, "REBUILD_AFTER_SECONDS", seconds)
        with pytest.raises(ConfigurationFault) as fault:
            registry.adapter_of(account)
        faults.append(fault.value)
    assert faults[0] is faults[1]
    assert faults[2] is not faults[0]


def test_refused_credentials_are_read_again_at_the_next_page(monkeypatch: pytest.MonkeyPatch) -> None:
    first = registry.adapter_of(sandbox())
    registry.rebuild(sandbox())
    assert registry.adapter_of(sandbox()) is first
    monkeypatch.setattr(policy, "REBUILD_AFTER_SECONDS", -1.0)
    registry.rebuild(sandbox())
    assert registry.adapter_of(sandbox()) is not first


def test_the_example_of_the_docs_is_toml_that_reads() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "providers.md").read_text()
    examples = [part.partition("```")[0] for part in text.split("```toml\n")[1:]]
    assert examples
    for example in examples:
        assert all(entry["name"] for entry in tomllib.loads(example)["provider"])


def test_a_secret_has_no_text_of_its_own() -> None:
    assert repr(Secret("hunter2")) == "Secret(…)"
