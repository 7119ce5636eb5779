"""Prices, budgets, and what messages cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from django.db import connection

from channels.rules.rates import Price
from channels.vocabulary import Channel

_PRICES = "SELECT channel, provider, destination, price_micros, valid_from FROM channel_rate"

_PUT_PRICES = """
INSERT INTO channel_rate (channel, provider, destination, price_micros, valid_from, updated_at, updated_by)
SELECT channel, provider, destination, price_micros, valid_from, now(), %s
  FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::date[])
    AS line (channel, provider, destination, price_micros, valid_from)
ON CONFLICT (channel, provider, destination, valid_from) DO UPDATE
   SET price_micros = excluded.price_micros, updated_at = now(), updated_by = excluded.updated_by
"""

# Both tables in one statement. Lines come sorted, so that two pages lock them in the same order.
_BOOK = """
WITH days AS (
    INSERT INTO channel_spend AS day (channel, day, country, provider, slot, messages, units, micros)
    SELECT %(channel)s, %(day)s::date, country, provider, %(slot)s, messages, units, micros
      FROM unnest(%(countries)s::text[], %(providers)s::text[], %(messages)s::bigint[], %(units)s::bigint[],
                  %(micros)s::bigint[]) AS line (country, provider, messages, units, micros)
    ON CONFLICT (channel, day, country, provider, slot) DO UPDATE
       SET messages = day.messages + excluded.messages, units = day.units + excluded.units,
           micros = day.micros + excluded.micros
)
INSERT INTO channel_spend_month AS month (channel, month, slot, micros)
VALUES (%(channel)s, date_trunc('month', %(day)s::timestamp)::date, %(slot)s, %(total)s)
ON CONFLICT (channel, month, slot) DO UPDATE SET micros = month.micros + excluded.micros
"""

_BUDGETS = """
SELECT channel, soft_micros, hard_micros, warned_on, exhausted_on,
       coalesce((SELECT sum(m.micros) FROM channel_spend_month m
                  WHERE m.channel = b.channel AND m.month = date_trunc('month', %s::timestamp)::date), 0)::bigint
  FROM channel_budget b
"""

_MONTH_SPEND = """
SELECT channel, sum(micros)::bigint FROM channel_spend_month
 WHERE month = date_trunc('month', %s::timestamp)::date GROUP BY channel
"""

_SET_BUDGET = """
INSERT INTO channel_budget (channel, soft_micros, hard_micros, updated_at, updated_by) VALUES (%s, %s, %s, now(), %s)
ON CONFLICT (channel) DO UPDATE
   SET soft_micros = excluded.soft_micros, hard_micros = excluded.hard_micros, warned_on = NULL, exhausted_on = NULL,
       updated_at = now(), updated_by = excluded.updated_by
"""

# Of all processes that see a limit reached, one a day finds the row unchanged.
_REPORT = {
    "warned_on": """
UPDATE channel_budget SET warned_on = %s WHERE channel = %s AND warned_on IS DISTINCT FROM %s""",
    "exhausted_on": """
UPDATE channel_budget SET exhausted_on = %s WHERE channel = %s AND exhausted_on IS DISTINCT FROM %s""",
}

_MONTHS = """
SELECT date_trunc('month', day)::date AS month, channel, country, sum(messages)::bigint, sum(units)::bigint,
       sum(micros)::bigint
  FROM channel_spend WHERE day >= %s GROUP BY 1, 2, 3
"""


class Spent(NamedTuple):
    """What messages of one account to one country cost together."""

    country: str
    provider: str
    messages: int
    units: int
    micros: int


class BudgetRow(NamedTuple):
    """A channel's limits, when reaching them was last reported, and what this month has cost so far."""

    channel: Channel
    soft_micros: int | None
    hard_micros: int | None
    warned_on: date | None
    exhausted_on: date | None
    spent_micros: int


class MonthLine(NamedTuple):
    """What a channel cost in a month and a country."""

    month: date
    channel: Channel
    country: str
    messages: int
    units: int
    micros: int


def prices() -> list[Price]:
    """The whole rate card, past and future prices too. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_PRICES)
        return [
            Price(channel=Channel(channel), provider=provider, destination=destination, micros=micros, valid_from=day)
            for channel, provider, destination, micros, day in cursor.fetchall()
        ]


def put_prices(prices: Sequence[Price], *, by: str) -> None:
    """Add prices to the card; one for the same thing and day is replaced. One statement."""
    columns: list[Any] = [
        [str(one.channel) for one in prices],
        [one.provider for one in prices],
        [one.destination for one in prices],
        [one.micros for one in prices],
        [one.valid_from for one in prices],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_PUT_PRICES, [by, *columns])


def book(channel: Channel, day: date, slot: int, lines: Sequence[Spent]) -> None:
    """Add what a page cost to its day and to its month. One statement."""
    ordered = sorted(lines)
    values: dict[str, Any] = {
        "channel": channel.value,
        "day": day,
        "slot": slot,
        "countries": [one.country for one in ordered],
        "providers": [one.provider for one in ordered],
        "messages": [one.messages for one in ordered],
        "units": [one.units for one in ordered],
        "micros": [one.micros for one in ordered],
        "total": sum(one.micros for one in ordered),
    }
    with connection.cursor() as cursor:
        cursor.execute(_BOOK, values)


def budgets(day: date) -> list[BudgetRow]:
    """Every budget with what the month of `day` has cost. One query over a few rows."""
    with connection.cursor() as cursor:
        cursor.execute(_BUDGETS, [day])
        return [BudgetRow(Channel(row[0]), *row[1:]) for row in cursor.fetchall()]


def month_spend(day: date) -> dict[Channel, int]:
    """What each channel cost in the month of `day`; none that cost nothing. One query over a few rows."""
    with connection.cursor() as cursor:
        cursor.execute(_MONTH_SPEND, [day])
        return {Channel(channel): micros for channel, micros in cursor.fetchall()}


def set_budget(channel: Channel, soft_micros: int | None, hard_micros: int | None, *, by: str) -> None:
    """Keep a channel's limits; that they are reached is reported anew."""
    with connection.cursor() as cursor:
        cursor.execute(_SET_BUDGET, [channel.value, soft_micros, hard_micros, by])


def report_limit(channel: Channel, column: str, day: date) -> bool:
    """Note that reaching a limit is being reported today; False where somebody else has done so."""
    with connection.cursor() as cursor:
        cursor.execute(_REPORT[column], [day, channel.value, day])
        return bool(cursor.rowcount)


def spend_by_month(since: date) -> list[MonthLine]:
    """What was spent since a day, by month, channel and country. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS, [since])
        return [MonthLine(row[0], Channel(row[1]), *row[2:]) for row in cursor.fetchall()]
