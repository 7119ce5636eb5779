"""One user as their owner sees them."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db import connection

from preferences.store.contacts import address_of, data_key
from preferences.vocabulary import ContactFact, RecipientStatus, UserRecord

_attributes = msgspec.json.Decoder(dict[str, Any]).decode


def attributes_of(recipient_id: int) -> dict[str, Any]:
    """The attributes of one recipient."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT attributes::text FROM preferences_recipient WHERE id = %s", (recipient_id,))
        row = cursor.fetchone()
    return {} if row is None else _attributes(row[0])


def record_of(user_id: str) -> UserRecord | None:
    """One user in full, in two queries."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, user_id, status, locale, timezone, country_code, attributes::text, created_at, updated_at,
                   data_key
               FROM preferences_recipient WHERE user_id = %s""",
            (user_id,),
        )
        row = cursor.fetchone()
    if row is None:
        return None
    addresses = _addresses_of(row[0], row[9])
    return UserRecord(
        user_id=row[1],
        status=RecipientStatus(row[2]),
        email=addresses.get("email"),
        phone=addresses.get("phone"),
        locale=row[3] or None,
        timezone=row[4] or None,
        country_code=row[5] or None,
        attributes=_attributes(row[6]),
        created_at=row[7],
        updated_at=row[8],
    )


def _addresses_of(recipient_id: int, wrapped_key: bytes | None) -> dict[str, str]:
    """Addresses in clear by kind; none once the key is destroyed."""
    if wrapped_key is None:
        return {}
    key = data_key(wrapped_key, recipient_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, id, sealed, index, hint FROM preferences_contact_point WHERE recipient_id = %s",
            (recipient_id,),
        )
        rows = cursor.fetchall()
    return {
        kind: address_of(ContactFact(contact_id, sealed, index, hint, usable=True), key)
        for kind, contact_id, sealed, index, hint in rows
    }
