"""What messages cost: prices for a page, the spend of the month, and which channels are over their budget.

Spend is written with the outcomes it belongs to, in their transaction, so PostgreSQL is the only truth and no counter
needs to be restored. Reading it is a handful of rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

import msgspec
import structlog

from channels import conf, store
from channels.errors import ConfigurationFault
from channels.rules.accounts import Account
from channels.rules.rates import Card, Route, amount_of, country_of
from channels.rules.sms import segments
from channels.store import BudgetRow, Spent
from channels.vocabulary import Channel, Message, SendOutcome, SendResult, SmsMessage

_log = structlog.get_logger(__name__)

#: Seconds a process may go on with what it read of prices, and of the month's spend while planning.
_PRICES_AGE = 2.0
_SPEND_AGE = 1.0
#: Rows that share a day's sum: processes write to the one of their number, and seldom wait for each other's commit.
_SLOTS = 16


class Cost(msgspec.Struct, frozen=True, gc=False):
    """What one message cost."""

    provider: str
    country: str
    #: Segments of SMS; 1 on other channels.
    units: int
    micros: int


FREE = Cost("", "", 0, 0)


class Standing(NamedTuple):
    """A channel's month: what it cost so far, and its limits where it has some."""

    channel: Channel
    spent_micros: int
    soft_micros: int | None
    hard_micros: int | None


class _Budgets(NamedTuple):
    """Channels that have a hard limit, and those that have reached it."""

    limited: frozenset[Channel]
    exhausted: frozenset[Channel]


class _Known:
    """What this process remembers, and until when (of `time.monotonic`)."""

    card: tuple[float, date, Card] | None = None
    budgets: tuple[float, _Budgets] | None = None


def forget() -> None:
    """Let this process read prices and spend anew: after a change, and between tests."""
    _Known.card = _Known.budgets = None


def costs(channel: Channel, sent: Sequence[tuple[Message | None, SendResult | None]]) -> list[Cost]:
    """What each message of a page cost, in their order: those a provider took, by the card of today.

    Segments are those the provider says it bills, where it says so. An attempt of which nobody knows whether it was
    accepted counts nothing, and neither does a test message.
    """
    card = _card(_today())
    if channel is not Channel.SMS and card.is_free(channel):
        return [FREE] * len(sent)
    adapters = {account.name: account.adapter for account in _accounts()}
    return [_cost(channel, message, result, card, adapters) for message, result in sent]


def book(channel: Channel, costs: Sequence[Cost]) -> None:
    """Add a page's costs to the day and the month; one statement, in the caller's transaction, best as its last."""
    sums: dict[tuple[str, str], list[int]] = {}
    for one in costs:
        if one is not FREE:
            line = sums.setdefault((one.country, one.provider), [0, 0, 0])
            line[0] += 1
            line[1] += one.units
            line[2] += one.micros
    if sums:
        lines = [Spent(country, provider, *line) for (country, provider), line in sums.items()]
        store.book(channel, _today(), os.getpid() % _SLOTS, lines)


def over_budget() -> frozenset[Channel]:
    """Channels whose hard budget is used up, at most a second old: for planning. One query, or none.

    Whoever finds a limit reached says so in the log, once a day for all processes.
    """
    return _budgets().exhausted


def is_over_budget(channel: Channel) -> bool:
    """Whether a channel's hard budget is used up at this moment: for whoever is about to send.

    What other processes have in hand is not in it yet: a budget is overspent by those pages at most.
    """
    if channel not in _budgets().limited:
        return False
    return channel in _read_budgets().exhausted


def standing(day: date) -> list[Standing]:
    """Every channel's spend in the month of `day`, with its limits. Two queries."""
    spent, limits = store.month_spend(day), {row.channel: row for row in store.budgets(day)}
    return [
        Standing(channel, spent.get(channel, 0), row and row.soft_micros, row and row.hard_micros)
        for channel in Channel
        for row in (limits.get(channel),)
    ]


def quote(channel: Channel, number: str, text: str) -> Cost:
    """What a message would cost by the usual account and the card of today; number and text matter for SMS alone."""
    account = _usual_account(channel)
    name, adapter = (account.name, account.adapter) if account is not None else ("", "")
    units = segments(text).count if channel is Channel.SMS else 1
    country = country_of(number) if number else ""
    return Cost(name, country, units, units * _card(_today()).price(channel, Route(name, adapter, number, country)))


def is_dear(number: str) -> bool:
    """Whether a segment to this number costs more than the setting allows marketing to spend, by the usual account."""
    account = _usual_account(Channel.SMS)
    route = Route(*(account.name, account.adapter) if account is not None else ("", ""), number, country_of(number))
    return _card(_today()).price(Channel.SMS, route) > conf.dear_above()


def _cost(
    channel: Channel, message: Message | None, result: SendResult | None, card: Card, adapters: dict[str, str]
) -> Cost:
    if message is None or result is None or message.test or result.outcome is not SendOutcome.ACCEPTED:
        return FREE
    number = message.to if isinstance(message, SmsMessage) else ""
    units = (result.segments or segments(message.text).count) if isinstance(message, SmsMessage) else 1
    country = country_of(number) if number else ""
    route = Route(result.provider, adapters.get(result.provider, ""), number, country)
    return Cost(result.provider, country, units, units * card.price(channel, route))


def _card(day: date) -> Card:
    known = _Known.card
    if known is None or known[0] <= time.monotonic() or known[1] != day:
        known = _Known.card = (time.monotonic() + _PRICES_AGE, day, Card(store.prices(), day))
    return known[2]


def _budgets() -> _Budgets:
    known = _Known.budgets
    return known[1] if known is not None and known[0] > time.monotonic() else _read_budgets()


def _read_budgets() -> _Budgets:
    day = _today()
    rows = store.budgets(day)
    for row in rows:
        _report(row, day)
    found = _Budgets(
        frozenset(row.channel for row in rows if row.hard_micros is not None),
        frozenset(row.channel for row in rows if _reached(row.hard_micros, row)),
    )
    _Known.budgets = (time.monotonic() + _SPEND_AGE, found)
    return found


def _accounts() -> tuple[Account, ...]:
    """None while the providers file has faults: what was sent before must be recorded all the same."""
    try:
        return conf.accounts()
    except ConfigurationFault:
        return ()


def _usual_account(channel: Channel) -> Account | None:
    mine = [account for account in _accounts() if account.channel is channel]
    return min(mine, key=lambda one: (one.priority, -one.weight, one.name), default=None)


def _reached(limit: int | None, row: BudgetRow) -> bool:
    return limit is not None and row.spent_micros >= limit


def _report(row: BudgetRow, day: date) -> None:
    if _reached(row.hard_micros, row):
        if row.exhausted_on != day and store.report_limit(row.channel, "exhausted_on", day):
            _log.error("budget.exhausted", **_said(row))
    elif _reached(row.soft_micros, row) and row.warned_on != day and store.report_limit(row.channel, "warned_on", day):
        _log.warning("budget.soft_limit_reached", **_said(row))


def _said(row: BudgetRow) -> dict[str, str]:
    limits = {"soft": row.soft_micros, "hard": row.hard_micros}
    amounts = {name: amount_of(limit) for name, limit in limits.items() if limit is not None}
    return {"channel": row.channel.value, "spent": amount_of(row.spent_micros), "currency": conf.currency(), **amounts}


def _today() -> date:
    return datetime.now(UTC).date()
