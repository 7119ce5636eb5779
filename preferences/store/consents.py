"""The consent ledger: written with every change of what people allow, by the page, and never changed after that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from channels.rules.sealing import Unreadable, seal, unseal
from channels.vocabulary import Channel
from preferences.rules.ledger import Said, Subject
from preferences.store.contacts import data_key
from preferences.vocabulary import (
    ConsentActor,
    ConsentMeans,
    ConsentScope,
    ConsentState,
    ContactKind,
    Origin,
    RecipientRef,
)

_KIND_ON = {Channel.EMAIL: ContactKind.EMAIL, Channel.SMS: ContactKind.PHONE}

# The address is the one the person has at that moment on the channel the word is about: e-mail where it is about none.
_APPEND = """
    INSERT INTO preferences_consent (recipient_id, scope, channel, category, type_key, state, means, actor, actor_id,
        text_version, said_at, address_index, hint, ip_sealed, delivery_id, trace)
    SELECT v.recipient_id, v.scope, v.channel, v.category, v.type_key, v.state, %s, %s, %s, v.text_version, v.said_at,
        c.index, coalesce(c.hint, ''), %s, %s, %s
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
        AS v(recipient_id, scope, channel, category, type_key, state, text_version, said_at)
    LEFT JOIN preferences_contact_point c ON c.recipient_id = v.recipient_id AND c.kind = CASE
        WHEN v.channel = 'sms' OR v.scope = 'sms' THEN 'phone' WHEN v.channel IN ('', 'email') THEN 'email' END"""
_APPEND_ADDRESSES = """
    INSERT INTO preferences_consent (recipient_id, scope, channel, category, type_key, state, means, actor, actor_id,
        text_version, address_index, hint, trace)
    SELECT c.recipient_id, 'address', %s, '', '', %s, %s, %s, %s, %s, v.index, coalesce(c.hint, ''), %s
    FROM unnest(%s::bytea[]) AS v(index)
    LEFT JOIN preferences_contact_point c ON c.index = v.index AND c.kind = %s"""
_ENTRY = """SELECT id, scope, channel, category, type_key, state, at, means, actor, actor_id, text_version, hint,
    ip_sealed, delivery_id, trace, said_at FROM preferences_consent"""


class Line(NamedTuple):
    """A word to write."""

    recipient_id: int
    said: Said
    text_version: str
    said_at: datetime | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the ledger as the owner's system may read it."""

    id: int
    scope: ConsentScope
    #: Null where the scope has no such part; so too the next two.
    channel: Channel | None
    category: str | None
    type: str | None
    state: ConsentState
    at: datetime
    means: ConsentMeans
    actor: ConsentActor
    actor_id: str
    text_version: str
    #: When the person said it, where whoever told us knew; `at` is when we were told.
    said_at: datetime | None
    #: What may be shown of the address it was about.
    address: str
    ip_address: str | None
    delivery_id: UUID | None
    trace: str


def append(recipient: RecipientRef, said: Sequence[Said], origin: Origin) -> None:
    """Write what one person said, in one statement; belongs into the transaction that changes what they allow."""
    ip_sealed = None
    if origin.ip_address and recipient.wrapped_key and said:
        key = data_key(recipient.wrapped_key, recipient.id)
        ip_sealed = seal(key, origin.ip_address.encode(), _ip_place(recipient.id))
    _append([Line(recipient.id, one, origin.text_version, origin.said_at) for one in said], origin, ip_sealed)


def append_page(recipient_ids: Collection[int], said: Said, origin: Origin) -> None:
    """Write the same word of many people, in one statement."""
    _append([Line(one, said, origin.text_version, origin.said_at) for one in sorted(recipient_ids)], origin, None)


def append_lines(lines: Sequence[Line], origin: Origin) -> None:
    """Write words of many people, each with a proof of its own, in one statement."""
    _append(lines, origin, None)


def append_addresses(indexes: Collection[bytes], channel: Channel, state: ConsentState, origin: Origin) -> None:
    """Write a word about addresses on a channel: an entry for each person who has one, else for the address alone."""
    if not indexes:
        return
    kind = _KIND_ON.get(channel, "")
    with connection.cursor() as cursor:
        cursor.execute(
            _APPEND_ADDRESSES,
            (
                channel.value,
                state.value,
                origin.means.value,
                origin.actor.value,
                origin.actor_id,
                origin.text_version,
                origin.trace,
                sorted(indexes),
                str(kind),
            ),
        )


def page_of(recipient: RecipientRef, before: int | None, limit: int) -> list[Entry]:
    """Entries of one person, newest first, from before one on."""
    sql = f"{_ENTRY} WHERE recipient_id = %s AND id < %s ORDER BY id DESC LIMIT %s"
    return _entries(recipient, sql, (recipient.id, 2**63 - 1 if before is None else before, limit))


def current_of(recipient: RecipientRef) -> list[Entry]:
    """The last word of one person on each subject: where they stand now."""
    latest = """id IN (SELECT DISTINCT ON (scope, channel, category, type_key) id FROM preferences_consent
        WHERE recipient_id = %s ORDER BY scope, channel, category, type_key, id DESC)"""
    sql = f"{_ENTRY} WHERE {latest} ORDER BY scope, channel, category, type_key"
    return _entries(recipient, sql, (recipient.id,))


def last_word(recipient_id: int, subject: Subject) -> tuple[int, ConsentState] | None:
    """Number and state of the last entry of one person on one subject."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, state FROM preferences_consent WHERE recipient_id = %s AND scope = %s AND channel = %s
                   AND category = %s AND type_key = %s ORDER BY id DESC LIMIT 1""",
            (recipient_id, *(str(part) for part in subject)),
        )
        row = cursor.fetchone()
    return None if row is None else (row[0], ConsentState(row[1]))


def anonymise(recipient_id: int) -> int:
    """Take out of a person's entries whatever leads to them; the keyed hash of the address stays, as the proof."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_consent SET recipient_id = NULL, hint = '', ip_sealed = NULL, delivery_id = NULL,
                   trace = '' WHERE recipient_id = %s""",
            (recipient_id,),
        )
        return int(cursor.rowcount)


def all_entries(after: int, limit: int) -> list[tuple[Any, ...]]:
    """The whole ledger in its order, from behind an entry on: for auditors, hashes and hints as they stand."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT c.id, c.at, coalesce(r.user_id, ''), c.scope, c.channel, c.category, c.type_key, c.state, c.means,
                   c.actor, c.actor_id, c.text_version, c.said_at, encode(c.address_index, 'hex'), c.hint,
                   c.delivery_id, c.trace
               FROM preferences_consent c LEFT JOIN preferences_recipient r ON r.id = c.recipient_id
               WHERE c.id > %s ORDER BY c.id LIMIT %s""",
            (after, limit),
        )
        return list(cursor.fetchall())


def _append(lines: Sequence[Line], origin: Origin, ip_sealed: bytes | None) -> None:
    if not lines:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _APPEND,
            (
                origin.means.value,
                origin.actor.value,
                origin.actor_id,
                ip_sealed,
                origin.delivery_id,
                origin.trace,
                [line.recipient_id for line in lines],
                *([str(line.said.subject[part]) for line in lines] for part in range(4)),
                [line.said.state.value for line in lines],
                [line.text_version for line in lines],
                [line.said_at for line in lines],
            ),
        )


def _entries(recipient: RecipientRef, sql: str, arguments: Sequence[Any]) -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return [_entry(recipient, row) for row in cursor.fetchall()]


def _entry(recipient: RecipientRef, row: tuple[Any, ...]) -> Entry:
    return Entry(
        id=row[0],
        scope=ConsentScope(row[1]),
        channel=Channel(row[2]) if row[2] else None,
        category=row[3] or None,
        type=row[4] or None,
        state=ConsentState(row[5]),
        at=row[6],
        means=ConsentMeans(row[7]),
        actor=ConsentActor(row[8]),
        actor_id=row[9],
        text_version=row[10],
        said_at=row[15],
        address=row[11],
        ip_address=_opened(recipient, row[12]),
        delivery_id=row[13],
        trace=row[14],
    )


def _opened(recipient: RecipientRef, sealed: bytes | None) -> str | None:
    if sealed is None or not recipient.wrapped_key:
        return None
    try:
        return unseal(data_key(recipient.wrapped_key, recipient.id), sealed, _ip_place(recipient.id)).decode()
    except Unreadable:
        return None


def _ip_place(recipient_id: int) -> bytes:
    return b"consent.ip:%d" % recipient_id
