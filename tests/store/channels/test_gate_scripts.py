"""The scripts that processes share, against the pure rules that a process alone keeps to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import policy, redis_state
from channels.rules import gate
from channels.rules.breaker import Answered, BreakerTerms
from channels.rules.gate import Admission, Ask, Changed, Gate, Report
from channels.rules.scorecard import Minute

pytestmark = pytest.mark.usefixtures("empty_redis")

TERMS = st.builds(
    BreakerTerms,
    failures=st.integers(1, 6),
    open_seconds=st.floats(1, 60),
    probes=st.integers(1, 4),
    successes=st.integers(1, 4),
)
FINGERPRINTS = st.sampled_from(["old", "new"])
MINUTES = st.builds(
    Minute,
    sound=st.integers(0, 30),
    faults=st.integers(0, 30),
    throttled=st.integers(0, 3),
    refused=st.integers(0, 3),
    latency_ms=st.floats(0, 1e6),
    columns=st.lists(st.integers(0, 9), min_size=11, max_size=11),
)
#: Seconds that pass, then a question (how many, by whom) or a report on one of the pages that are out.
STEPS = st.lists(
    st.tuples(
        st.floats(0, 40),
        st.one_of(
            st.tuples(st.integers(1, 50), FINGERPRINTS),
            st.tuples(st.integers(0, 5), MINUTES, st.sampled_from([-1.0, 0.0, 5.0]), st.sampled_from(["", "401"])),
        ),
        st.booleans(),
    ),
    max_size=25,
)
_pack = msgspec.msgpack.encode
_CLOCK = "clock[1] + clock[2] / 1000000"


class Shared:
    """The scripts on a real Redis, by a clock the test sets."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.now = 0.0
        assert redis_state._ADMIT.count(_CLOCK) == redis_state._REPORT.count(_CLOCK) == 1
        self._admit = client.register_script(redis_state._ADMIT.replace(_CLOCK, "policy.now"))
        self._report = client.register_script(redis_state._REPORT.replace(_CLOCK, "policy.now"))
        self.keys = redis_state._gate_keys("same")

    def admit(self, ask: Ask) -> Admission:
        return msgspec.msgpack.decode(self._admit(keys=self.keys, args=self._args(ask)), type=Admission)

    def report(self, said: Report) -> Changed:
        return msgspec.msgpack.decode(self._report(keys=self.keys, args=self._args(said)), type=Changed)

    def gate(self) -> Gate:
        return msgspec.msgpack.decode(self.client.get(self.keys[0]), type=Gate)

    def minutes(self) -> dict[int, Minute]:
        lines = self.client.hgetall(self.keys[1])
        return {int(number): msgspec.msgpack.decode(line, type=Minute) for number, line in lines.items()}

    def _args(self, said: Ask | Report) -> list[bytes]:
        numbers: dict[str, float] = msgspec.msgpack.decode(redis_state._NUMBERS)
        return [_pack(said), _pack({**numbers, "now": self.now})]


@pytest.fixture
def shared() -> Shared:
    return Shared(redis_state._client().redis)


@settings(max_examples=150, deadline=None)
@given(terms=TERMS, rate=st.sampled_from([0.0, 0.5, 20.0]), steps=STEPS)
def test_the_scripts_and_the_pure_rules_do_the_same_sums(terms: BreakerTerms, rate: float, steps: list[Any]) -> None:
    shared, alone = Shared(redis_state._client().redis), Gate()
    shared.client.delete(*shared.keys)
    shared.now = 1_800_000_000.0
    out: list[tuple[str, Admission, str]] = []
    for number, (passed, step, is_last) in enumerate(steps):
        shared.now += passed
        if len(step) == 2:
            ask = question(terms, rate, wanted=step[0], fingerprint=step[1], token=f"page-{number}")
            admission = shared.admit(ask)
            assert admission == gate.admit(alone, ask, shared.now)
            out.append((ask.token, admission, ask.fingerprint))
        elif out:
            said = about(out.pop(step[0] % len(out)), terms, step, is_run=is_last)
            assert shared.report(said) == gate.report(alone, said, shared.now)
        else:
            continue
        assert shared.gate() == alone


def question(terms: BreakerTerms, rate: float, *, wanted: int, fingerprint: str, token: str) -> Ask:
    return Ask(
        wanted=wanted,
        token=token,
        fingerprint=fingerprint,
        terms=terms,
        rate=rate,
        burst=max(1.0, rate),
        lease_seconds=22.0,
        stop_retry_seconds=30.0,
        probe_wait_seconds=1.0,
    )


def about(page: tuple[str, Admission, str], terms: BreakerTerms, step: Any, *, is_run: bool) -> Report:
    token, admission, fingerprint = page
    _, minute, backoff, refused = step
    return Report(
        answered=Answered(turn=admission.turn, token=token, sound=minute.sound, faults=minute.faults, is_run=is_run),
        terms=terms,
        fingerprint=fingerprint,
        backoff_seconds=backoff,
        refused=refused,
        is_taken_again=admission.is_stop_probe and minute.sound > 0,
        stop_retry_seconds=30.0,
        minute=minute,
    )


def test_the_scorecard_adds_up_by_the_minute_and_forgets_after_fifteen(shared: Shared) -> None:
    page = ("page", Admission(granted=1, allowed=1), "old")
    line = Minute(sound=2, faults=1, latency_ms=50.5, columns=[1, 1, *[0] * 9])
    for at in (6000.0, 6059.0, 6060.0, 6000.0 + 60 * policy.SCORECARD_MINUTES):
        shared.now = at
        shared.report(about(page, BreakerTerms(), (0, line, -1.0, ""), is_run=False))
        if at == 6059.0:
            twice = Minute(sound=4, faults=2, latency_ms=101.0, columns=[2, 2, *[0] * 9])
            assert shared.minutes() == {100: twice}
    assert shared.minutes() == {101: line, 100 + policy.SCORECARD_MINUTES: line}


def test_every_key_of_an_account_expires(shared: Shared) -> None:
    shared.now = 6000.0
    shared.admit(question(BreakerTerms(), 0.0, wanted=1, fingerprint="old", token="page"))
    page = ("page", Admission(granted=1, allowed=1), "old")
    shared.report(about(page, BreakerTerms(), (0, Minute(sound=1), -1.0, ""), is_run=False))
    assert 0 < shared.client.ttl(shared.keys[0]) <= policy.GATE_SECONDS
    assert 0 < shared.client.ttl(shared.keys[1]) <= (policy.SCORECARD_MINUTES + 1) * 60
