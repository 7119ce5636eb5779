from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from channels import conf
from channels.errors import ConfigurationFault
from channels.provider import Provider
from channels.rules.accounts import Account
from channels.rules.magic import FORTUNES
from channels.vocabulary import Channel, EmailMessage, InAppMessage, Message, Platform, PushMessage, SmsMessage
from tests.providers.conformance import ProviderConformance, build, delivery_id, soon


@pytest.fixture(autouse=True)
def _home(settings: Settings, tmp_path: Path) -> None:
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path}


class TestSandbox(ProviderConformance):
    private = ("token-of-alice", "plain words")

    @pytest.fixture
    def account(self) -> Account:
        return conf.sandbox_account(Channel.PUSH)

    def message(self, number: int, text: str = "plain words") -> Message:
        return PushMessage(
            id=delivery_id(number), token="token-of-alice", platform=Platform.IOS, title="Hello", body=text
        )


def mail_to(address: str) -> EmailMessage:
    return EmailMessage(id=delivery_id(1), to=address, subject="Hello", text="words")


@pytest.mark.parametrize("word", [word for word in FORTUNES if word != "slow"])
def test_a_magic_address_gives_its_outcome(word: str) -> None:
    adapter = build(conf.sandbox_account(Channel.EMAIL))
    (result,) = adapter.send_many([mail_to(f"sandbox-{word}@example.com")], deadline=soon())
    expected = FORTUNES[word]
    assert (result.outcome, result.receipt, result.code) == (expected.outcome, expected.receipt, expected.code)
    assert result.retry_after_seconds == expected.retry_after_seconds


def test_the_slow_address_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.policy.SANDBOX_SLOW_SECONDS", 0.2)
    adapter = build(conf.sandbox_account(Channel.SMS))
    started = time.monotonic()
    (result,) = adapter.send_many([SmsMessage(id=delivery_id(1), to="+15005550005", text="x")], deadline=soon())
    assert time.monotonic() - started >= 0.2
    assert result.latency_ms >= 200


def lines_of(home: Path, channel: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "sandbox" / f"{channel}.jsonl").read_text().splitlines()]


def test_what_it_got_lies_in_a_file_only_its_owner_can_read(tmp_path: Path) -> None:
    adapter = build(conf.sandbox_account(Channel.EMAIL))
    adapter.send_many([mail_to("alice@example.com"), mail_to("sandbox-bounced@example.com")], deadline=soon())
    lines = lines_of(tmp_path, "email")
    assert [(line["to"], line["outcome"], line["receipt"]) for line in lines] == [
        ("alice@example.com", "accepted", "delivered"),
        ("sandbox-bounced@example.com", "accepted", "bounced"),
    ]
    assert lines[0]["text"] == "words"
    mode = os.stat(tmp_path / "sandbox" / "email.jsonl").st_mode  # noqa: PTH116 - the mode is the point
    assert stat.S_IMODE(mode) == 0o600


def test_it_takes_in_app_messages_of_test_keys(tmp_path: Path) -> None:
    adapter = build(conf.sandbox_account(Channel.IN_APP))
    message = InAppMessage(id=delivery_id(1), recipient_id=5, notification_id=UUID(int=9), type="T", sealed=b"\0\xff")
    adapter.send_many([message], deadline=soon())
    assert lines_of(tmp_path, "in_app")[0]["sealed"] == "AP8="


def test_a_full_file_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.policy.SANDBOX_FILE_BYTES", 10)
    adapter = build(conf.sandbox_account(Channel.EMAIL))
    for _ in range(2):
        adapter.send_many([mail_to("alice@example.com")], deadline=soon())
    assert len(lines_of(tmp_path, "email")) == 1
    assert (tmp_path / "sandbox" / "email.jsonl.1").exists()


def sandbox_with(**options: Any) -> Provider[Any]:
    return build(Account(name="drill", adapter="sandbox", channel=Channel.EMAIL, options=options))


def test_an_account_can_be_told_what_to_answer_always() -> None:
    (result,) = sandbox_with(always="down").send_many([mail_to("alice@example.com")], deadline=soon())
    assert result.code == "provider_down"


def test_an_unknown_word_is_a_fault_of_the_file() -> None:
    with pytest.raises(ConfigurationFault, match=r"options\.always: must be one of delivered"):
        sandbox_with(always="lucky")


def test_latency_is_the_pages_not_each_messages() -> None:
    adapter = sandbox_with(latency_ms=100)
    started = time.monotonic()
    adapter.send_many([mail_to("alice@example.com")] * 50, deadline=soon())
    assert 0.1 <= time.monotonic() - started < 1
