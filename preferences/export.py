"""What this app holds of a person, in clear: for the person, through the owner's own system."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from preferences.errors import UnknownUser
from preferences.store import consents, devices, documents, recipients, records, topics
from preferences.store.consents import Entry
from preferences.store.devices import HeldDevice
from preferences.store.topics import HeldTopic
from preferences.vocabulary import Preferences, RecipientRef, UserRecord


class Held(msgspec.Struct, frozen=True):
    """A person but for the ledger, which may be long."""

    ref: RecipientRef
    user: UserRecord
    devices: list[HeldDevice]
    preferences: Preferences
    topics: list[HeldTopic]


def export_person(user_id: str) -> Held:
    """Profile, addresses, devices with their tokens, preferences and topics; raises `UnknownUser`."""
    ref, user = recipients.resolve([user_id]).get(user_id), records.record_of(user_id)
    if ref is None or user is None:
        raise UnknownUser
    allowed = documents.preferences_of(user_id) or Preferences()
    return Held(ref, user, devices.held_devices(ref), allowed, topics.held_topics(ref.id))


def export_consents(ref: RecipientRef, page: int) -> Iterator[Entry]:
    """The person's entries of the ledger, newest first, read by the page."""
    before: int | None = None
    while entries := consents.page_of(ref, before, page):
        yield from entries
        before = entries[-1].id
