"""The API's words in plain English."""

from __future__ import annotations

from channels.vocabulary import Channel
from config.demo.client import Delivery
from config.demo.watching import Followed
from notify.vocabulary import DeliveryStatus, NotificationStatus, ReasonCode

REASONS: dict[str, str] = {
    ReasonCode.USER_OPTED_OUT: "has opted out",
    ReasonCode.CATEGORY_OPTED_OUT: "has switched these off",
    ReasonCode.SUPPRESSED_ADDRESS: "the address bounced before",
    ReasonCode.NO_ADDRESS: "no address is known",
    ReasonCode.NO_DEVICE: "no device to push to",
    ReasonCode.USER_DELETED: "the person is deleted",
    ReasonCode.USER_ERASED: "the person is erased",
    ReasonCode.DUPLICATE: "was told already",
    ReasonCode.FREQUENCY_CAP: "was told enough for now",
    ReasonCode.QUIET_HOURS: "in quiet hours",
    ReasonCode.BUDGET_EXHAUSTED: "the budget is used up",
    ReasonCode.SMS_NOT_JUSTIFIED: "not worth an SMS",
    ReasonCode.SYSTEM_MODE: "held by the operator",
    ReasonCode.EXPIRED: "came too late",
    ReasonCode.CANCELLED: "called off in time",
    ReasonCode.INVALID_RECIPIENT: "no such address",
    ReasonCode.INVALID_PAYLOAD: "message could not be sent",
    ReasonCode.PROVIDER_REJECTED: "the provider refused it",
    ReasonCode.RETRIES_EXHAUSTED: "tried in vain to the end",
    ReasonCode.NO_PROVIDER: "no provider was reached",
    ReasonCode.OUTCOME_UNKNOWN: "nobody knows if it arrived",
    ReasonCode.SUPERSEDED: "a newer one took its place",
}
#: Where the channel says more precisely what a provider has refused.
_UNKNOWN_ADDRESS = {Channel.PUSH: "the token is dead", Channel.EMAIL: "no such mailbox", Channel.SMS: "no such phone"}
_LANGUAGES = {"en": "English", "es": "Spanish"}
_CHANNELS = {Channel.IN_APP: "in-app", Channel.EMAIL: "e-mail"}


def channel_in_words(channel: str) -> str:
    """As people say it."""
    return _CHANNELS.get(Channel(channel), channel)


def language_of(locale: str) -> str:
    """The language of a locale tag."""
    return _LANGUAGES[locale.partition("-")[0]]


def why(one: Followed, delivery: Delivery) -> str:
    """What explains how a delivery ended; empty where there is nothing to explain."""
    if delivery.reason_code == ReasonCode.INVALID_RECIPIENT:
        return _UNKNOWN_ADDRESS.get(Channel(delivery.channel), REASONS[ReasonCode.INVALID_RECIPIENT])
    if delivery.reason_code is not None:
        return REASONS[delivery.reason_code]
    if delivery.channel in one.telling.fallback:
        return "in place of the push"
    if one.lateness is not None:
        return f"left {one.lateness.total_seconds():.1f} s after its time"
    return ""


def status_of(one: Followed) -> str:
    """How a notification stands that has no deliveries."""
    return "unknown" if one.seen is None else NotificationStatus(one.seen.status).value


#: The columns of the live table; every status is in one of them.
STAGES: dict[str, frozenset[str]] = {
    "on its way": frozenset(
        {DeliveryStatus.PLANNED, DeliveryStatus.SENDING, DeliveryStatus.RETRYING, DeliveryStatus.DEFERRED}
    ),
    "sent": frozenset({DeliveryStatus.SENT}),
    "delivered": frozenset({DeliveryStatus.DELIVERED}),
    "withheld": frozenset({DeliveryStatus.SUPPRESSED, DeliveryStatus.EXPIRED, DeliveryStatus.CANCELLED}),
    "failed": frozenset({DeliveryStatus.FAILED, DeliveryStatus.BOUNCED, DeliveryStatus.DEAD}),
}
