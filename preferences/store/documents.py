"""The preference document: read with its recipient, written under a version."""

from __future__ import annotations

import msgspec
from django.db import connection

from preferences.vocabulary import Preferences

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Preferences).decode


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


def save_preferences(recipient_id: int, preferences: Preferences) -> None:
    """Write the document of a locked recipient; its version says how often it has been written."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO preferences_preference (recipient_id, document, version, updated_at)
               VALUES (%s, %s::jsonb, %s, now())
               ON CONFLICT (recipient_id) DO UPDATE SET document = excluded.document, version = excluded.version,
                   updated_at = excluded.updated_at""",
            (recipient_id, _encode(preferences).decode(), preferences.version),
        )
