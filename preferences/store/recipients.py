"""Who the recipients are: read and written by the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from django.db import connection, transaction
from msgspec import UnsetType

from channels.rules.sealing import new_data_key
from preferences.conf import KEYRING
from preferences.errors import InvalidField
from preferences.rules.intake import encoded_attributes
from preferences.rules.merging import merge
from preferences.store.changes import changed
from preferences.store.contacts import SealedAddress, data_key, key_place, seal_contact
from preferences.store.hot import hot_cursor
from preferences.vocabulary import ContactKind, Profile, ProfileChange, RecipientRef, RecipientStatus

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_STATUSES = {str(status): status for status in RecipientStatus}

# `xmax = 0` is true of a row this statement inserted, and false of one it updated.
_INSERT = """
    INSERT INTO preferences_recipient
        (id, user_id, status, locale, timezone, country_code, attributes, data_key, created_at, updated_at)
    SELECT id, user_id, 'active', locale, timezone, country_code, attributes::jsonb, data_key, now(), now()
    FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[])
        AS new(id, user_id, locale, timezone, country_code, attributes, data_key)
    ON CONFLICT (user_id) {conflict}
    RETURNING id, user_id, data_key, xmax = 0"""
_UPSERT = _INSERT.format(
    conflict="""DO UPDATE SET status = 'active', locale = excluded.locale, timezone = excluded.timezone,
        country_code = excluded.country_code, attributes = excluded.attributes, updated_at = excluded.updated_at
    WHERE preferences_recipient.status <> 'erased'"""
)
_INSERT_NEW = _INSERT.format(conflict="DO NOTHING")
# What is not given stays.
_MERGE = """
    UPDATE preferences_recipient r SET locale = coalesce(nullif(new.locale, ''), r.locale),
        timezone = coalesce(nullif(new.timezone, ''), r.timezone),
        country_code = coalesce(nullif(new.country_code, ''), r.country_code),
        attributes = new.attributes::jsonb, updated_at = now()
    FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[])
        AS new(id, locale, timezone, country_code, attributes)
    WHERE r.id = new.id"""
_KEEP_ONLY = """
    DELETE FROM preferences_contact_point c
    WHERE recipient_id = ANY(%b) AND NOT EXISTS (
        SELECT FROM unnest(%b::bigint[], %b::text[]) AS kept(id, kind)
        WHERE kept.id = c.recipient_id AND kept.kind = c.kind)"""
# The same address keeps what became of it; another one starts afresh.
_PUT_CONTACTS = """
    INSERT INTO preferences_contact_point (recipient_id, kind, sealed, index, hint, status, updated_at)
    SELECT id, kind, sealed, index, hint, 'active', now()
    FROM unnest(%b::bigint[], %b::text[], %b::bytea[], %b::bytea[], %b::text[]) AS new(id, kind, sealed, index, hint)
    ON CONFLICT (recipient_id, kind) DO UPDATE SET sealed = excluded.sealed, index = excluded.index,
        hint = excluded.hint,
        updated_at = CASE WHEN preferences_contact_point.index = excluded.index
                     THEN preferences_contact_point.updated_at ELSE excluded.updated_at END,
        soft_bounces = CASE WHEN preferences_contact_point.index = excluded.index
                       THEN preferences_contact_point.soft_bounces ELSE 0 END,
        soft_bounced_since = CASE WHEN preferences_contact_point.index = excluded.index
                             THEN preferences_contact_point.soft_bounced_since END,
        status = CASE WHEN preferences_contact_point.index = excluded.index
                 THEN preferences_contact_point.status ELSE excluded.status END"""


class Upserted(NamedTuple):
    """What an upsert did: user ids it created and updated. Those it left out are erased."""

    created: frozenset[str]
    updated: frozenset[str]


class Merged(NamedTuple):
    """What a merge did: user ids it created, updated, and left as they were. Those in none of them are erased."""

    created: frozenset[str]
    updated: frozenset[str]
    #: Their attributes and the new ones together are more than somebody may have.
    too_long: frozenset[str]


class _Row(NamedTuple):
    """A recipient that was just written."""

    id: int
    user_id: str
    wrapped_key: bytes
    is_new: bool
    #: The data key in clear of one that is new: it was made here, and need not be unwrapped.
    fresh_key: bytes = b""


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


def refs_of(recipient_ids: Sequence[int]) -> dict[int, RecipientRef]:
    """Recipients by our own id, in one query; unknown ones are missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, user_id, status, data_key FROM preferences_recipient WHERE id = ANY(%s)", (list(recipient_ids),)
        )
        return {row[0]: _ref(row) for row in cursor.fetchall()}


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
        rows = _put_recipients(_UPSERT, sorted(profiles.items()))
        contacts = [contact for row in rows for contact in _contacts_of(row, profiles[row.user_id])]
        _keep_only([row.id for row in rows if not row.is_new], contacts)
        _put_contacts(contacts)
        changed(row.id for row in rows if not row.is_new)
    created = frozenset(row.user_id for row in rows if row.is_new)
    return Upserted(created, frozenset(row.user_id for row in rows) - created)


def merge_page(profiles: Mapping[str, Profile]) -> Merged:
    """Create recipients, or change what is given of those there are, in five statements whatever the page.

    What a profile leaves empty stays as it is; a deleted recipient stays deleted, an erased one is left alone.
    """
    with transaction.atomic():
        present = _lock_page(sorted(profiles))
        fresh = sorted((user_id, profile) for user_id, profile in profiles.items() if user_id not in present)
        new = _put_recipients(_INSERT_NEW, fresh) if fresh else []
        merged = {one.row.user_id: one for one in present.values() if one.row.wrapped_key}
        attributes = {user_id: _merged(one.attributes, profiles[user_id]) for user_id, one in merged.items()}
        known = [merged[user_id].row for user_id, text in attributes.items() if text is not None]
        _merge_known([(row.id, profiles[row.user_id], attributes[row.user_id] or "") for row in known])
        _put_contacts([contact for row in (*new, *known) for contact in _contacts_of(row, profiles[row.user_id])])
        changed(row.id for row in known)
        done = Merged(
            frozenset(row.user_id for row in new),
            frozenset(row.user_id for row in known),
            frozenset(user_id for user_id, text in attributes.items() if text is None),
        )
        # Somebody else has created them meanwhile.
        raced = {user_id: profile for user_id, profile in fresh if user_id not in done.created}
        return done if not raced else _joined(done, merge_page(raced))


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
        changed([ref.id])


def mark_deleted(user_id: str) -> bool:
    """Nothing is sent to this recipient any more; False if there is none. Repeating it is harmless."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_recipient
               SET status = CASE status WHEN 'active' THEN 'deleted' ELSE status END, updated_at = now()
               WHERE user_id = %s RETURNING id""",
            (user_id,),
        )
        found = [row[0] for row in cursor.fetchall()]
    changed(found)
    return bool(found)


def _ref(row: tuple[Any, ...]) -> RecipientRef:
    return RecipientRef(id=row[0], user_id=row[1], status=_STATUSES[row[2]], wrapped_key=row[3] or b"")


class _Present(NamedTuple):
    """A recipient that is there."""

    row: _Row
    #: JSON.
    attributes: str


def _lock_page(user_ids: Sequence[str]) -> dict[str, _Present]:
    """Those there are, held against other writers until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, user_id, data_key, attributes::text FROM preferences_recipient
               WHERE user_id = ANY(%b) ORDER BY user_id FOR NO KEY UPDATE""",
            (list(user_ids),),
        )
        return {row[1]: _Present(_Row(row[0], row[1], row[2] or b"", is_new=False), row[3]) for row in cursor}


def _merged(present: str, profile: Profile) -> str | None:
    """The attributes after a merge patch (RFC 7396); None: they would be too long or too deep."""
    if profile.attributes == "{}":
        return present
    try:
        return encoded_attributes(merge(_decode(present), _decode(profile.attributes)))
    except InvalidField:
        return None


def _merge_known(rows: Sequence[tuple[int, Profile, str]]) -> None:
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _MERGE,
            (
                [recipient_id for recipient_id, _, _ in rows],
                [profile.locale for _, profile, _ in rows],
                [profile.timezone for _, profile, _ in rows],
                [profile.country_code for _, profile, _ in rows],
                [attributes for _, _, attributes in rows],
            ),
        )


def _joined(one: Merged, other: Merged) -> Merged:
    return Merged(*(left | right for left, right in zip(one, other, strict=True)))


def _put_recipients(sql: str, pairs: Sequence[tuple[str, Profile]]) -> list[_Row]:
    """Each row is offered an id and a fresh data key, bound to each other; those already there keep their own."""
    with hot_cursor() as cursor:
        cursor.execute(
            """SELECT nextval(s.name) FROM generate_series(1, %s),
                   (SELECT pg_get_serial_sequence('preferences_recipient', 'id')::regclass AS name) s""",
            (len(pairs),),
        )
        keys = {row[0]: new_data_key() for row in cursor.fetchall()}
        cursor.execute(
            sql,
            (
                [*keys],
                [user_id for user_id, _ in pairs],
                [profile.locale for _, profile in pairs],
                [profile.timezone for _, profile in pairs],
                [profile.country_code for _, profile in pairs],
                [profile.attributes for _, profile in pairs],
                [KEYRING.wrap(key, key_place(new_id)) for new_id, key in keys.items()],
            ),
        )
        return [
            _Row(row[0], row[1], row[2], is_new=row[3], fresh_key=keys[row[0]] if row[3] else b"")
            for row in cursor.fetchall()
        ]


def _contacts_of(row: _Row, profile: Profile) -> list[_Contact]:
    if profile.email is None and profile.phone is None:
        return []
    key = row.fresh_key or data_key(row.wrapped_key, row.id)
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
