"""Recipients come, change and go as the owner's system says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum

import msgspec
from django.db import transaction
from msgspec import UnsetType

from channels.errors import Refusal
from channels.rules.wire import decode
from preferences import policy, store
from preferences.errors import UnknownUser, UserErased, duplicate_user, too_many_users
from preferences.rules.intake import change_of, encoded_attributes, profile_of
from preferences.rules.merging import merge
from preferences.rules.requests import BulkUser, UserBody, UserPatch
from preferences.store import recipients, records
from preferences.vocabulary import Profile, RecipientStatus, UserRecord


class UpsertStatus(StrEnum):
    """What became of one user of a bulk upsert."""

    CREATED = "created"
    UPDATED = "updated"
    REJECTED = "rejected"


class UserFault(msgspec.Struct, frozen=True):
    """One fault of one user; the pointer starts at the request's body."""

    pointer: str
    code: str
    message: str


class UpsertResult(msgspec.Struct, frozen=True, kw_only=True):
    """One user of a bulk upsert, in the order of the request."""

    #: Null where the body held none that could be read.
    user_id: str | None
    status: UpsertStatus
    code: str | None = None
    detail: str | None = None
    errors: Sequence[UserFault] = ()


class UpsertResults(msgspec.Struct, frozen=True):
    """The answer to a bulk upsert."""

    results: list[UpsertResult]


def put_user(user_id: str, body: UserBody) -> tuple[UserRecord, bool]:
    """Create or replace one user; the flag says whether they are new. A deleted one is active again."""
    done = store.upsert({user_id: profile_of(body)})
    if not done.created and not done.updated:
        raise UserErased
    return get_user(user_id), bool(done.created)


def put_users(bodies: Sequence[bytes]) -> list[UpsertResult]:
    """Create or replace users; what is wrong with one of them does not touch the others."""
    if len(bodies) > policy.MAX_BULK_USERS:
        raise too_many_users(len(bodies), policy.MAX_BULK_USERS)
    profiles: dict[str, Profile] = {}
    results: list[UpsertResult | str] = [_read(body, at, profiles) for at, body in enumerate(bodies)]
    done = store.upsert(profiles) if profiles else recipients.Upserted(frozenset(), frozenset())
    return [one if isinstance(one, UpsertResult) else _written(one, done) for one in results]


def patch_user(user_id: str, patch: UserPatch) -> UserRecord:
    """Change what the patch names; a deleted user stays deleted."""
    wanted = change_of(patch)
    with transaction.atomic():
        ref = recipients.lock(user_id)
        if ref is None:
            raise UnknownUser
        if ref.status is RecipientStatus.ERASED:
            raise UserErased
        attributes = None
        if not isinstance(wanted.attributes, UnsetType):
            present = records.attributes_of(ref.id)
            attributes = encoded_attributes({} if wanted.attributes is None else merge(present, wanted.attributes))
        recipients.change(ref, wanted, attributes)
    return get_user(user_id)


def get_user(user_id: str) -> UserRecord:
    """One user in full."""
    record = records.record_of(user_id)
    if record is None:
        raise UnknownUser
    return record


def delete_user(user_id: str) -> None:
    """Nothing is sent to this user any more."""
    if not recipients.mark_deleted(user_id):
        raise UnknownUser


def _read(body: bytes, at: int, profiles: dict[str, Profile]) -> UpsertResult | str:
    """Put the user's profile among `profiles` and answer their id, or say what is wrong with it."""
    try:
        user = decode(body, BulkUser)
        if user.user_id in profiles:
            raise duplicate_user()
        profiles[user.user_id] = profile_of(user)
    except Refusal as refusal:
        return _rejected(_name_in(body), refusal, at)
    return user.user_id


def _name_in(body: bytes) -> str | None:
    """Whom a rejected body meant, if that much of it can be read and told back."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    name = parsed.get("user_id") if isinstance(parsed, dict) else None
    return name if isinstance(name, str) and name.isprintable() else None


def _rejected(user_id: str | None, refusal: Refusal, at: int) -> UpsertResult:
    return UpsertResult(
        user_id=user_id,
        status=UpsertStatus.REJECTED,
        code=refusal.code,
        detail=refusal.detail,
        errors=[UserFault(f"/users/{at}{one.pointer}", one.code, one.message) for one in refusal.errors],
    )


def _written(user_id: str, done: recipients.Upserted) -> UpsertResult:
    if user_id in done.created:
        return UpsertResult(user_id=user_id, status=UpsertStatus.CREATED)
    if user_id in done.updated:
        return UpsertResult(user_id=user_id, status=UpsertStatus.UPDATED)
    erased = UserErased()
    return UpsertResult(user_id=user_id, status=UpsertStatus.REJECTED, code=erased.code, detail=erased.detail)
