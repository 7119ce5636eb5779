"""What has to become of each notification; the demo checks itself against it."""

from __future__ import annotations

import msgspec

from channels.vocabulary import Channel
from config.demo.people import Person
from config.demo.providers import SMTP_COUNTRIES
from config.demo.story import Telling
from notify.vocabulary import DeliveryStatus, ReasonCode


class Expected(msgspec.Struct, frozen=True):
    """One way in which a delivery may end."""

    statuses: tuple[str, ...]
    reason: str | None = None

    def fits(self, status: str, reason: str | None) -> bool:
        """Whether it has ended so."""
        return status in self.statuses and reason == self.reason

    def __str__(self) -> str:
        """In words."""
        status = " or ".join(self.statuses)
        return f"{status} ({self.reason})" if self.reason else status


#: The provider has it, and says nothing more.
SENT = Expected((DeliveryStatus.SENT.value,))
#: A receipt has said so, or the inbox.
DELIVERED = Expected((DeliveryStatus.DELIVERED.value,))
REJECTED = Expected((DeliveryStatus.FAILED.value,), ReasonCode.INVALID_RECIPIENT.value)
BOUNCED = Expected((DeliveryStatus.BOUNCED.value,), ReasonCode.INVALID_RECIPIENT.value)


def withheld(reason: ReasonCode) -> Expected:
    """Planning says no, and why."""
    return Expected((DeliveryStatus.SUPPRESSED.value,), reason.value)


def expected(person: Person, telling: Telling) -> dict[str, tuple[Expected, ...]]:
    """How the delivery on each channel may end; empty where the notification is cancelled before it is planned."""
    if telling.is_cancelled:
        return {}
    ends = {channel: _on(channel, person, telling) for channel in telling.channels}
    if not any({SENT, DELIVERED} & set(allowed) for allowed in ends.values()):
        ends |= {channel: _on(channel, person, telling) for channel in telling.fallback}
    return ends


def _on(channel: str, person: Person, telling: Telling) -> tuple[Expected, ...]:
    if person.has_opted_out and not telling.is_mandatory:
        return (withheld(ReasonCode.USER_OPTED_OUT),)
    if person.has_switched_off(telling.type, channel):
        return (withheld(ReasonCode.CATEGORY_OPTED_OUT),)
    if channel == Channel.PUSH and not person.tokens:
        return (withheld(ReasonCode.NO_DEVICE),)
    if channel == Channel.PUSH and person.has_dead_token:
        # The first to meet the token is told that it is dead; from then on there is no device.
        return (REJECTED, withheld(ReasonCode.NO_DEVICE))
    if channel == Channel.EMAIL and person.bounces:
        return (BOUNCED,)
    silent = channel == Channel.PUSH or (channel == Channel.EMAIL and person.country in SMTP_COUNTRIES)
    return (SENT,) if silent else (DELIVERED,)
