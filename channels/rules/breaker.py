"""The circuit breaker of one provider account, as sums over one small state.

The same sums stand in Lua in `channels/lua/gate.lua`, where all processes share them; a test holds the two against each
other. Times are seconds on whichever clock the caller keeps to.

Accounts are asked by the page, and the answers of a page come in no known order. So two rules open a circuit:

* **the run**: faults of pages without a single sound answer add up to `failures`; a page with a sound answer ends the
  run. A transport that saw the run within a page says so, since it alone knows the order.
* **the share**: in a window of ten seconds at least twenty requests were decided, half of them or more by faults.

An answer counts only for the turn of the breaker in which its page was admitted: what was in flight when the circuit
opened neither closes it nor opens it again.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from channels import policy


class State(StrEnum):
    """What a circuit does with traffic."""

    #: All may pass.
    CLOSED = "closed"
    #: None may pass.
    OPEN = "open"
    #: A few may pass, and decide what becomes of it.
    HALF_OPEN = "half_open"


class BreakerTerms(msgspec.Struct, frozen=True, kw_only=True):
    """When a circuit opens and closes; an account's `breaker` key."""

    #: Faults in a row after which it opens.
    failures: int = policy.BREAKER_FAILURES
    open_seconds: float = policy.BREAKER_OPEN_SECONDS
    #: Messages under way at a time while half open.
    probes: int = policy.BREAKER_PROBES
    #: Sound answers to probes after which it closes.
    successes: int = policy.BREAKER_SUCCESSES


class Probe(msgspec.Struct, array_like=True):
    """Messages of one page under way while half open."""

    #: The page's own.
    token: str
    count: int
    #: When its slots are free again even if nobody comes back with answers.
    until: float


class Breaker(msgspec.Struct, kw_only=True):
    """The state of one circuit."""

    state: State = State.CLOSED
    #: Counts the transitions.
    turn: int = 0
    #: Faults in a row while closed.
    failures: int = 0
    #: Sound answers of probes while half open.
    successes: int = 0
    #: When it turns half open.
    until: float = 0.0
    last_fault_at: float = 0.0
    window_at: float = 0.0
    window_sound: int = 0
    window_faults: int = 0
    probes: list[Probe] = []


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a page's answers say about the provider, and nothing else they say."""

    #: The breaker's when the page was admitted.
    turn: int
    token: str
    #: Answers of a provider at work, whatever they say about the message.
    sound: int = 0
    #: Transient and ambiguous ones.
    faults: int = 0
    #: The transport met `failures` in a row and gave the page up.
    is_run: bool = False


def room(breaker: Breaker, terms: BreakerTerms, now: float) -> int | None:
    """How many messages may pass; None: any number. Turns an open circuit half open when its time has come."""
    if breaker.state is State.OPEN and now >= breaker.until:
        _turn(breaker, State.HALF_OPEN, now)
    if breaker.state is State.CLOSED:
        return None
    if breaker.state is State.OPEN:
        return 0
    breaker.probes = [probe for probe in breaker.probes if probe.until > now]
    return max(0, terms.probes - sum(probe.count for probe in breaker.probes))


def settle(breaker: Breaker, terms: BreakerTerms, answered: Answered, now: float) -> None:
    """Take a page's answers into account."""
    if answered.faults:
        breaker.last_fault_at = now
    if answered.turn != breaker.turn:
        return
    if breaker.state is State.HALF_OPEN:
        _settle_probes(breaker, terms, answered, now)
    elif breaker.state is State.CLOSED:
        _settle_page(breaker, terms, answered, now)


def _settle_probes(breaker: Breaker, terms: BreakerTerms, answered: Answered, now: float) -> None:
    breaker.probes = [probe for probe in breaker.probes if probe.token != answered.token]
    if answered.faults:
        _turn(breaker, State.OPEN, now, terms)
        return
    breaker.successes += answered.sound
    if breaker.successes >= terms.successes:
        _turn(breaker, State.CLOSED, now)


def _settle_page(breaker: Breaker, terms: BreakerTerms, answered: Answered, now: float) -> None:
    if now - breaker.window_at >= policy.BREAKER_WINDOW_SECONDS or now < breaker.window_at:
        breaker.window_at, breaker.window_sound, breaker.window_faults = now, 0, 0
    breaker.window_sound += answered.sound
    breaker.window_faults += answered.faults
    breaker.failures = 0 if answered.sound else breaker.failures + answered.faults
    decided = breaker.window_sound + breaker.window_faults
    is_brown = (
        answered.faults > 0
        and decided >= policy.BREAKER_WINDOW_REQUESTS
        and breaker.window_faults >= decided * policy.BREAKER_WINDOW_SHARE
    )
    if answered.is_run or breaker.failures >= terms.failures or is_brown:
        _turn(breaker, State.OPEN, now, terms)


def _turn(breaker: Breaker, to: State, now: float, terms: BreakerTerms | None = None) -> None:
    """Every transition begins with clean counters."""
    breaker.state, breaker.turn = to, breaker.turn + 1
    breaker.failures = breaker.successes = breaker.window_sound = breaker.window_faults = 0
    breaker.window_at = 0.0
    breaker.probes = []
    breaker.until = now + terms.open_seconds if terms is not None else 0.0
