from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.rates import Card, Price, Route, amount_of, country_of, micros_of, price_of, read_prices
from channels.vocabulary import Channel

DAY = date(2026, 11, 21)
BERLIN = Route("twilio-main", "twilio", "+4915112345678", "DE")


def card(*lines: str, day: date = DAY) -> Card:
    """Lines such as `sms twilio +4915 0.07 2026-01-01`; `-` stands for empty."""
    words = [["" if word == "-" else word for word in line.split()] for line in lines]
    return Card([price_of(*line) for line in words], day)


def test_the_longest_beginning_of_a_number_decides_then_its_country_then_anywhere() -> None:
    lines = ["sms - - 0.01 2020-01-01", "sms - DE 0.10 2020-01-01", "sms - +49 0.09 2020-01-01"]
    closer = [*lines, "sms - +49151 0.08 2020-01-01", "sms - +49152 0.5 2020-01-01"]
    assert card(*lines[:1]).price(Channel.SMS, BERLIN) == 10_000
    assert card(*lines[:2]).price(Channel.SMS, BERLIN) == 100_000
    assert card(*lines).price(Channel.SMS, BERLIN) == 90_000
    assert card(*closer).price(Channel.SMS, BERLIN) == 80_000


def test_an_accounts_own_price_comes_before_its_adapters_before_anybodys() -> None:
    anybodys = "sms - +49151 0.01 2020-01-01"
    adapters = "sms twilio - 0.02 2020-01-01"
    own = "sms twilio-main - 0.03 2020-01-01"
    assert card(anybodys).price(Channel.SMS, BERLIN) == 10_000
    assert card(anybodys, adapters).price(Channel.SMS, BERLIN) == 20_000
    assert card(anybodys, adapters, own).price(Channel.SMS, BERLIN) == 30_000


def test_a_price_counts_from_its_day_on_and_not_before() -> None:
    lines = ["sms - - 0.01 2020-01-01", "sms - - 0.03 2026-12-01", "sms - - 0.02 2026-11-21"]
    days = [date(2019, 12, 31), date(2020, 1, 1), date(2026, 11, 20), DAY, date(2026, 11, 30), date(2026, 12, 1)]
    assert [card(*lines, day=day).price(Channel.SMS, BERLIN) for day in days] == [
        *(0, 10_000, 10_000),
        *(20_000, 20_000, 30_000),
    ]


def test_a_channel_of_which_nothing_is_said_is_free() -> None:
    known = card("sms - - 0.01 2020-01-01", "push - - 0 2020-01-01")
    assert known.price(Channel.EMAIL, BERLIN) == 0
    assert [known.is_free(channel) for channel in Channel] == [True, True, False, True]


_PRICES = st.lists(
    st.builds(
        Price,
        channel=st.just(Channel.SMS),
        provider=st.sampled_from(["", "twilio", "twilio-main", "vonage"]),
        destination=st.sampled_from(["", "DE", "FR", "+4", "+49", "+4915", "+49151", "+33"]),
        micros=st.integers(0, 99),
        valid_from=st.dates(date(2026, 11, 18), date(2026, 11, 24)),
    ),
    max_size=30,
    unique_by=lambda one: (one.provider, one.destination, one.valid_from),
)


@given(_PRICES)
def test_the_price_is_that_of_the_plain_reading(prices: list[Price]) -> None:
    def rank(one: Price) -> tuple[int, int, date]:
        near = {"": 0, "twilio": 1, "twilio-main": 2}[one.provider]
        return near, 1 if one.destination == "DE" else len(one.destination) * 2, one.valid_from

    fitting = [
        one
        for one in prices
        if one.valid_from <= DAY
        and one.provider in ("", "twilio", "twilio-main")
        and (one.destination in ("", "DE") or BERLIN.number.startswith(one.destination))
    ]
    expected = max(fitting, key=rank).micros if fitting else 0
    assert Card(prices, DAY).price(Channel.SMS, BERLIN) == expected


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+12125550100", "US"),
        ("+14165550123", "CA"),
        ("+18765550123", "JM"),
        ("+447700900123", "GB"),
        ("+447781123456", "GG"),
        ("+447624123456", "IM"),
        ("+77011234567", "KZ"),
        ("+79161234567", "RU"),
        ("+390669812345", "VA"),
        ("+393123456789", "IT"),
        ("+4915112345678", "DE"),
        ("+2348012345678", "NG"),
        # Outside its plan, but the code says where; no country at all; no number.
        ("+15555550100", "US"),
        ("+80012345678", ""),
        ("+99912345678", ""),
        ("", ""),
        ("+", ""),
        ("nonsense", ""),
    ],
)
def test_a_number_belongs_to_a_country(number: str, country: str) -> None:
    assert country_of(number) == country
    assert country_of(number) == country


def test_a_wrong_number_decides_nothing_about_its_neighbours() -> None:
    assert country_of("+1604555") == "US"
    assert country_of("+16045550123") == "CA"


@given(st.integers(0, 10**14))
def test_money_is_read_as_it_is_written(micros: int) -> None:
    assert micros_of(amount_of(micros)) == micros


@pytest.mark.parametrize(
    ("micros", "text"), [(7_900, "0.0079"), (12_500_000, "12.50"), (0, "0.00"), (1, "0.000001"), (-5_000, "-0.005")]
)
def test_money_is_written_without_idle_zeros(micros: int, text: str) -> None:
    assert amount_of(micros) == text


@pytest.mark.parametrize("text", ["", "-1", "1,5", "0.0000001", "1e3", "٣", "1.", ".5", "NaN", "1" * 12])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an amount is written like"):
        micros_of(text)


def test_a_price_list_is_read_and_every_wrong_line_named() -> None:
    lines = [
        "channel,provider,destination,price,valid_from",
        "sms,twilio,DE,0.0995,2026-12-01",
        "sms,,+4915, 0.07 ,2026-12-01",
        "fax,,,1,2026-12-01",
        "sms,,Germany,1,2026-12-01",
        "sms,,DE,free,2026-12-01",
        "email,,,0.0001,tomorrow",
        "sms",
    ]
    found, wrong = read_prices(lines)
    assert [(one.provider, one.destination, one.micros, one.valid_from.isoformat()) for one in found] == [
        ("twilio", "DE", 99_500, "2026-12-01"),
        ("", "+4915", 70_000, "2026-12-01"),
    ]
    assert [(one.line, one.cure.partition(":")[0]) for one in wrong] == [
        (4, "channel"),
        (5, "destination"),
        (6, 'an amount is written like "0.0079"'),
        (7, "valid_from"),
        (8, "valid_from"),
    ]


def test_a_price_list_without_its_header_is_no_price_list() -> None:
    assert read_prices(["sms,twilio,DE,0.0995,2026-12-01"])[1][0].cure == (
        "the header lacks channel, provider, destination, price, valid_from"
    )
    assert read_prices([]) == ([], [(1, "the header lacks channel, provider, destination, price, valid_from")])
