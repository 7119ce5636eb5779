"""Who the recipients are: read and written by the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection, transaction
from msgspec import UnsetType

from channels.rules.sealing import new_data_key
from preferences.conf import KEYRING
from preferences.store.contacts import SealedAddress, data_key, key_place, seal_contact
from preferences.vocabulary import ContactKind, Profile, ProfileChange, RecipientRef, RecipientStatus

_STATUSES = {str(status): status for status in RecipientStatus}

# `xmax = 0` is true of a row this statement inserted, and false of one it updated.
_UPSERT = """
    INSERT INTO preferences_recipient
        (id, user_id, status, locale, timezone, country_code, attributes, data_key, created_at, updated_at)
    SELECT id, user_id, 'active', locale, timezone, country_code, attributes::jsonb, data_key, now(), now()
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[])
        AS new(id, user_id, locale, timezone, country_code, attributes, data_key)
    ON CONFLICT (user_id) DO UPDATE SET status = 'active', locale = excluded.locale, timezone = excluded.timezone,
        country_code = excluded.country_code, attributes = excluded.attributes, updated_at = excluded.updated_at
    WHERE preferences_recipient.status <> 'erased'
    RETURNING id, user_id, data_key, xmax = 0"""
_KEEP_ONLY = """
    DELETE FROM preferences_contact_point c
    WHERE recipient_id = ANY(%s) AND NOT EXISTS (
        SELECT FROM unnest(%s::bigint[], %s::text[]) AS kept(id, kind)
        WHERE kept.id = c.recipient_id AND kept.kind = c.kind)"""
# The same address keeps what became of it; another one starts afresh.
_PUT_CONTACTS = """
    INSERT INTO preferences_contact_point (recipient_id, kind, sealed, index, hint, status, updated_at)
    SELECT id, kind, sealed, index, hint, 'active', now()
    FROM unnest(%s::bigint[], %s::text[], %s::bytea[], %s::bytea[], %s::text[]) AS new(id, kind, sealed, index, hint)
    ON CONFLICT (recipient_id, kind) DO UPDATE SET sealed = excluded.sealed, index = excluded.index,
        hint = excluded.hint, updated_at = excluded.updated_at,
        status = CASE WHEN preferences_contact_point.index = excluded.index
                 THEN preferences_contact_point.status ELSE excluded.status END"""


class Upserted(NamedTuple):
    """What an upsert did: user ids it created and updated. Those it left out are erased."""

    created: frozenset[str]
    updated: frozenset[str]


class _Row(NamedTuple):
    """A recipient that was just written."""

    id: int
    user_id: str
    wrapped_key: bytes
    is_new: bool


class _Contact(NamedTuple):
    """A contact point to write."""

    recipient_id: int
    kind: ContactKind
    address: SealedAddress


def resolve(user_ids: Sequence[str]) -> dict[str, RecipientRef]:
    """Recipients by `user_id`, in one query; unknown ones are missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, user_id, status, data_key FROM preferences_recipient WHERE user_id = ANY(%s)", (list(user_ids),)
        )
        return {row[1]: _ref(row) for row in cursor.fetchall()}


def lock(user_id: str) -> RecipientRef | None:
    """One recipient, held against other writers until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, user_id, status, data_key FROM preferences_recipient
               WHERE user_id = %s FOR NO KEY UPDATE""",
            (user_id,),
        )
        row = cursor.fetchone()
    return None if row is None else _ref(row)


def user_ids_of(recipient_ids: Sequence[int]) -> dict[int, str]:
    """`user_id` by our own id, in one query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, user_id FROM preferences_recipient WHERE id = ANY(%s)", (list(recipient_ids),))
        return dict(cursor.fetchall())


def upsert(profiles: Mapping[str, Profile]) -> Upserted:
    """Create or replace recipients by `user_id`, in four statements whatever the page; erased ones are left alone.

    A deleted recipient is active again. Rows are locked in the order of their ids, so pages cannot deadlock.
    """
    with transaction.atomic():
        rows = _upsert_recipients(sorted(profiles.items()))
        contacts = [contact for row in rows for contact in _contacts_of(row, profiles[row.user_id])]
        _keep_only([row.id for row in rows if not row.is_new], contacts)
        _put_contacts(contacts)
    created = frozenset(row.user_id for row in rows if row.is_new)
    return Upserted(created, frozenset(row.user_id for row in rows) - created)


def change(ref: RecipientRef, wanted: ProfileChange, attributes: str | None) -> None:
    """Change some fields of a locked recipient; `attributes` are the merged ones, None: as they are."""
    given = {"locale": wanted.locale, "timezone": wanted.timezone, "country_code": wanted.country_code}
    fields = {column: None if isinstance(value, UnsetType) else value for column, value in given.items()}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                """UPDATE preferences_recipient SET locale = coalesce(%s, locale), timezone = coalesce(%s, timezone),
                       country_code = coalesce(%s, country_code), attributes = coalesce(%s::jsonb, attributes),
                       updated_at = now()
                   WHERE id = %s""",
                (*fields.values(), attributes, ref.id),
            )
        _change_contacts(ref, {ContactKind.EMAIL: wanted.email, ContactKind.PHONE: wanted.phone})


def mark_deleted(user_id: str) -> bool:
    """Nothing is sent to this recipient any more; False if there is none. Repeating it is harmless."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_recipient
               SET status = CASE status WHEN 'active' THEN 'deleted' ELSE status END, updated_at = now()
               WHERE user_id = %s""",
            (user_id,),
        )
        return bool(cursor.rowcount)


def _ref(row: tuple[Any, ...]) -> RecipientRef:
    return RecipientRef(id=row[0], user_id=row[1], status=_STATUSES[row[2]], wrapped_key=row[3] or b"")


def _upsert_recipients(pairs: Sequence[tuple[str, Profile]]) -> list[_Row]:
    """Each row is offered an id and a fresh data key, bound to each other; those already there keep their own."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT nextval(pg_get_serial_sequence('preferences_recipient', 'id'))
               FROM generate_series(1, %s)""",
            (len(pairs),),
        )
        ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            _UPSERT,
            (
                ids,
                [user_id for user_id, _ in pairs],
                [profile.locale for _, profile in pairs],
                [profile.timezone for _, profile in pairs],
                [profile.country_code for _, profile in pairs],
                [profile.attributes for _, profile in pairs],
                [KEYRING.wrap(new_data_key(), key_place(new_id)) for new_id in ids],
            ),
        )
        return [_Row(*row) for row in cursor.fetchall()]


def _contacts_of(row: _Row, profile: Profile) -> list[_Contact]:
    if profile.email is None and profile.phone is None:
        return []
    key = data_key(row.wrapped_key, row.id)
    given = ((ContactKind.EMAIL, profile.email), (ContactKind.PHONE, profile.phone))
    return [_Contact(row.id, kind, seal_contact(kind, address, key)) for kind, address in given if address is not None]


def _keep_only(recipient_ids: list[int], contacts: Sequence[_Contact]) -> None:
    """Remove the contact points of these recipients that are not among the new ones."""
    if not recipient_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _KEEP_ONLY,
            (recipient_ids, [one.recipient_id for one in contacts], [one.kind.value for one in contacts]),
        )


def _put_contacts(contacts: Sequence[_Contact]) -> None:
    if not contacts:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _PUT_CONTACTS,
            (
                [one.recipient_id for one in contacts],
                [one.kind.value for one in contacts],
                [one.address.sealed for one in contacts],
                [one.address.index for one in contacts],
                [one.address.hint for one in contacts],
            ),
        )


def _change_contacts(ref: RecipientRef, wanted: Mapping[ContactKind, str | UnsetType | None]) -> None:
    """Write the addresses that are given, remove those that are None, leave the unset ones."""
    gone = [kind.value for kind, address in wanted.items() if address is None]
    if gone:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM preferences_contact_point WHERE recipient_id = %s AND kind = ANY(%s)", (ref.id, gone)
            )
    given = [(kind, address) for kind, address in wanted.items() if isinstance(address, str)]
    if given:
        key = data_key(ref.wrapped_key, ref.id)
        _put_contacts([_Contact(ref.id, kind, seal_contact(kind, address, key)) for kind, address in given])
