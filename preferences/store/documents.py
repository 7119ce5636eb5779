"""The preference document: read with its recipient, written under a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from django.db import connection

from preferences.rules.ledger import changes
from preferences.store import consents
from preferences.store.changes import changed
from preferences.vocabulary import Origin, Preferences, RecipientRef

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Preferences).decode


class Held(NamedTuple):
    """A locked recipient."""

    id: int
    user_id: str
    preferences: Preferences


def preferences_of(user_id: str) -> Preferences | None:
    """What a recipient allows; None if there is no such recipient."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT p.document::text FROM preferences_recipient r
               LEFT JOIN preferences_preference p ON p.recipient_id = r.id
               WHERE r.user_id = %s""",
            (user_id,),
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return Preferences() if row[0] is None else _decode(row[0])


def lock_page(user_ids: Sequence[str]) -> list[Held]:
    """Recipients and what they allow, held against other writers until the transaction ends; none that is erased."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT r.id, r.user_id, p.document::text FROM preferences_recipient r
               LEFT JOIN preferences_preference p ON p.recipient_id = r.id
               WHERE r.user_id = ANY(%b) AND r.status <> 'erased' ORDER BY r.user_id FOR NO KEY UPDATE OF r""",
            (list(user_ids),),
        )
        return [Held(row[0], row[1], Preferences() if row[2] is None else _decode(row[2])) for row in cursor]


def save_page(documents: Mapping[int, Preferences]) -> None:
    """Write the documents of locked recipients, in one statement. What is said by them is the caller's to put down."""
    if not documents:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO preferences_preference (recipient_id, document, version, updated_at)
               SELECT id, document::jsonb, version, now()
               FROM unnest(%b::bigint[], %b::text[], %b::int[]) AS new(id, document, version)
               ON CONFLICT (recipient_id) DO UPDATE SET document = excluded.document, version = excluded.version,
                   updated_at = excluded.updated_at""",
            (
                [*documents],
                [_encode(one).decode() for one in documents.values()],
                [one.version for one in documents.values()],
            ),
        )
    changed(documents)


def save_preferences(recipient: RecipientRef, before: Preferences, after: Preferences, origin: Origin) -> None:
    """Write the document of a locked recipient, and in the ledger what is said by it, in one transaction.

    The document's version says how often it has been written.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO preferences_preference (recipient_id, document, version, updated_at)
               VALUES (%s, %s::jsonb, %s, now())
               ON CONFLICT (recipient_id) DO UPDATE SET document = excluded.document, version = excluded.version,
                   updated_at = excluded.updated_at""",
            (recipient.id, _encode(after).decode(), after.version),
        )
    changed([recipient.id])
    consents.append(recipient, changes(before, after), origin)
