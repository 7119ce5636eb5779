"""The gate before every account: one question before a page, one report after it.

All processes share one state per account in Redis. While Redis is away each process keeps a state of its own, by the
same sums: pages are then paced, circuits opened and accounts stopped a process at a time.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

import structlog

from channels import metrics, policy, redis_state
from channels.rules import gate as sums
from channels.rules.accounts import Account
from channels.rules.breaker import Answered
from channels.rules.gate import Admission, Ask, Event, Gate, GateRead, Report
from channels.rules.scorecard import Minute
from channels.rules.tally import Tally

_log = structlog.get_logger(__name__)


class _Alone:
    """The states of this process, for when Redis is away."""

    gates: dict[str, Gate] = {}
    minutes: dict[str, dict[int, Minute]] = {}


#: Of an account nobody has asked, or not for a day.
NOTHING = Gate()


def burst_of(account: Account) -> float:
    """Messages that may go at once when the account's bucket is full."""
    return max(1.0, account.rate_per_second * policy.BURST_SECONDS)


def new_token() -> str:
    """A name for one page at one account."""
    return secrets.token_hex(8)


def admit(account: Account, wanted: int, *, token: str, fingerprint: str) -> Admission:
    """How many messages of a page may go to the account now, and why and how long the others wait."""
    ask = Ask(
        wanted=wanted,
        token=token,
        fingerprint=fingerprint,
        terms=account.breaker,
        rate=account.rate_per_second,
        burst=burst_of(account),
        lease_seconds=account.timeout_seconds + account.connect_timeout_seconds + policy.PROBE_LEASE_SECONDS,
        stop_retry_seconds=policy.STOP_RETRY_SECONDS,
        probe_wait_seconds=policy.PROBE_WAIT_SECONDS,
    )
    admission = redis_state.admit(account.name, ask)
    if admission is None:
        admission = sums.admit(_Alone.gates.setdefault(account.name, Gate()), ask, time.monotonic())
    _tell(account, admission.event)
    metrics.held(account.name, admission.why, wanted - admission.allowed)
    metrics.held(account.name, sums.Why.RATE_LIMITED, admission.allowed - admission.granted)
    return admission


def report(account: Account, admission: Admission, tally: Tally, *, token: str, fingerprint: str) -> None:
    """Say what came of the messages that were admitted; of none, to give their places back."""
    said = Report(
        answered=Answered(
            turn=admission.turn, token=token, sound=tally.sound, faults=tally.faults, is_run=tally.is_run
        ),
        terms=account.breaker,
        fingerprint=fingerprint,
        backoff_seconds=tally.backoff_seconds,
        refused=tally.refused,
        is_taken_again=admission.is_stop_probe and tally.sound > 0,
        stop_retry_seconds=policy.STOP_RETRY_SECONDS,
        minute=tally.minute,
    )
    changed = redis_state.report(account.name, said)
    if changed is None:
        now = time.monotonic()
        changed = sums.report(_Alone.gates.setdefault(account.name, Gate()), said, now)
        _write_alone(account.name, tally.minute, int(now // 60))
    _tell(account, changed.circuit, faults=tally.faults)
    _tell(account, changed.stop, code=tally.refused)


def read(names: Sequence[str]) -> dict[str, GateRead]:
    """What is known of these accounts: by all processes, or by this one while Redis is away."""
    shared = redis_state.read_gates(names)
    if shared is not None:
        return shared
    now = time.monotonic()
    return {name: GateRead(_Alone.gates.get(name), _Alone.minutes.get(name, {}), now) for name in names}


def forget() -> None:
    """Forget the states of this process alone."""
    _Alone.gates.clear()
    _Alone.minutes.clear()


def _write_alone(name: str, line: Minute, number: int) -> None:
    lines = _Alone.minutes.setdefault(name, {})
    if number not in lines:
        for old in [one for one in lines if one <= number - policy.SCORECARD_MINUTES]:
            del lines[old]
    lines.setdefault(number, Minute()).add(line)


#: What people are told: alarms are set on the two errors. Each is logged by the process that caused it, once.
_WORDS = {
    Event.OPENED: "provider.circuit_opened",
    Event.HALF_OPENED: "provider.circuit_half_opened",
    Event.CLOSED: "provider.circuit_closed",
    Event.STOPPED: "provider.stopped",
    Event.RESUMED: "provider.resumed",
}
_ALARMS = frozenset({Event.OPENED, Event.STOPPED})


def _tell(account: Account, event: Event, **facts: object) -> None:
    if event is Event.NONE:
        return
    say = _log.error if event in _ALARMS else _log.warning
    say(_WORDS[event], provider=account.name, channel=account.channel.value, **facts)
    metrics.changed(account.name, event.value)
