"""How every provider account is doing, for people: the file, the operators' switches, the gate and the day together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from channels import conf, gate, health, registry, store
from channels.errors import Refusal
from channels.rules.accounts import Account
from channels.rules.breaker import State
from channels.rules.gate import GateRead
from channels.rules.scorecard import Score, score_of
from channels.store import Switch
from channels.vocabulary import Channel


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """The provider refuses our credentials or settings: nothing is sent until they are others, or taken again."""

    #: The provider's code.
    code: str
    since: datetime


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One account."""

    name: str
    adapter: str
    channel: Channel
    enabled: bool
    #: Lower first.
    priority: int
    #: Share among accounts of equal priority: the operator's, else the file's.
    weight: int
    #: The same, less what errors and slowness take away at the moment.
    effective_weight: float
    #: `closed`: all may pass; `half_open`: a few; `open`: none.
    breaker_state: State
    #: Faults in a row.
    failure_count: int
    last_failure_at: datetime | None
    #: When an open circuit lets the first messages through.
    open_until: datetime | None
    #: The provider asked to be left alone until then.
    backoff_until: datetime | None
    stopped: Stopped | None
    #: Messages that may go at once; None: no rate is set.
    rate_left: int | None
    #: Messages that may still go today (UTC); None: no daily limit is set.
    daily_left: int | None
    #: Of the last 15 minutes.
    recent: Score


class CardList(msgspec.Struct, frozen=True):
    """All accounts, in the order in which they are tried."""

    data: list[Card]


def cards() -> list[Card]:
    """A card for each declared account, by channel and priority."""
    accounts = sorted(conf.accounts(), key=lambda one: (list(Channel).index(one.channel), one.priority, one.name))
    known = gate.read([account.name for account in accounts])
    switches = store.provider_switches()
    used = store.used_of_day(datetime.now(UTC).date())
    kept: dict[str, float] = {}
    for place in {(account.channel, account.priority) for account in accounts}:
        kept |= health.shares([one for one in accounts if (one.channel, one.priority) == place])
    return [
        _card(account, known[account.name], switches.get(account.name), used.get(account.name, 0), kept[account.name])
        for account in accounts
    ]


def rate_of(channel: Channel) -> float | None:
    """Messages a second that all enabled accounts of a channel may be given; None: one of them takes any number."""
    switches = store.provider_switches()
    asked = [
        account.rate_per_second
        for account in conf.accounts()
        if account.channel is channel and (account.name not in switches or switches[account.name].enabled)
    ]
    return float(sum(asked)) if asked and all(asked) else None


def set_switch(name: str, *, by: str, enabled: bool | None = None, weight: int | msgspec.UnsetType | None) -> Card:
    """Switch an account on or off, weigh it, or both; raises Refusal 404 for an account that is not declared."""
    if name not in {account.name for account in conf.accounts()}:
        raise Refusal("No account of this name is declared.", code="unknown_provider", status=404)
    store.change_switch(name, enabled=enabled, weight=weight, by=by)
    return next(card for card in cards() if card.name == name)


def _card(account: Account, known: GateRead, switch: Switch | None, used: int, share: float) -> Card:
    state = known.gate or gate.NOTHING
    circuit = state.breaker
    declared = account.weight if switch is None or switch.weight is None else switch.weight
    waits = circuit.state is State.OPEN and circuit.until > known.now
    return Card(
        name=account.name,
        adapter=account.adapter,
        channel=account.channel,
        enabled=switch is None or switch.enabled,
        priority=account.priority,
        weight=declared,
        effective_weight=round(declared * share, 1),
        # Its time has come, and nobody has been there yet to notice.
        breaker_state=State.HALF_OPEN if circuit.state is State.OPEN and not waits else circuit.state,
        failure_count=circuit.failures,
        last_failure_at=_instant(circuit.last_fault_at, known.now) if circuit.last_fault_at else None,
        open_until=_instant(circuit.until, known.now) if waits else None,
        backoff_until=_instant(state.backoff_until, known.now) if state.backoff_until > known.now else None,
        stopped=_stopped(account, known),
        rate_left=_rate_left(account, known),
        daily_left=max(0, account.daily_limit - used) if account.daily_limit else None,
        recent=score_of(known.minutes, now_minute=int(known.now // 60)),
    )


def _stopped(account: Account, known: GateRead) -> Stopped | None:
    stop = known.gate.stop if known.gate is not None else None
    if stop is None or stop.fingerprint != registry.present_fingerprint(account):
        return None  # or stopped with secrets that nobody uses any more
    return Stopped(code=stop.code, since=_instant(stop.since, known.now))


def _rate_left(account: Account, known: GateRead) -> int | None:
    if not account.rate_per_second:
        return None
    burst = gate.burst_of(account)
    if known.gate is None or known.gate.tokens is None:
        return int(burst)
    refilled = max(0.0, known.now - known.gate.tokens_at) * account.rate_per_second
    return int(min(burst, known.gate.tokens + refilled))


def _instant(at: float, now: float) -> datetime:
    """A reading of the gate's clock as a time of day; Redis and this machine need not agree on it."""
    return datetime.now(UTC) + timedelta(seconds=at - now)
