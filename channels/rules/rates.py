"""What a message costs: the rate card of a day, and the country that a number belongs to.

Prices are millionths of the installation's currency for one unit: a segment of SMS, one message of other channels.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import msgspec
import phonenumbers

from channels.vocabulary import Channel

#: Millionths in a unit of currency.
MICROS = 1_000_000

_DESTINATION = re.compile(r"(?:[A-Z]{2}|\+[1-9][0-9]{0,14})?\Z")
#: Digits, plus sign included, that decide between the countries of a shared code, such as +1 and +44.
_TELLING = 8
_MOST_REMEMBERED = 50_000
#: What the library calls codes that belong to no country, such as +800.
_NOWHERE = "001"
_COLUMNS = ("channel", "provider", "destination", "price", "valid_from")

_countries: dict[str, str] = {}


class Price(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the rate card."""

    channel: Channel
    #: Name of an account or of an adapter; empty: any.
    provider: str
    #: Country (ISO 3166) or beginning of a number; empty: any.
    destination: str
    micros: int
    #: Day from which it counts.
    valid_from: date


class Route(msgspec.Struct, frozen=True, gc=False):
    """Who carried a message where: what its price depends on."""

    account: str
    adapter: str
    #: E.164; empty where the channel has no numbers.
    number: str
    #: Of the number; empty where nobody knows.
    country: str


class _Table(NamedTuple):
    """The prices of one provider on one channel."""

    prices: dict[str, int]
    #: Of the beginnings of numbers that have a price of their own: mostly none.
    lengths: set[int]

    def add(self, one: Price) -> None:
        self.prices[one.destination] = one.micros
        if one.destination.startswith("+"):
            self.lengths.add(len(one.destination))

    def closest(self, route: Route) -> int | None:
        for length in sorted(self.lengths, reverse=True):
            found = self.prices.get(route.number[:length])
            if found is not None:
                return found
        found = self.prices.get(route.country)
        return self.prices.get("") if found is None else found


class Card:
    """The prices of one day."""

    def __init__(self, prices: Iterable[Price], day: date) -> None:
        newest: dict[tuple[Channel, str, str], Price] = {}
        for one in prices:
            key = (one.channel, one.provider, one.destination)
            known = newest.get(key)
            if one.valid_from <= day and (known is None or known.valid_from < one.valid_from):
                newest[key] = one
        self._tables: dict[tuple[Channel, str], _Table] = {}
        for one in newest.values():
            self._tables.setdefault((one.channel, one.provider), _Table({}, set())).add(one)
        self._priced = frozenset(one.channel for one in newest.values() if one.micros)

    def is_free(self, channel: Channel) -> bool:
        """Whether nothing on this channel has a price."""
        return channel not in self._priced

    def price(self, channel: Channel, route: Route) -> int:
        """The price of a unit: the account's own before its adapter's before anybody's, of each the closest.

        The closest is the longest beginning of the number, then its country, then wherever it goes. A channel of
        which the card says nothing is free.
        """
        for provider in (route.account, route.adapter, ""):
            table = self._tables.get((channel, provider))
            found = None if table is None else table.closest(route)
            if found is not None:
                return found
        return 0


def country_of(number: str) -> str:
    """ISO 3166 code of the country of an E.164 number; empty for numbers of no country.

    Most codes belong to one country; for those that several share, such as +1 and +44, the number is parsed, once for
    each beginning of eight characters: that takes 30 µs, remembering 0.2.
    """
    known = _countries.get(number[:_TELLING])
    if known is None:
        if len(_countries) >= _MOST_REMEMBERED:
            _countries.clear()
        regions = _regions_of(number)
        found = regions[0] if len(regions) == 1 else _looked_up(number) if regions else ""
        known = found or next(iter(regions), "")
        if found is not None:  # what is said of a wrong number need not be true of its neighbours
            _countries[number[:_TELLING]] = known
    return "" if known == _NOWHERE else known


class Misread(NamedTuple):
    """A line of a price list that says nothing usable."""

    line: int
    cure: str


def read_prices(lines: Iterable[str]) -> tuple[list[Price], list[Misread]]:
    """The prices of a CSV with the columns channel, provider, destination, price and valid_from, and what is wrong.

    `price` is in units of currency ("0.0079"), `valid_from` a day ("2026-12-01"); provider and destination may be
    empty. A header is asked for, so that columns may come in any order.
    """
    reader = csv.DictReader(lines)
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        return [], [Misread(1, f"the header lacks {', '.join(missing)}")]
    found: list[Price] = []
    wrong: list[Misread] = []
    for row in reader:
        try:
            found.append(price_of(*((row[name] or "").strip() for name in _COLUMNS)))
        except ValueError as fault:
            wrong.append(Misread(reader.line_num, str(fault)))
    return found, wrong


def price_of(channel: str, provider: str, destination: str, price: str, valid_from: str) -> Price:
    """A price as people write it; raises ValueError with the cure."""
    if channel not in list(Channel):
        raise ValueError(f"channel: give one of {', '.join(Channel)}")
    if not _DESTINATION.match(destination):
        raise ValueError('destination: give a country ("DE"), the beginning of a number ("+4915"), or nothing')
    try:
        day = date.fromisoformat(valid_from)
    except ValueError:
        raise ValueError('valid_from: give a day, such as "2026-12-01"') from None
    return Price(
        channel=Channel(channel), provider=provider, destination=destination, micros=micros_of(price), valid_from=day
    )


def micros_of(amount: str) -> int:
    """An amount of money as people write it ("0.0079") in millionths; raises ValueError with the cure."""
    match = re.fullmatch(r"(\d{1,9})(?:\.(\d{1,6}))?", amount.strip(), re.ASCII)
    if match is None:
        raise ValueError('an amount is written like "0.0079": at most six digits behind the point, and none below 0')
    whole, fraction = match.groups(default="")
    return int(whole) * MICROS + int(fraction.ljust(6, "0"))


def amount_of(micros: int) -> str:
    """Millionths as people write them, without idle zeros but with cents: `0.0079`, `12.50`."""
    sign = "-" if micros < 0 else ""
    whole, fraction = divmod(abs(micros), MICROS)
    return f"{sign}{whole}.{f'{fraction:06}'.rstrip('0').ljust(2, '0')}"


def _regions_of(number: str) -> tuple[str, ...]:
    """The countries that share a number's code, the main one first."""
    codes = (int(number[1:end]) for end in range(2, min(len(number), 4) + 1) if number[1:end].isdecimal())
    return next((regions for code in codes if (regions := phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code))), ())


def _looked_up(number: str) -> str | None:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return None
