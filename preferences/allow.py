"""A recipient says what they allow."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from django.db import transaction

from preferences.errors import UnknownUser, UserErased, VersionConflict
from preferences.rules.intake import checked_preferences, merged_preferences
from preferences.rules.requests import PreferencesPatch
from preferences.store import documents, recipients
from preferences.vocabulary import Preferences, RecipientStatus

#: Says whether a version is the one the caller has read.
Matches = Callable[[int], bool]


def get_preferences(user_id: str) -> Preferences:
    """The document of a user; all defaults and version 0 where nothing was ever said."""
    found = documents.preferences_of(user_id)
    if found is None:
        raise UnknownUser
    return found


def put_preferences(user_id: str, wanted: Preferences, matches: Matches) -> Preferences:
    """Replace the document if its version matches; what is left out is back at its default."""
    checked = checked_preferences(wanted)
    return _write(user_id, matches, lambda _: checked)


def patch_preferences(user_id: str, patch: PreferencesPatch, matches: Matches) -> Preferences:
    """Change what the patch names, if the version matches."""
    return _write(user_id, matches, lambda present: merged_preferences(present, patch))


def _write(user_id: str, matches: Matches, change: Callable[[Preferences], Preferences]) -> Preferences:
    """Write under the recipient's lock: of two writers at once the second sees what the first wrote."""
    with transaction.atomic():
        ref = recipients.lock(user_id)
        if ref is None:
            raise UnknownUser
        if ref.status is RecipientStatus.ERASED:
            raise UserErased
        present = get_preferences(user_id)
        if not matches(present.version):
            raise VersionConflict
        changed = msgspec.structs.replace(change(present), version=present.version + 1)
        documents.save_preferences(ref.id, changed)
    return changed
