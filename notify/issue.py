"""API keys come and go: issued, replaced with an overlap, revoked. The secret is shown once and never stored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from notify import conf
from notify.errors import UnknownKey
from notify.rules.credentials import KEY_ENTROPY, KeyParts, new_key, secret_hash
from notify.store import keys
from notify.vocabulary import Scope, Tier

_SHOWN = 4


def issue_key(
    application: str,
    *,
    scopes: Sequence[Scope],
    tier: Tier = Tier.STANDARD,
    is_test: bool = False,
    expires_at: datetime | None = None,
) -> KeyParts:
    """A new key of an application, which is made if there is none of this name; its text is known only now."""
    parts = new_key(is_test=is_test, entropy=os.urandom(KEY_ENTROPY))
    keys.add_key(
        application,
        keys.NewKey(
            prefix=parts.prefix,
            secret_hash=secret_hash(parts.secret, conf.KEY_PEPPER),
            last4=parts.secret[-_SHOWN:],
            scopes=scopes,
            tier=tier,
            is_test=is_test,
            expires_at=expires_at,
        ),
    )
    return parts


def rotate_key(key_id: int, *, now: datetime, overlap: timedelta, expires_at: datetime | None = None) -> KeyParts:
    """A new key that may do what the old one may, which ends after the overlap; raises `UnknownKey`.

    The new key's end is its own: that of the old one is the usual reason to rotate.
    """
    with transaction.atomic():
        old = keys.key_by_id(key_id)
        application = keys.application_of(key_id)
        if old is None or application is None or not keys.expire_key(key_id, now + overlap):
            raise UnknownKey
        scopes = [Scope(word) for word in sorted(old.scopes)]
        return issue_key(application, scopes=scopes, tier=old.tier, is_test=old.is_test, expires_at=expires_at)


def revoke_key(key_id: int) -> None:
    """End a key now, in every process within a second; raises `UnknownKey`."""
    if not keys.revoke_key(key_id):
        raise UnknownKey
