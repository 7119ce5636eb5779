"""Addresses of recipients: sealed when written, opened when sent to, found by keyed hash, suppressed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from django.db import connection, transaction

from channels.rules.addresses import comparable_email, email_hint, phone_hint
from channels.rules.sealing import Unreadable, blind_index, seal, unseal
from channels.vocabulary import Channel
from preferences.conf import HASH_KEY, KEYRING
from preferences.vocabulary import (
    ContactFact,
    ContactKind,
    ContactStatus,
    DeviceFact,
    RecipientFacts,
    SuppressionReason,
)

_CONTACT_PLACE = b"contact_point.sealed:"
_DEVICE_PLACE = b"device.sealed:"
_KEY_PLACE = b"recipient.data_key:"

#: What a suppression says of the address itself; an operator's says nothing.
_STATUS_AFTER = {
    SuppressionReason.HARD_BOUNCE: ContactStatus.BOUNCED,
    SuppressionReason.COMPLAINT: ContactStatus.COMPLAINED,
    SuppressionReason.UNSUBSCRIBE: ContactStatus.UNSUBSCRIBED,
    SuppressionReason.INVALID: ContactStatus.INVALID,
}
_KIND_ON = {Channel.EMAIL: ContactKind.EMAIL, Channel.SMS: ContactKind.PHONE}


class SealedAddress(msgspec.Struct, frozen=True, gc=False):
    """An address as it is stored."""

    sealed: bytes
    index: bytes
    hint: str


class Suppressed(msgspec.Struct, frozen=True, gc=False):
    """An entry of the suppression list."""

    index: bytes
    channel: Channel
    reason: SuppressionReason


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


def seal_contact(kind: ContactKind, address: str, key: bytes) -> SealedAddress:
    """A normalised address, ready for its row."""
    index = index_of(kind, address)
    hint = email_hint(address) if kind is ContactKind.EMAIL else phone_hint(address)
    return SealedAddress(seal(key, address.encode(), _CONTACT_PLACE + index), index, hint)


def seal_token(token: str, index: bytes, hint: str, key: bytes) -> SealedAddress:
    """A normalised push token, ready for its row."""
    return SealedAddress(seal(key, token.encode(), _DEVICE_PLACE + index), index, hint)


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


def suppress(indexes: Iterable[bytes], channel: Channel, reason: SuppressionReason | str) -> int:
    """Send nothing to these addresses on this channel any more, whoever has them; the number of new entries.

    The first reason stands. An entry outlives the recipient, so that an address imported again stays suppressed.
    """
    chosen, reason = sorted(set(indexes)), SuppressionReason(reason)
    if not chosen:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO preferences_suppression (index, channel, reason, created_at)
               SELECT unnest(%s::bytea[]), %s, %s, now() ON CONFLICT DO NOTHING""",
            (chosen, channel.value, reason.value),
        )
        added: int = cursor.rowcount
        if channel in _KIND_ON and reason in _STATUS_AFTER:
            cursor.execute(
                """UPDATE preferences_contact_point SET status = %s, updated_at = now()
                   WHERE index = ANY(%s) AND kind = %s AND status = 'active'""",
                (_STATUS_AFTER[reason].value, chosen, _KIND_ON[channel].value),
            )
    return added


def release(indexes: Iterable[bytes], channel: Channel) -> int:
    """Take addresses off the suppression list of a channel; the number of entries that were there."""
    chosen = sorted(set(indexes))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM preferences_suppression WHERE index = ANY(%s) AND channel = %s", (chosen, channel.value)
        )
        removed: int = cursor.rowcount
        if channel in _KIND_ON:
            cursor.execute(
                """UPDATE preferences_contact_point SET status = 'active', updated_at = now()
                   WHERE index = ANY(%s) AND kind = %s AND status <> 'active'""",
                (chosen, _KIND_ON[channel].value),
            )
    return removed


def suppressions_of(indexes: Sequence[bytes]) -> list[Suppressed]:
    """The entries that concern these addresses, on any channel."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT index, channel, reason FROM preferences_suppression WHERE index = ANY(%s) ORDER BY index, channel",
            (list(indexes),),
        )
        return [Suppressed(index, Channel(word), SuppressionReason(why)) for index, word, why in cursor.fetchall()]
