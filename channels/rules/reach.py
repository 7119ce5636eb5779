"""Whether an account may carry a message at all: the device's platform, the country of who receives it."""

from __future__ import annotations

from collections.abc import Callable

import phonenumbers

from channels.rules.accounts import EVERYWHERE, Account
from channels.vocabulary import Channel, Envelope, Platform, PushMessage, SmsMessage


def carries(account: Account, platforms: frozenset[Platform]) -> Callable[[Envelope], bool] | None:
    """Whether the account reaches a message's recipient; None: it reaches everybody on its channel.

    An account of some countries carries nothing to a place nobody knows.
    """
    if account.channel is Channel.PUSH:
        # A tuple is searched by identity, while a set would compute hashes of enums in Python, for each message.
        reached = tuple(platforms)
        if account.regions == EVERYWHERE:
            return lambda message: isinstance(message, PushMessage) and message.platform in reached
        return lambda message: (
            isinstance(message, PushMessage) and message.platform in reached and _may_go_to(account, message)
        )
    if account.regions == EVERYWHERE:
        return None
    return lambda message: _may_go_to(account, message)


def country_of(message: Envelope) -> str:
    """ISO 3166 code of where the message goes, as far as it is known; a phone number tells its own."""
    if message.country or not isinstance(message, SmsMessage):
        return message.country
    try:
        number = phonenumbers.parse(message.to, None)
    except phonenumbers.NumberParseException:
        return ""
    return phonenumbers.region_code_for_number(number) or ""


def _may_go_to(account: Account, message: Envelope) -> bool:
    return country_of(message) in account.regions
