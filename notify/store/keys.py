"""Applications and their API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import connection, transaction

from notify.models import ApiKey, Application
from notify.vocabulary import Scope, Tier


class KeyRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is decided upon for a key."""

    id: int
    application_id: int
    secret_hash: bytes
    scopes: frozenset[str]
    tier: Tier
    is_test: bool
    expires_at: datetime | None
    #: Revoked, or its application is disabled.
    is_stopped: bool


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to be stored; the secret itself is not among its fields."""

    prefix: str
    secret_hash: bytes
    last4: str
    scopes: Sequence[Scope]
    tier: Tier
    is_test: bool
    expires_at: datetime | None


_SELECT = """
SELECT k.id, k.application_id, k.secret_hash, k.scopes, k.tier, k.is_test, k.expires_at,
       k.revoked_at IS NOT NULL OR a.disabled_at IS NOT NULL
FROM notify_api_key k JOIN notify_application a ON a.id = k.application_id
"""


def find_key(prefix: str) -> KeyRow | None:
    """The key of this prefix, whatever its state."""
    return _read(f"{_SELECT} WHERE k.prefix = %s", prefix)


def key_by_id(key_id: int) -> KeyRow | None:
    """The key of this id, whatever its state."""
    return _read(f"{_SELECT} WHERE k.id = %s", key_id)


def _read(query: str, argument: str | int) -> KeyRow | None:
    with connection.cursor() as cursor:
        cursor.execute(query, (argument,))
        row = cursor.fetchone()
    if row is None:
        return None
    return KeyRow(
        id=row[0],
        application_id=row[1],
        secret_hash=bytes(row[2]),
        scopes=frozenset(row[3]),
        tier=Tier(row[4]),
        is_test=row[5],
        expires_at=row[6],
        is_stopped=row[7],
    )


def note_use(key_id: int) -> None:
    """Write when the key was last used, to the minute: most calls change nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_api_key SET last_used_at = now()
               WHERE id = %s AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')""",
            (key_id,),
        )


def add_key(application_name: str, key: NewKey) -> int:
    """Store a key of an application, which is made if there is none of this name; the answer is the key's id."""
    with transaction.atomic():
        application, _ = Application.objects.get_or_create(name=application_name)
        row = ApiKey.objects.create(
            application=application,
            prefix=key.prefix,
            secret_hash=key.secret_hash,
            last4=key.last4,
            scopes=[str(scope) for scope in key.scopes],
            tier=key.tier.value,
            is_test=key.is_test,
            expires_at=key.expires_at,
        )
    return int(row.pk)


def application_named(name: str) -> int:
    """The id of an application, which is made if there is none of this name."""
    application, _ = Application.objects.get_or_create(name=name)
    return int(application.pk)


def application_of(key_id: int) -> str | None:
    """The name of the application that a key belongs to."""
    return ApiKey.objects.filter(pk=key_id).values_list("application__name", flat=True).first()


def expire_key(key_id: int, at: datetime) -> bool:
    """Let a key end at an instant, if it does not end before; False for one that is revoked or unknown."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notify_api_key SET expires_at = least(expires_at, %s) WHERE id = %s AND revoked_at IS NULL",
            (at, key_id),
        )
        return bool(cursor.rowcount == 1)


def revoke_key(key_id: int) -> bool:
    """End a key now and for good; False for one that was revoked before, or is unknown."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_api_key SET revoked_at = now() WHERE id = %s AND revoked_at IS NULL", (key_id,))
        return bool(cursor.rowcount == 1)


def set_application_disabled(application_id: int, *, disabled: bool) -> bool:
    """Stop or admit all keys of an application; False when it was so before."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE notify_application SET disabled_at = CASE WHEN %s THEN now() END
               WHERE id = %s AND (disabled_at IS NULL) = %s""",
            (disabled, application_id, disabled),
        )
        return bool(cursor.rowcount == 1)
