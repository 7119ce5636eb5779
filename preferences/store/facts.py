"""What is known of the recipients of a page, gathered in bulk; nothing is decided here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

import msgspec

from channels.vocabulary import Channel, Platform
from preferences.conf import MARKETING_DEFAULT
from preferences.rules.suppression import is_marketing_only
from preferences.store.hot import hot_cursor
from preferences.vocabulary import (
    ContactFact,
    ContactKind,
    ContactStatus,
    DeviceFact,
    Preferences,
    RecipientFacts,
    RecipientStatus,
)

# OFFSET 0 and LIMIT 1 keep the planner from hashing a whole table for the sake of one page.
_PEOPLE = """
    SELECT r.id, r.user_id, r.status, r.locale, r.timezone, r.country_code, r.attributes::text, r.data_key, p.document
    FROM preferences_recipient r
    LEFT JOIN LATERAL (SELECT document::text FROM preferences_preference WHERE recipient_id = r.id OFFSET 0) p ON true
    WHERE r.id = ANY(%s::bigint[])"""
_CONTACTS = """
    SELECT c.recipient_id, c.kind, c.id, c.sealed, c.index, c.hint, c.status,
        (SELECT s.reason FROM preferences_suppression s
         WHERE s.index = c.index AND s.channel = CASE c.kind WHEN 'email' THEN 'email' ELSE 'sms' END LIMIT 1)
    FROM preferences_contact_point c
    WHERE c.recipient_id = ANY(%s::bigint[])"""
_DEVICES = """
    SELECT recipient_id, id, platform, sealed, index, hint
    FROM preferences_device
    WHERE recipient_id = ANY(%s::bigint[]) AND active ORDER BY id"""

_STATUSES = {str(status): status for status in RecipientStatus}
_PLATFORMS = {str(platform): platform for platform in Platform}
_NOTHING_SAID = Preferences(marketing_opt_in=MARKETING_DEFAULT or None)
_NOT_SUPPRESSED: frozenset[Channel] = frozenset()
_ADDRESSED = frozenset({Channel.EMAIL, Channel.SMS})
#: What a person said of mail leaves the address good: the suppression list says to what it is closed.
_USABLE = {
    Channel.EMAIL: frozenset({ContactStatus.ACTIVE, ContactStatus.COMPLAINED, ContactStatus.UNSUBSCRIBED}),
    Channel.SMS: frozenset({ContactStatus.ACTIVE}),
}
_decode = msgspec.json.Decoder(Preferences).decode
_attributes = msgspec.json.Decoder(dict[str, Any]).decode


class _Contacts(msgspec.Struct, gc=False):
    """The contact points of one recipient while they are collected."""

    email: ContactFact | None = None
    phone: ContactFact | None = None
    suppressed: frozenset[Channel] = _NOT_SUPPRESSED
    unwanted: frozenset[Channel] = _NOT_SUPPRESSED


_NO_CONTACTS = _Contacts()


class Part(IntEnum):
    """What one statement reads of people; the first column of each row is the person."""

    PEOPLE = 0
    CONTACTS = 1
    DEVICES = 2


#: The statement of each part.
STATEMENTS = {Part.PEOPLE: _PEOPLE, Part.CONTACTS: _CONTACTS, Part.DEVICES: _DEVICES}
#: The fields of `RecipientFacts` that each part fills.
FIELDS = {
    Part.PEOPLE: (
        "user_id",
        "status",
        "locale",
        "timezone",
        "country_code",
        "attributes",
        "preferences",
        "wrapped_key",
    ),
    Part.CONTACTS: ("email", "phone", "suppressed", "unwanted"),
    Part.DEVICES: ("devices",),
}
Rows = list[tuple[Any, ...]]


def facts_for(
    recipient_ids: Sequence[int], channels: Collection[Channel] = tuple(Channel)
) -> dict[int, RecipientFacts]:
    """Facts by recipient id, in three queries whatever the page; ids without a recipient are missing.

    Whoever asks for some channels only gets no addresses of the others, and saves their queries.
    """
    ids = list(recipient_ids)
    return facts_of({part: read_part(part, ids) for part in parts_for(channels)}) if ids else {}


def parts_for(channels: Collection[Channel]) -> tuple[Part, ...]:
    """What must be read to reach people on these channels. Who they are comes last: a key just destroyed stays so."""
    contacts = () if _ADDRESSED.isdisjoint(channels) else (Part.CONTACTS,)
    devices = (Part.DEVICES,) if Channel.PUSH in channels else ()
    return (*contacts, *devices, Part.PEOPLE)


def read_part(part: Part, ids: list[int]) -> Rows:
    """The rows of one part, in one query."""
    with hot_cursor() as cursor:
        # As one text: the driver takes twice as long for a list of five hundred.
        cursor.execute(STATEMENTS[part], ("{" + ",".join(map(str, ids)) + "}",))
        rows: Rows = cursor.fetchall()
    return rows


def facts_of(rows: Mapping[Part, Rows]) -> dict[int, RecipientFacts]:
    """Facts by recipient id, made of the rows of each part that was read."""
    contacts = _contacts(rows.get(Part.CONTACTS, []))
    devices = _devices(rows.get(Part.DEVICES, []))
    return {
        row[0]: _facts(row, contacts.get(row[0], _NO_CONTACTS), devices.get(row[0], ())) for row in rows[Part.PEOPLE]
    }


def _facts(row: tuple[Any, ...], contacts: _Contacts, devices: Iterable[DeviceFact]) -> RecipientFacts:
    recipient_id, user_id, status, locale, timezone, country_code, attributes, data_key, document = row
    return RecipientFacts(
        id=recipient_id,
        user_id=user_id,
        status=_STATUSES[status],
        locale=locale,
        timezone=timezone,
        country_code=country_code,
        attributes=_attributes(attributes),
        preferences=_NOTHING_SAID if document is None else _document(document),
        email=contacts.email,
        phone=contacts.phone,
        devices=tuple(devices),
        suppressed=contacts.suppressed,
        wrapped_key=b"" if data_key is None else data_key,
        unwanted=contacts.unwanted,
    )


def _document(text: str) -> Preferences:
    """What was said; where nothing was said of marketing, the installation's default stands in."""
    said = _decode(text)
    if MARKETING_DEFAULT and said.marketing_opt_in is None:
        return msgspec.structs.replace(said, marketing_opt_in=True)
    return said


def _contacts(rows: Iterable[tuple[Any, ...]]) -> dict[int, _Contacts]:
    found: dict[int, _Contacts] = {}
    for recipient_id, kind, contact_id, sealed, index, hint, status, reason in rows:
        mine = found.get(recipient_id)
        if mine is None:
            mine = found[recipient_id] = _Contacts()
        channel = Channel.EMAIL if kind == ContactKind.EMAIL else Channel.SMS
        fact = ContactFact(contact_id, sealed, index, hint, status in _USABLE[channel])
        if channel is Channel.EMAIL:
            mine.email = fact
        else:
            mine.phone = fact
        if reason is not None and is_marketing_only(channel, reason):
            mine.unwanted |= {channel}
        elif reason is not None:
            mine.suppressed |= {channel}
    return found


def _devices(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[DeviceFact]]:
    found: dict[int, list[DeviceFact]] = {}
    for recipient_id, device_id, platform, sealed, index, hint in rows:
        fact = DeviceFact(device_id, _PLATFORMS[platform], sealed, index, hint)
        if recipient_id in found:
            found[recipient_id].append(fact)
        else:
            found[recipient_id] = [fact]
    return found
