"""Addresses of recipients: sealed when written, opened when sent to, found by keyed hash."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db import connection

from channels.errors import BadAddress
from channels.rules.addresses import comparable_email, email_hint, normalise_email, normalise_phone, phone_hint
from channels.rules.sealing import Unreadable, blind_index, seal, unseal
from channels.vocabulary import Channel
from preferences.conf import HASH_KEY, KEYRING
from preferences.vocabulary import (
    ContactFact,
    ContactKind,
    DeviceFact,
    RecipientFacts,
)

_CONTACT_PLACE = b"contact_point.sealed:"
_DEVICE_PLACE = b"device.sealed:"
_KEY_PLACE = b"recipient.data_key:"


class SealedAddress(msgspec.Struct, frozen=True, gc=False):
    """An address as it is stored."""

    sealed: bytes
    index: bytes
    hint: str


def data_key(wrapped: bytes, recipient_id: int) -> bytes:
    """The recipient's data key; raises `Unreadable` once it is destroyed."""
    if not wrapped:
        raise Unreadable("the recipient's key is destroyed")
    return KEYRING.unwrap(wrapped, key_place(recipient_id))


def key_place(recipient_id: int) -> bytes:
    """What binds a wrapped data key to its recipient."""
    return _KEY_PLACE + b"%d" % recipient_id


def address_of(fact: ContactFact | DeviceFact, key: bytes) -> str:
    """The address in clear: e-mail, E.164 number, push token or subscription; raises `Unreadable`."""
    place = _DEVICE_PLACE if isinstance(fact, DeviceFact) else _CONTACT_PLACE
    return unseal(key, fact.sealed, place + fact.index).decode()


def endpoint(facts: RecipientFacts, channel: Channel, device_id: int | None = None) -> ContactFact | DeviceFact | None:
    """Where this channel reaches the recipient now, or None; the inbox has no endpoint."""
    match channel:
        case Channel.EMAIL:
            return facts.email
        case Channel.SMS:
            return facts.phone
        case Channel.PUSH:
            return next((device for device in facts.devices if device.id == device_id), None)
        case Channel.IN_APP:
            return None


def index_of(kind: ContactKind, address: str) -> bytes:
    """The blind index of a normalised e-mail address or phone number."""
    comparable = comparable_email(address) if kind is ContactKind.EMAIL else address
    return blind_index(HASH_KEY, kind.value, comparable)


def index_of_token(token: str) -> bytes:
    """The blind index of a normalised push token."""
    return blind_index(HASH_KEY, "token", token)


def index_on(channel: Channel, address: str) -> bytes:
    """The blind index of an address as somebody else wrote it; empty where it is none that the channel carries."""
    try:
        match channel:
            case Channel.EMAIL:
                return index_of(ContactKind.EMAIL, normalise_email(address))
            case Channel.SMS:
                return index_of(ContactKind.PHONE, normalise_phone(address))
            case _:
                return b""
    except BadAddress:
        return b""


def seal_contact(kind: ContactKind, address: str, key: bytes) -> SealedAddress:
    """A normalised address, ready for its row."""
    index = index_of(kind, address)
    hint = email_hint(address) if kind is ContactKind.EMAIL else phone_hint(address)
    return SealedAddress(seal(key, address.encode(), _CONTACT_PLACE + index), index, hint)


def seal_token(token: str, index: bytes, hint: str, key: bytes) -> SealedAddress:
    """A normalised push token, ready for its row."""
    return SealedAddress(seal(key, token.encode(), _DEVICE_PLACE + index), index, hint)


def owners_of(indexes: Sequence[bytes]) -> dict[bytes, list[int]]:
    """The recipients who have each of these addresses or numbers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT index, recipient_id FROM preferences_contact_point WHERE index = ANY(%s)", (list(indexes),)
        )
        found: dict[bytes, list[int]] = {}
        for index, recipient_id in cursor.fetchall():
            found.setdefault(bytes(index), []).append(recipient_id)
    return found


def find_by_address(index: bytes) -> list[int]:
    """Ids of the recipients who have this address or an active device with this token; erased ones have none."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT recipient_id FROM preferences_contact_point WHERE index = %s
               UNION SELECT recipient_id FROM preferences_device
               WHERE platform IN ('ios', 'android', 'web') AND index = %s AND active ORDER BY 1""",
            (index, index),
        )
        return [row[0] for row in cursor.fetchall()]
