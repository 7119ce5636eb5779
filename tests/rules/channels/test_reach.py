from __future__ import annotations

from uuid import UUID

import pytest

from channels.rules.accounts import Account
from channels.rules.reach import carries, country_of
from channels.vocabulary import Channel, EmailMessage, Message, Platform, PushMessage, SmsMessage

ID = UUID(int=1)


def push(platform: Platform, country: str = "") -> PushMessage:
    return PushMessage(id=ID, token="token", platform=platform, country=country)


def may(account: Account, message: Message, *platforms: Platform) -> bool:
    carried = carries(account, frozenset(platforms))
    return carried is None or carried(message)


def test_a_push_account_carries_the_tokens_of_its_platforms() -> None:
    account = Account(name="a", adapter="x", channel=Channel.PUSH)
    assert may(account, push(Platform.IOS), Platform.IOS, Platform.WEB)
    assert not may(account, push(Platform.ANDROID), Platform.IOS, Platform.WEB)


def test_regions_hold_for_devices_too_and_unknown_places_are_nowhere() -> None:
    account = Account(name="a", adapter="x", channel=Channel.PUSH, regions=frozenset({"FR"}))
    assert may(account, push(Platform.IOS, "FR"), Platform.IOS)
    assert not may(account, push(Platform.IOS, "DE"), Platform.IOS)
    assert not may(account, push(Platform.IOS), Platform.IOS)


def test_an_account_for_everywhere_carries_to_places_nobody_knows() -> None:
    assert may(Account(name="a", adapter="x", channel=Channel.EMAIL), EmailMessage(id=ID, to="alice@example.com"))


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+447400123456", "GB"),
        ("+12025550123", "US"),
        ("+16045550123", "CA"),
        ("+4915112345678", "DE"),
        ("nonsense", ""),
    ],
)
def test_a_number_tells_its_country(number: str, country: str) -> None:
    assert country_of(SmsMessage(id=ID, to=number, text="words")) == country


def test_what_is_known_of_the_recipient_comes_before_the_number() -> None:
    assert country_of(SmsMessage(id=ID, to="+447400123456", text="words", country="IE")) == "IE"
