"""Whether an account may be asked now, and what its answers change: breaker, back-off, stop and rate in one state.

One question before a page and one report after it. The same sums stand in Lua in `channels/lua/`; a test holds the two
against each other. Times are seconds on whichever clock the caller keeps to.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from channels.rules import breaker, bucket
from channels.rules.breaker import Answered, Breaker, BreakerTerms, Probe, State
from channels.rules.bucket import Level
from channels.rules.scorecard import Minute


class Why(StrEnum):
    """Why messages of a page may not go now; also the code of their results."""

    #: Our own rate for the account is spent.
    RATE_LIMITED = "rate_limited"
    #: The provider asked us to wait.
    BACKING_OFF = "backing_off"
    CIRCUIT_OPEN = "circuit_open"
    #: The provider refused our credentials or settings.
    ACCOUNT_STOPPED = "account_stopped"


class Event(StrEnum):
    """What a question or a report changed; whoever caused it tells people."""

    NONE = ""
    OPENED = "opened"
    HALF_OPENED = "half_opened"
    CLOSED = "closed"
    STOPPED = "stopped"
    RESUMED = "resumed"


class Stop(msgspec.Struct, kw_only=True):
    """A configuration fault: whoever has the secrets it was found with sends nothing."""

    #: Of the secrets and settings that were refused.
    fingerprint: str
    #: The provider's code.
    code: str
    since: float
    #: When one message may try whether they are taken again.
    retry_at: float


class Gate(msgspec.Struct, kw_only=True):
    """What is known of one account."""

    breaker: Breaker = msgspec.field(default_factory=Breaker)
    #: In the rate's bucket; None: full.
    tokens: float | None = None
    tokens_at: float = 0.0
    backoff_until: float = 0.0
    stop: Stop | None = None


class GateRead(NamedTuple):
    """What is known of an account, as it stands."""

    #: None: nothing, or nothing any more.
    gate: Gate | None
    #: The scorecard's lines by the number of their minute.
    minutes: dict[int, Minute]
    #: The clock they were written by.
    now: float


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages want to go, and the account's terms."""

    wanted: int
    #: The page's own: its probes are known by it.
    token: str
    #: Of the secrets and settings this process has.
    fingerprint: str
    terms: BreakerTerms
    #: 0: unlimited.
    rate: float
    burst: float
    #: Seconds after which probes that nobody reported are given up.
    lease_seconds: float
    #: Seconds between two tries of a stopped account.
    stop_retry_seconds: float
    #: Seconds to wait for a free probe.
    probe_wait_seconds: float


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question."""

    #: Messages that may go now.
    granted: int
    #: Those the rate alone holds back are `allowed - granted`; `why` and `wait_seconds` are about the rest.
    allowed: int
    why: str = ""
    wait_seconds: float = 0.0
    #: Until the rate has room for those it holds back.
    rate_wait_seconds: float = 0.0
    turn: int = 0
    #: The one message that tries whether a stopped account is taken again.
    is_stop_probe: bool = False
    event: Event = Event.NONE


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a page."""

    answered: Answered
    terms: BreakerTerms
    fingerprint: str
    #: Seconds the provider wants to be left alone; negative: it did not say so.
    backoff_seconds: float = -1.0
    #: The code of a configuration fault; empty: none.
    refused: str = ""
    #: The probe of a stopped account was taken.
    is_taken_again: bool = False
    stop_retry_seconds: float
    #: To be added to this minute's line of the scorecard.
    minute: Minute


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What a report changed."""

    circuit: Event = Event.NONE
    stop: Event = Event.NONE


def admit(gate: Gate, ask: Ask, now: float) -> Admission:
    """Decide about a page, and note in `gate` what was decided."""
    turn = gate.breaker.turn
    free = breaker.room(gate.breaker, ask.terms, now)
    event = Event.HALF_OPENED if gate.breaker.turn != turn else Event.NONE
    allowed, why, wait, is_stop_probe = _allowed(gate, ask, free, now)
    granted, rate_wait = _take(gate, ask, allowed, now)
    if granted and free is not None:
        gate.breaker.probes.append(Probe(ask.token, granted, now + ask.lease_seconds))
    if granted and is_stop_probe and gate.stop is not None:
        gate.stop.retry_at = now + ask.stop_retry_seconds
    return Admission(
        granted=granted,
        allowed=allowed,
        why=why,
        wait_seconds=wait,
        rate_wait_seconds=rate_wait,
        turn=gate.breaker.turn,
        is_stop_probe=is_stop_probe,
        event=event,
    )


def _allowed(gate: Gate, ask: Ask, free: int | None, now: float) -> tuple[int, str, float, bool]:
    """How many may go but for the rate, why not the others, how long those wait, and whether one is a stop's probe."""
    if gate.stop is not None and gate.stop.fingerprint == ask.fingerprint:
        if now < gate.stop.retry_at:
            return 0, Why.ACCOUNT_STOPPED, gate.stop.retry_at - now, False
        if free != 0 and now >= gate.backoff_until:
            return min(1, ask.wanted), Why.ACCOUNT_STOPPED, ask.stop_retry_seconds, True
    if now < gate.backoff_until:
        return 0, Why.BACKING_OFF, gate.backoff_until - now, False
    if free is None or free >= ask.wanted:
        return ask.wanted, "", 0.0, False
    is_open = gate.breaker.state is State.OPEN
    return free, Why.CIRCUIT_OPEN, gate.breaker.until - now if is_open else ask.probe_wait_seconds, False


def _take(gate: Gate, ask: Ask, allowed: int, now: float) -> tuple[int, float]:
    if not ask.rate or not allowed:
        return allowed, 0.0
    level = None if gate.tokens is None else Level(gate.tokens, gate.tokens_at)
    left, taken = bucket.take(level, rate=ask.rate, burst=ask.burst, wanted=allowed, now=now)
    gate.tokens, gate.tokens_at = left
    return taken.granted, taken.wait_seconds


def report(gate: Gate, said: Report, now: float) -> Changed:
    """Note in `gate` what came of a page."""
    turn = gate.breaker.turn
    breaker.settle(gate.breaker, said.terms, said.answered, now)
    circuit = Event.NONE
    if gate.breaker.turn != turn:
        circuit = Event.OPENED if gate.breaker.state is State.OPEN else Event.CLOSED
    if said.backoff_seconds >= 0:
        gate.backoff_until = max(gate.backoff_until, now + said.backoff_seconds)
    return Changed(circuit=circuit, stop=_settle_stop(gate, said, now))


def _settle_stop(gate: Gate, said: Report, now: float) -> Event:
    is_known = gate.stop is not None and gate.stop.fingerprint == said.fingerprint
    if said.refused and not is_known:
        retry_at = now + said.stop_retry_seconds
        gate.stop = Stop(fingerprint=said.fingerprint, code=said.refused, since=now, retry_at=retry_at)
        return Event.STOPPED
    if said.is_taken_again and is_known:
        gate.stop = None
        return Event.RESUMED
    return Event.NONE
