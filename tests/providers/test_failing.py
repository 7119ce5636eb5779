"""What happens around an account that fails: circuit, back-off, stop, day, and who is asked instead."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import msgspec
import pytest
from pytest_django import Settings

from channels import conf, gate, policy, quota, redis_state, store
from channels.provider import Capabilities
from channels.rules.breaker import State
from channels.rules.tally import Tally
from channels.send import send_page
from channels.transport import Fate, Request, Transport
from channels.vocabulary import Channel, EmailMessage, Message, SendOutcome, SendResult, SmsMessage
from tests.providers.conformance import delivery_id, soon
from tests.providers.conftest import ROOT
from tests.providers.peers import HttpPeer, http_answer
from tests.providers.waiting import eventually, pause

pytestmark = pytest.mark.django_db

#: What an account does with a message, by its place among all it ever got.
Play = Callable[[int], SendOutcome]


class Scripted:
    """An adapter that answers as its account's script says, and remembers what it was handed."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.EMAIL, Channel.SMS}), optional_secrets=frozenset({"key"})
    )
    plays: ClassVar[dict[str, Play]] = {}
    handed: ClassVar[dict[str, list[int]]] = {}
    #: Secrets that are taken; None: any.
    taken: ClassVar[str | None] = None
    retry_after: ClassVar[float | None] = None

    def __init__(self, account: Any, secrets: Any) -> None:
        self._name = account.name
        self._key = secrets["key"].reveal() if "key" in secrets else ""

    def send_many(self, messages: Sequence[Message], *, deadline: float) -> list[SendResult]:
        del deadline
        pages = self.handed.setdefault(self._name, [])
        first = sum(pages)
        pages.append(len(messages))
        return [self._answer(message, first + at) for at, message in enumerate(messages)]

    def _answer(self, message: Message, at: int) -> SendResult:
        refused = self.taken is not None and self._key != self.taken
        outcome = SendOutcome.MISCONFIGURED if refused else self.plays.get(self._name, well)(at)
        wait = self.retry_after if outcome is SendOutcome.THROTTLED else None
        return SendResult(
            id=message.id,
            outcome=outcome,
            provider=self._name,
            code="" if outcome is SendOutcome.ACCEPTED else outcome.value,
            retry_after_seconds=wait,
            started_at=time.time(),
            latency_ms=5.0,
        )

    def close(self) -> None:
        """Nothing is kept open."""


def well(at: int) -> SendOutcome:
    return SendOutcome.ACCEPTED if at >= 0 else SendOutcome.TRANSIENT


def always(outcome: SendOutcome) -> Play:
    return lambda _: outcome


down = always(SendOutcome.TRANSIENT)


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("channels.providers.scripted")
    module.__spec__ = ModuleSpec("channels.providers.scripted", None)
    module.ADAPTER = Scripted  # type: ignore[attr-defined]  # as a module has it
    monkeypatch.setitem(sys.modules, "channels.providers.scripted", module)
    monkeypatch.setattr(Scripted, "plays", {})
    monkeypatch.setattr(Scripted, "handed", {})
    monkeypatch.setattr(policy, "REOPEN_SPREAD_SECONDS", 0.0)


@pytest.fixture
def declare(settings: Settings, tmp_path: Path) -> Callable[..., None]:
    """Scripted accounts in order of priority, by name and with whatever more they declare."""

    def write(channel: str = "email", **accounts: str) -> None:
        path = tmp_path / f"providers-{time.monotonic_ns()}.toml"
        path.write_text(
            "".join(
                f'[[provider]]\nname = "{name}"\nadapter = "scripted"\nchannel = "{channel}"\npriority = {at}\n{more}\n'
                for at, (name, more) in enumerate(accounts.items())
            )
        )
        settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": path}

    return write


def mails(count: int, **more: Any) -> list[EmailMessage]:
    return [EmailMessage(id=delivery_id(at), to="alice@example.com", text="words", **more) for at in range(count)]


def send(count: int = 1, **more: Any) -> list[SendResult]:
    return send_page(Channel.EMAIL, mails(count, **more), deadline=soon())


def outcomes(results: Sequence[SendResult]) -> set[tuple[str, str, str]]:
    return {(result.provider, result.outcome.value, result.code) for result in results}


def state_of(name: str) -> State:
    known = gate.read([name])[name].gate
    return State.CLOSED if known is None else known.breaker.state


@pytest.fixture(params=["shared", "alone"])
def memory(request: pytest.FixtureRequest) -> str:
    """The same with Redis, and with each process on its own."""
    if request.param == "alone":
        request.getfixturevalue("redis_away")
    return str(request.param)


@pytest.mark.usefixtures("memory")
def test_after_five_faults_in_a_row_the_next_account_is_asked_at_once(declare: Any) -> None:
    declare(first="", second="")
    Scripted.plays["first"] = down
    for _ in range(8):
        send()
    assert Scripted.handed == {"first": [1] * 5, "second": [1] * 8}
    assert state_of("first") is State.OPEN


@pytest.mark.usefixtures("memory")
def test_with_nobody_left_the_page_waits_for_the_circuit_and_nobody_was_asked(declare: Any) -> None:
    declare(only="")
    Scripted.plays["only"] = down
    send(5)
    (result,) = send()
    assert outcomes([result]) == {("only", "throttled", "circuit_open")}
    assert 29 < (result.retry_after_seconds or 0) <= 30


@pytest.mark.usefixtures("memory")
def test_a_success_in_between_ends_the_run(declare: Any) -> None:
    declare(first="", second="")
    Scripted.plays["first"] = lambda at: SendOutcome.ACCEPTED if at % 5 == 4 else SendOutcome.TRANSIENT
    for _ in range(15):
        send()
    assert Scripted.handed["first"] == [1] * 15


@pytest.mark.parametrize(
    "outcome", [SendOutcome.BAD_RECIPIENT, SendOutcome.BAD_MESSAGE, SendOutcome.ACCEPTED, SendOutcome.THROTTLED]
)
def test_what_is_not_the_providers_fault_opens_nothing(declare: Any, outcome: SendOutcome) -> None:
    declare(first="")
    Scripted.plays["first"] = always(outcome)
    send(50)
    assert state_of("first") is State.CLOSED


def test_a_brown_out_of_half_a_page_opens_the_circuit(declare: Any) -> None:
    declare(first="", second="")
    Scripted.plays["first"] = lambda at: SendOutcome.ACCEPTED if at % 2 else SendOutcome.AMBIGUOUS
    send(500)
    assert state_of("first") is State.OPEN
    assert outcomes(send(10)) == {("second", "accepted", "")}


@pytest.mark.usefixtures("memory")
def test_three_probes_decide_the_rest_goes_elsewhere_and_the_primary_gets_its_traffic_back(declare: Any) -> None:
    declare(first="breaker = {open_seconds = 0.2}", second="")
    Scripted.plays["first"] = down
    send(5)
    Scripted.plays["first"] = well
    eventually(lambda: len(Scripted.handed["first"]) > 1 or not send(50))
    assert Scripted.handed["first"] == [5, 3]
    assert state_of("first") is State.CLOSED
    assert outcomes(send(50)) == {("first", "accepted", "")}


@pytest.mark.usefixtures("memory")
def test_a_fault_of_a_probe_opens_the_circuit_again(declare: Any) -> None:
    declare(first="breaker = {open_seconds = 0.2}", second="")
    Scripted.plays["first"] = down
    send(5)
    eventually(lambda: len(Scripted.handed["first"]) > 1 or not send(50))
    assert Scripted.handed["first"] == [5, 3]
    assert state_of("first") is State.OPEN


def test_a_probe_that_was_lost_with_its_worker_frees_its_place(declare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "CONNECT_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(policy, "PROBE_LEASE_SECONDS", 0.1)
    declare(first="timeout_seconds = 0.1\nbreaker = {open_seconds = 0.1}", second="")
    Scripted.plays["first"] = down
    send(5)
    killed = type("WorkerLost", (Exception,), {"__module__": "billiard.exceptions"})

    def die(at: int) -> SendOutcome:
        raise killed

    Scripted.plays["first"] = die
    pause(0.11)
    with pytest.raises(killed):
        send(3)
    assert outcomes(send(5)) == {("second", "accepted", "")}
    Scripted.plays["first"] = well
    eventually(lambda: send()[0].provider == "first")


def test_answers_from_before_the_circuit_opened_count_for_nothing(declare: Any) -> None:
    declare(first="breaker = {open_seconds = 0.1}")
    account = next(one for one in conf.accounts() if one.name == "first")
    late = gate.admit(account, 10, token="late", fingerprint="")
    Scripted.plays["first"] = down
    send(5)
    pause(0.11)
    assert gate.admit(account, 10, token="probes", fingerprint="").granted == 3
    gate.report(account, late, Tally(sound=10), token="late", fingerprint="")
    assert state_of("first") is State.HALF_OPEN


SCRIPT = """
import sys, django
django.setup()
from channels import gate
from channels.rules.accounts import Account
from channels.rules.breaker import BreakerTerms
from channels.rules.tally import Tally
from channels.vocabulary import Channel
terms = BreakerTerms(open_seconds=0.1)
account = Account(name="among-processes", adapter="scripted", channel=Channel.EMAIL, breaker=terms)
token = gate.new_token()
admission = gate.admit(account, 10, token=token, fingerprint="")
if sys.argv[1:] == ["fail"]:
    gate.report(account, admission, Tally(faults=2), token=token, fingerprint="")
sys.exit(admission.granted)
"""


def other_process(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *arguments], cwd=ROOT)


def granted_by(processes: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    return [process.wait(timeout=60) for process in processes]


def test_processes_open_a_circuit_together_and_share_three_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", conf.redis_url())
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "config.settings")
    assert granted_by([other_process("fail") for _ in range(3)]) == [10, 10, 10]
    assert state_of("among-processes") is State.OPEN
    assert sum(granted_by([other_process() for _ in range(3)])) == 3


@pytest.mark.usefixtures("memory")
def test_a_429_stops_the_account_for_as_long_as_it_says_and_is_not_evaded(
    declare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(first="", second="")
    Scripted.plays["first"] = always(SendOutcome.THROTTLED)
    monkeypatch.setattr(Scripted, "retry_after", 7.0)
    send(3)
    (result,) = send()
    assert outcomes([result]) == {("first", "throttled", "backing_off")}
    assert 6 < (result.retry_after_seconds or 0) <= 7
    assert Scripted.handed == {"first": [3]}
    assert state_of("first") is State.CLOSED


@pytest.mark.parametrize(("asked", "obeyed"), [(None, 60.0), (float("nan"), 60.0), (-5.0, 60.0), (1e12, 900.0)])
def test_a_wait_that_is_missing_or_absurd_is_a_usual_one(
    declare: Any, monkeypatch: pytest.MonkeyPatch, asked: float | None, obeyed: float
) -> None:
    declare(first="")
    Scripted.plays["first"] = always(SendOutcome.THROTTLED)
    monkeypatch.setattr(Scripted, "retry_after", asked)
    (first,) = send()
    (second,) = send()
    assert first.retry_after_seconds in {None, obeyed}
    assert obeyed - 1 < (second.retry_after_seconds or 0) <= obeyed


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an account's key, which has been revoked."""
    monkeypatch.setattr(policy, "SECRETS_AGE_SECONDS", 0.0)
    monkeypatch.setattr(Scripted, "taken", "the new key")
    path = tmp_path / "key"
    path.write_text("the old key")
    return path


@pytest.mark.usefixtures("memory")
def test_a_revoked_key_costs_one_page_and_a_new_one_is_taken_up_without_a_restart(declare: Any, key: Path) -> None:
    declare(first=f'secrets = {{key = "file:{key}"}}')
    assert outcomes(send(20)) == {("first", "misconfigured", "misconfigured")}
    for _ in range(5):
        assert outcomes(send(20)) == {("first", "misconfigured", "account_stopped")}
    assert Scripted.handed == {"first": [20]}
    key.write_text("the new key")
    assert outcomes(send(20)) == {("first", "accepted", "")}


def test_the_traffic_of_a_stopped_account_goes_to_one_that_is_well(declare: Any, key: Path) -> None:
    declare(first=f'secrets = {{key = "file:{key}"}}', second='secrets = {key = "env:ANOTHER_KEY"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANOTHER_KEY", "the new key")
        send(20)
        assert outcomes(send(20)) == {("second", "accepted", "")}
    assert Scripted.handed == {"first": [20], "second": [20, 20]}


@pytest.mark.usefixtures("memory")
def test_a_key_that_is_taken_again_is_found_out_by_one_message(
    declare: Any, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "STOP_RETRY_SECONDS", 0.1)
    declare(first=f'secrets = {{key = "file:{key}"}}')
    send(20)
    pause(0.11)
    assert outcomes(send(20)) == {
        ("first", "misconfigured", "misconfigured"),
        ("first", "misconfigured", "account_stopped"),
    }
    assert Scripted.handed == {"first": [20, 1]}
    monkeypatch.setattr(Scripted, "taken", "the old key")
    pause(0.11)
    send(20)
    assert Scripted.handed == {"first": [20, 1, 1]}
    assert outcomes(send(20)) == {("first", "accepted", "")}


def test_a_refusal_of_a_part_of_the_messages_stops_nobody(declare: Any) -> None:
    declare(first="")
    Scripted.plays["first"] = lambda at: SendOutcome.MISCONFIGURED if at % 2 else SendOutcome.ACCEPTED
    send(20)
    assert outcomes(send(2)) == {("first", "misconfigured", "misconfigured"), ("first", "accepted", "")}


def test_a_daily_limit_holds_over_a_flush_and_what_failed_is_given_back(declare: Any) -> None:
    declare(first="daily_limit = 10", second="")
    Scripted.plays["first"] = lambda at: SendOutcome.BAD_MESSAGE if at < 2 else SendOutcome.ACCEPTED
    send(6)
    redis_state._client().redis.flushdb()
    quota.forget()
    results = send(10)
    assert [result.provider for result in results] == ["first"] * 6 + ["second"] * 4
    assert store.used_of_day(datetime.now(UTC).date()) == {"first": 10}
    assert outcomes(send(3)) == {("second", "accepted", "")}


def test_a_spent_day_with_nobody_left_waits_and_uses_no_attempt(declare: Any) -> None:
    declare(first="daily_limit = 1")
    results = send(2)
    assert [(one.outcome.value, one.code) for one in results] == [("accepted", ""), ("throttled", "daily_limit")]
    assert 0 < (results[1].retry_after_seconds or 0) <= policy.BACKOFF_CAP_SECONDS


def test_what_may_be_repeated_goes_elsewhere_though_its_fate_is_unknown(declare: Any) -> None:
    declare(first="", second="")
    Scripted.plays["first"] = always(SendOutcome.AMBIGUOUS)
    (held,) = send()
    (repeated,) = send(may_repeat=True)
    assert (held.provider, held.outcome) == ("first", SendOutcome.AMBIGUOUS)
    assert outcomes([repeated]) == {("second", "accepted", "")}
    assert outcomes(repeated.earlier) == {("first", "ambiguous", "ambiguous")}


def test_the_account_that_failed_to_deliver_before_is_asked_last(declare: Any) -> None:
    declare(first="", second="")
    assert outcomes(send(avoid="first")) == {("second", "accepted", "")}
    Scripted.plays["second"] = down
    (result,) = send(avoid="first")
    assert [one.provider for one in (*result.earlier, result)] == ["second", "first"]


def test_an_account_sends_to_its_countries_alone(declare: Any) -> None:
    declare("sms", british='regions = ["GB"]', others="")
    numbers = {"+447400123456": "british", "+4915112345678": "others", "+12025550123": "others"}
    page = [SmsMessage(id=delivery_id(at), to=number, text="words") for at, number in enumerate(numbers)]
    assert [one.provider for one in send_page(Channel.SMS, page, deadline=soon())] == list(numbers.values())
    known = msgspec.structs.replace(page[1], country="GB")
    assert send_page(Channel.SMS, [known], deadline=soon())[0].provider == "british"


def test_a_page_in_flight_to_a_dying_provider_is_given_up() -> None:
    peer = HttpPeer(lambda number: http_answer(200 if number <= 20 else 503))
    transport = Transport(peer.base_url, concurrency=4)
    try:
        responses = transport.send_all([Request(b"{}")] * 200, deadline=soon())
    finally:
        transport.close()
        peer.close()
    # Beside the run, what was out when it was noticed; the peer counts by thread, and may answer a few more well.
    assert len(peer.requests) <= 20 + policy.BREAKER_FAILURES + 2 * 4
    assert {one.error for one in responses if one.fate is Fate.NOT_STARTED} == {"provider_failing"}


def test_what_was_not_started_at_a_dying_provider_goes_elsewhere_and_opens_its_circuit(
    declare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(first="", second="")
    answered = Scripted._answer

    def give_up(self: Scripted, message: Message, at: int) -> SendResult:
        answer = answered(self, message, at)
        is_given_up = self._name == "first" and at >= 10
        code = "provider_failing"
        return msgspec.structs.replace(answer, outcome=SendOutcome.THROTTLED, code=code) if is_given_up else answer

    monkeypatch.setattr(Scripted, "_answer", give_up)
    results = send(50)
    assert [one.provider for one in results] == ["first"] * 10 + ["second"] * 40
    assert state_of("first") is State.OPEN


def test_people_are_told_of_each_change_once(declare: Any, key: Path, capfd: pytest.CaptureFixture[str]) -> None:
    declare(first=f'secrets = {{key = "file:{key}"}}', second='secrets = {key = "env:OTHER_KEY"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTHER_KEY", "the new key")
        Scripted.plays["second"] = down
        for _ in range(10):
            send(5)
    log = capfd.readouterr().out
    assert (log.count("provider.stopped"), log.count("provider.circuit_opened")) == (1, 1)
    assert log.count('"level":"error"') == 2
    assert "alice@example.com" not in log
    assert "the old key" not in log
