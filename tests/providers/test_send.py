from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from django.db import OperationalError
from pytest_django import Settings

from channels import store
from channels.provider import Capabilities
from channels.rules.magic import FORTUNES
from channels.send import send_page
from channels.store import Switch
from channels.vocabulary import (
    Channel,
    EmailMessage,
    InAppMessage,
    Message,
    Platform,
    PushMessage,
    SendOutcome,
    SendResult,
)
from tests.providers.conformance import delivery_id, soon

pytestmark = pytest.mark.django_db

Declare = Callable[[str], None]


@pytest.fixture
def declare(settings: Settings, tmp_path: Path) -> Declare:
    """Write a providers file and let it be the one."""

    def write(text: str) -> None:
        path = tmp_path / f"providers-{time.monotonic_ns()}.toml"
        path.write_text(text)
        settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": path}

    write("")
    return write


def account(name: str, channel: str = "email", more: str = "") -> str:
    return f'[[provider]]\nname = "{name}"\nadapter = "sandbox"\nchannel = "{channel}"\n{more}\n'


def always(word: str) -> str:
    return f'options = {{always = "{word}"}}'


def mail(number: int = 1, to: str = "alice@example.com", *, test: bool = False) -> EmailMessage:
    return EmailMessage(id=delivery_id(number), to=to, subject="Hello", text="words", test=test)


def push(number: int, platform: Platform) -> PushMessage:
    return PushMessage(id=delivery_id(number), token="token", platform=platform, title="Hello")


def outcomes(results: Sequence[SendResult]) -> list[tuple[str, str, str]]:
    return [(result.provider, result.outcome.value, result.code) for result in results]


def test_a_page_keeps_order_and_length(declare: Declare) -> None:
    declare(account("main"))
    page = [mail(number, f"sandbox-{word}@example.com") for number, word in enumerate(FORTUNES) if word != "slow"]
    results = send_page(Channel.EMAIL, page, deadline=soon())
    assert [result.id for result in results] == [message.id for message in page]
    assert [result.outcome for result in results] == [
        fortune.outcome for word, fortune in FORTUNES.items() if word != "slow"
    ]


def test_an_empty_page_is_an_empty_answer(declare: Declare) -> None:
    assert send_page(Channel.EMAIL, [], deadline=soon()) == []


def test_without_a_file_every_channel_has_its_sandbox_and_in_app_the_inbox(settings: Settings, tmp_path: Path) -> None:
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": None}
    assert send_page(Channel.EMAIL, [mail()], deadline=soon())[0].provider == "sandbox-email"
    assert send_page(Channel.PUSH, [push(1, Platform.WEB)], deadline=soon())[0].provider == "sandbox-push"
    entry = InAppMessage(id=delivery_id(1), recipient_id=1, notification_id=delivery_id(2), type="T", sealed=b"x")
    assert send_page(Channel.IN_APP, [entry], deadline=soon())[0].provider == "inbox"


def test_what_nobody_can_carry_has_no_provider(declare: Declare) -> None:
    declare(account("ios-only", "push", 'platforms = ["ios"]'))
    results = send_page(Channel.PUSH, [push(1, Platform.ANDROID), push(2, Platform.IOS)], deadline=soon())
    assert outcomes(results) == [("", "misconfigured", "no_provider"), ("ios-only", "accepted", "")]
    assert outcomes(send_page(Channel.SMS, [], deadline=soon())) == []


def test_each_platform_goes_to_the_account_that_reaches_it(declare: Declare) -> None:
    declare(account("apple", "push", 'platforms = ["ios"]') + account("others", "push", "priority = 2"))
    page = [push(1, Platform.IOS), push(2, Platform.WEB), push(3, Platform.IOS)]
    assert [one.provider for one in send_page(Channel.PUSH, page, deadline=soon())] == ["apple", "others", "apple"]


@pytest.mark.parametrize("word", ["down", "misconfigured"])
def test_what_an_account_definitely_did_not_take_goes_to_the_next(declare: Declare, word: str) -> None:
    declare(account("first", more=always(word)) + account("second", more="priority = 2"))
    (result,) = send_page(Channel.EMAIL, [mail()], deadline=soon())
    assert outcomes([result, *result.earlier]) == [
        ("second", "accepted", ""),
        ("first", FORTUNES[word].outcome.value, FORTUNES[word].code),
    ]


@pytest.mark.parametrize("word", ["ambiguous", "throttled", "dead", "bad-message", "accepted"])
def test_any_other_answer_is_the_last_one(declare: Declare, word: str) -> None:
    declare(account("first", more=always(word)) + account("second", more="priority = 2"))
    (result,) = send_page(Channel.EMAIL, [mail()], deadline=soon())
    assert (result.provider, result.earlier) == ("first", ())


def test_a_message_is_offered_to_three_accounts_in_one_call(declare: Declare) -> None:
    names = ["one", "two", "three", "four"]
    declare("".join(account(name, more=f"priority = {at}\n{always('down')}") for at, name in enumerate(names)))
    (result,) = send_page(Channel.EMAIL, [mail()], deadline=soon())
    assert [one.provider for one in (*result.earlier, result)] == ["one", "two", "three"]


def test_only_the_refused_part_of_a_page_moves_on(declare: Declare) -> None:
    declare(account("first") + account("second", more="priority = 2"))
    results = send_page(Channel.EMAIL, [mail(1), mail(2, "sandbox-down@example.com"), mail(3)], deadline=soon())
    assert [one.provider for one in results] == ["first", "second", "first"]
    assert [len(one.earlier) for one in results] == [0, 1, 0]


def test_a_switched_off_account_is_left_out_and_a_weight_is_obeyed(declare: Declare) -> None:
    declare(account("a") + account("b") + account("c"))
    store.set_switch("a", Switch(enabled=False, weight=None), by="test")
    store.set_switch("b", Switch(enabled=True, weight=0), by="test")
    providers = {send_page(Channel.EMAIL, [mail()], deadline=soon())[0].provider for _ in range(10)}
    assert providers == {"c"}


def test_test_messages_reach_the_sandbox_only(declare: Declare) -> None:
    declare(account("real", more=always("down")))
    results = send_page(Channel.EMAIL, [mail(1, test=True), mail(2), mail(3, test=True)], deadline=soon())
    assert [one.provider for one in results] == ["sandbox-email", "real", "sandbox-email"]
    assert [one.outcome for one in results][::2] == [SendOutcome.ACCEPTED] * 2


def test_after_the_deadline_nothing_is_sent(declare: Declare) -> None:
    declare(account("main"))
    results = send_page(Channel.EMAIL, [mail(1), mail(2)], deadline=time.monotonic() - 1)
    assert outcomes(results) == [("", "throttled", "page_deadline")] * 2


@pytest.mark.usefixtures("empty_redis")
def test_the_rate_of_an_account_is_kept_and_the_rest_is_told_when(declare: Declare) -> None:
    declare(account("slow-lane", more="rate_per_second = 10") + account("next", more="priority = 2"))
    results = send_page(Channel.EMAIL, [mail(number) for number in range(25)], deadline=soon())
    counts = [one.outcome for one in results]
    assert counts == [SendOutcome.ACCEPTED] * 10 + [SendOutcome.THROTTLED] * 15
    assert {(one.provider, one.code) for one in results[10:]} == {("slow-lane", "rate_limited")}
    assert all(0.9 < (one.retry_after_seconds or 0) <= 1.1 for one in results[10:])


@pytest.mark.usefixtures("redis_away")
def test_with_redis_away_the_process_keeps_the_rate_by_itself(declare: Declare) -> None:
    declare(account("alone", more="rate_per_second = 10"))
    results = send_page(Channel.EMAIL, [mail(number) for number in range(25)], deadline=soon())
    assert [one.outcome for one in results].count(SendOutcome.ACCEPTED) == 10


class Broken:
    """An adapter with every fault an adapter can have."""

    capabilities: ClassVar[Capabilities] = Capabilities(channels=frozenset({Channel.EMAIL}))
    fault: ClassVar[str] = "raises"

    def __init__(self, account: Any, secrets: Any) -> None:
        del account, secrets
        if self.fault == "construction":
            raise RuntimeError("cannot")

    def send_many(self, messages: Sequence[Message], *, deadline: float) -> list[SendResult]:
        del deadline
        answers = [SendResult(id=message.id, outcome=SendOutcome.ACCEPTED) for message in messages]
        if self.fault == "raises":
            raise RuntimeError("alice@example.com broke it")
        return {"short": answers[:-1], "shuffled": answers[::-1]}.get(self.fault, answers)

    def close(self) -> None:
        raise RuntimeError("cannot even close")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, declare: Declare) -> type[Broken]:
    module = ModuleType("channels.providers.broken")
    module.__spec__ = ModuleSpec("channels.providers.broken", None)
    module.ADAPTER = Broken  # type: ignore[attr-defined]  # as a module has it
    monkeypatch.setitem(sys.modules, "channels.providers.broken", module)
    declare(account("bad").replace('"sandbox"', '"broken"') + account("good", more="priority = 2"))
    return Broken


@pytest.mark.parametrize("fault", ["raises", "short", "shuffled"])
def test_an_adapter_that_breaks_off_answers_for_itself_and_is_not_sent_elsewhere(
    broken: type[Broken], monkeypatch: pytest.MonkeyPatch, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(broken, "fault", fault)
    results = send_page(Channel.EMAIL, [mail(1), mail(2)], deadline=soon())
    assert outcomes(results) == [("bad", "transient", "adapter_error")] * 2
    assert "alice@example.com" not in "".join(capfd.readouterr())


def test_an_adapter_that_cannot_be_built_is_misconfigured_and_the_next_one_sends(
    broken: type[Broken], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broken, "fault", "construction")
    (result,) = send_page(Channel.EMAIL, [mail()], deadline=soon())
    assert outcomes([result, *result.earlier]) == [
        ("good", "accepted", ""),
        ("bad", "misconfigured", "configuration_fault"),
    ]


def test_celerys_time_limit_is_not_taken_for_a_fault_of_the_adapter(
    broken: type[Broken], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = type("SoftTimeLimitExceeded", (Exception,), {"__module__": "billiard.exceptions"})

    def strike(self: Broken, messages: Sequence[Message], *, deadline: float) -> list[SendResult]:
        raise limit

    monkeypatch.setattr(broken, "send_many", strike)
    with pytest.raises(limit):
        send_page(Channel.EMAIL, [mail()], deadline=soon())


def test_a_database_that_fails_leaves_the_switches_as_last_known(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(account("a") + account("b", more="priority = 2"))
    store.set_switch("a", Switch(enabled=False, weight=None), by="test")
    assert send_page(Channel.EMAIL, [mail()], deadline=soon())[0].provider == "b"

    def fail() -> dict[str, Switch]:
        raise OperationalError

    monkeypatch.setattr("channels.policy.SWITCH_AGE_SECONDS", -1.0)
    monkeypatch.setattr(store, "provider_switches", fail)
    assert send_page(Channel.EMAIL, [mail()], deadline=soon())[0].provider == "b"


def test_magic_addresses_say_nothing_about_the_account(declare: Declare) -> None:
    declare(account("main"))
    words = ["down", "misconfigured", "throttled", "ambiguous"]
    for word in words:
        send_page(Channel.EMAIL, [mail(at, f"sandbox-{word}@example.com") for at in range(10)], deadline=soon())
    assert outcomes(send_page(Channel.EMAIL, [mail()], deadline=soon())) == [("main", "accepted", "")]
