"""What the pages say of a recipient: contact points with their state, and the preferences as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from channels.vocabulary import Channel
from preferences import audit, store
from preferences.models import ContactPoint
from preferences.store.consents import Entry
from preferences.vocabulary import (
    ContactKind,
    DigestFrequency,
    Preferences,
    RecipientFacts,
    RecipientStatus,
    SmsPreference,
)

#: Entries of the ledger on a person's page; the API has them all.
_LEDGER_SHOWN = 50


class Contact(msgspec.Struct, frozen=True):
    """A contact point as staff may see it."""

    kind: ContactKind
    index: bytes
    hint: str
    status: str
    #: Why nothing is sent there; empty when it is.
    suppressed: str
    updated_at: datetime
    #: The address in clear, for the one answer to a logged request; else empty.
    revealed: str


class Sentence(msgspec.Struct, frozen=True):
    """One thing a person has said, in words, and whether it stops messages."""

    text: str
    stops: bool = False


def contacts_of(recipient_id: int, revealed: Mapping[ContactKind, str]) -> list[Contact]:
    """The e-mail address and the phone number, masked, with their place on the suppression list."""
    points = list(ContactPoint.objects.filter(recipient_id=recipient_id).order_by("kind"))
    entries = store.suppressions_of([bytes(point.index) for point in points])
    reasons = {(entry.index, entry.channel): entry.reason.value for entry in entries}
    return [_contact(point, reasons, revealed) for point in points]


def ledger_of(user_id: str) -> list[Entry]:
    """The newest entries of the consent ledger, the place they were written from left out."""
    entries = audit.read_consents(user_id, before=None, limit=_LEDGER_SHOWN).entries
    return [msgspec.structs.replace(one, ip_address=None) for one in entries]


def _contact(
    point: ContactPoint, reasons: Mapping[tuple[bytes, Channel], str], revealed: Mapping[ContactKind, str]
) -> Contact:
    kind = ContactKind(point.kind)
    index = bytes(point.index)
    channel = Channel.EMAIL if kind is ContactKind.EMAIL else Channel.SMS
    return Contact(
        kind,
        index,
        point.hint,
        point.status,
        reasons.get((index, channel), ""),
        point.updated_at,
        revealed.get(kind, ""),
    )


def sentences_of(facts: RecipientFacts) -> list[Sentence]:
    """The preferences in plain words, what stops messages first; empty: nothing was ever said."""
    said = [*_standing(facts), *_switches(facts.preferences), *_wishes(facts.preferences)]
    return sorted(said, key=lambda sentence: not sentence.stops)


def _standing(facts: RecipientFacts) -> Iterator[Sentence]:
    if facts.status is not RecipientStatus.ACTIVE:
        yield Sentence(f"This person is {facts.status.value}: nothing is sent.", stops=True)
    if facts.preferences.global_opt_out:
        yield Sentence("Opted out of everything but mandatory messages.", stops=True)


def _switches(preferences: Preferences) -> Iterator[Sentence]:
    for channel, on in preferences.channels.items():
        yield Sentence(f"{channel.value} is {_on(on)}.", stops=not on)
    for category, channels in preferences.categories.items():
        for channel, on in channels.items():
            yield Sentence(f"{category.value} by {channel.value} is {_on(on)}.", stops=not on)
    for key, channels in preferences.types.items():
        for channel, on in channels.items():
            yield Sentence(f"{key} by {channel.value} is {_on(on)}.", stops=not on)


def _wishes(preferences: Preferences) -> Iterator[Sentence]:
    yield Sentence("Wants marketing." if preferences.marketing_opt_in else "Has not asked for marketing.")
    if preferences.sms_preference is SmsPreference.NEVER:
        yield Sentence("Never wants text messages.", stops=True)
    if preferences.quiet_hours:
        zone = preferences.timezone or "the recipient's zone"
        yield Sentence(f"Quiet from {preferences.quiet_hours.start} to {preferences.quiet_hours.end}, {zone}.")
    if preferences.channel_order:
        yield Sentence(f"Prefers {', then '.join(channel.value for channel in preferences.channel_order)}.")
    if preferences.critical_channel:
        yield Sentence(f"Wants critical messages by {preferences.critical_channel.value}.")
    if preferences.digest_frequency is not DigestFrequency.REALTIME:
        yield Sentence(f"Wants what can wait {preferences.digest_frequency.value}.")
    if preferences.locale:
        yield Sentence(f"Reads {preferences.locale}.")


def _on(on: bool) -> str:  # noqa: FBT001 - the value itself is what is worded
    return "on" if on else "off"
