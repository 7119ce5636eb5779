"""What is known of the recipients of a page, gathered in bulk; nothing is decided here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from channels.vocabulary import Channel, Platform
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
    WHERE r.id = ANY(%s)"""
_CONTACTS = """
    SELECT c.recipient_id, c.kind, c.id, c.sealed, c.index, c.hint, c.status,
        (SELECT s.channel FROM preferences_suppression s
         WHERE s.index = c.index AND s.channel = CASE c.kind WHEN 'email' THEN 'email' ELSE 'sms' END LIMIT 1)
    FROM preferences_contact_point c
    WHERE c.recipient_id = ANY(%s)"""
_DEVICES = """
    SELECT recipient_id, id, platform, sealed, index, hint
    FROM preferences_device
    WHERE recipient_id = ANY(%s) AND active ORDER BY id"""

_STATUSES = {str(status): status for status in RecipientStatus}
_PLATFORMS = {str(platform): platform for platform in Platform}
_NOTHING_SAID = Preferences()
_NOT_SUPPRESSED: frozenset[Channel] = frozenset()
_ADDRESSED = frozenset({Channel.EMAIL, Channel.SMS})
_document = msgspec.json.Decoder(Preferences).decode
_attributes = msgspec.json.Decoder(dict[str, Any]).decode


class _Contacts(msgspec.Struct, gc=False):
    """The contact points of one recipient while they are collected."""

    email: ContactFact | None = None
    phone: ContactFact | None = None
    suppressed: frozenset[Channel] = _NOT_SUPPRESSED


_NO_CONTACTS = _Contacts()


def facts_for(
    recipient_ids: Sequence[int], channels: Collection[Channel] = tuple(Channel)
) -> dict[int, RecipientFacts]:
    """Facts by recipient id, in three queries whatever the page; ids without a recipient are missing.

    Whoever asks for some channels only gets no addresses of the others, and saves their queries.
    """
    ids = list(recipient_ids)
    if not ids:
        return {}
    contacts = _contacts(_rows(_CONTACTS, ids)) if not _ADDRESSED.isdisjoint(channels) else {}
    devices = _devices(_rows(_DEVICES, ids)) if Channel.PUSH in channels else {}
    return {
        row[0]: _facts(row, contacts.get(row[0], _NO_CONTACTS), devices.get(row[0], ())) for row in _rows(_PEOPLE, ids)
    }


def _rows(sql: str, ids: list[int]) -> list[tuple[Any, ...]]:
    with hot_cursor() as cursor:
        cursor.execute(sql, (ids,))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


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
    )


def _contacts(rows: Iterable[tuple[Any, ...]]) -> dict[int, _Contacts]:
    found: dict[int, _Contacts] = {}
    for recipient_id, kind, contact_id, sealed, index, hint, status, suppressed in rows:
        mine = found.get(recipient_id)
        if mine is None:
            mine = found[recipient_id] = _Contacts()
        fact = ContactFact(contact_id, sealed, index, hint, status == ContactStatus.ACTIVE)
        if kind == ContactKind.EMAIL:
            mine.email = fact
        else:
            mine.phone = fact
        if suppressed is not None:
            mine.suppressed |= {Channel(suppressed)}
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
