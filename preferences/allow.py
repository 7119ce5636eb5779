"""A recipient says what they allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from django.db import transaction
from msgspec import UNSET

from channels.vocabulary import Channel
from preferences.conf import DOUBLE_OPT_IN
from preferences.errors import UnknownUser, UserErased, VersionConflict
from preferences.policy import CONFIRM_AGAIN_AFTER, CONFIRM_WITHIN
from preferences.rules.consent import without
from preferences.rules.intake import checked_preferences, merged_preferences
from preferences.rules.ledger import MARKETING, Said, kept_marketing
from preferences.rules.requests import PreferencesPatch
from preferences.store import consents, documents, opt_ins, recipients
from preferences.store.consents import Line
from preferences.vocabulary import (
    Category,
    ConsentMeans,
    ConsentState,
    Origin,
    Preferences,
    RecipientRef,
    RecipientStatus,
)

#: Says whether a version is the one the caller has read.
Matches = Callable[[int], bool]


def get_preferences(user_id: str) -> Preferences:
    """The document of a user; all defaults and version 0 where nothing was ever said."""
    found = documents.preferences_of(user_id)
    if found is None:
        raise UnknownUser
    return found


def put_preferences(user_id: str, wanted: Preferences, matches: Matches, origin: Origin) -> Preferences:
    """Replace the document if its version matches; what is left out is back at its default."""
    checked = checked_preferences(wanted)
    return _write(user_id, matches, lambda _: checked, origin, refuses=not checked.marketing_opt_in)


def patch_preferences(user_id: str, patch: PreferencesPatch, matches: Matches, origin: Origin) -> Preferences:
    """Change what the patch names, if the version matches."""
    refuses = patch.marketing_opt_in is not UNSET and not patch.marketing_opt_in
    return _write(user_id, matches, lambda present: merged_preferences(present, patch), origin, refuses=refuses)


def change_preferences(
    user_id: str, change: Callable[[Preferences], Preferences], matches: Matches, origin: Origin
) -> Preferences:
    """Make another document of the present one, if the version matches."""
    return _write(user_id, matches, lambda present: checked_preferences(change(present)), origin)


def confirm_marketing(recipient_id: int, nonce: int, origin: Origin) -> bool:
    """Let a request for marketing count that waits for its person; False where none does, or no longer."""
    with transaction.atomic():
        user_id = recipients.user_ids_of([recipient_id]).get(recipient_id)
        ref = recipients.lock(user_id) if user_id is not None else None
        if ref is None or user_id is None or not opt_ins.is_open(recipient_id, nonce, CONFIRM_WITHIN):
            return False
        opt_ins.withdraw([recipient_id])
        present = get_preferences(user_id)
        agreed = msgspec.structs.replace(present, marketing_opt_in=True, version=present.version + 1)
        confirmed = msgspec.structs.replace(origin, means=ConsentMeans.DOUBLE_OPT_IN)
        documents.save_preferences(ref, present, agreed, confirmed)
    return True


def is_to_confirm(recipient_id: int, nonce: int) -> bool:
    """Whether this request for marketing still waits for its person."""
    return opt_ins.is_open(recipient_id, nonce, CONFIRM_WITHIN)


class Spoken(NamedTuple):
    """What one person said of marketing, and its proof."""

    agrees: bool
    text_version: str
    said_at: datetime | None


def import_marketing(spoken: Mapping[str, Spoken], origin: Origin) -> frozenset[str]:
    """Write down what a page of people said of marketing; the user ids whose no stays although a yes was given.

    A yes from elsewhere never takes back a no: of the two we cannot tell which was later, and only the person can.
    Whoever imports a yes vouches for it, so it counts without a mail. Four statements whatever the page.
    """
    with transaction.atomic():
        held = documents.lock_page(sorted(spoken))
        stays = frozenset(
            one.user_id for one in held if spoken[one.user_id].agrees and one.preferences.marketing_opt_in is False
        )
        said = [one for one in held if one.user_id not in stays]
        asked = frozenset(opt_ins.withdraw([one.id for one in said]))
        after = {one.id: _with_marketing(one.preferences, agrees=spoken[one.user_id].agrees) for one in said}
        documents.save_page({one.id: after[one.id] for one in said if after[one.id] != one.preferences})
        consents.append_lines(
            [
                Line(one.id, Said(MARKETING, _word(proof)), proof.text_version, proof.said_at)
                for one in said
                for proof in (spoken[one.user_id],)
                if after[one.id] != one.preferences or (one.id in asked and not proof.agrees)
            ],
            origin,
        )
    return stays


def _with_marketing(present: Preferences, *, agrees: bool) -> Preferences:
    if present.marketing_opt_in is agrees:
        return present
    return msgspec.structs.replace(present, marketing_opt_in=agrees, version=present.version + 1)


def _word(spoken: Spoken) -> ConsentState:
    return ConsentState.GIVEN if spoken.agrees else ConsentState.WITHDRAWN


def _write(
    user_id: str,
    matches: Matches,
    change: Callable[[Preferences], Preferences],
    origin: Origin,
    *,
    refuses: bool = False,
) -> Preferences:
    """Write under the recipient's lock: of two writers at once the second sees what the first wrote.

    `refuses`: marketing is said no to, be it again.
    """
    with transaction.atomic():
        ref = recipients.lock(user_id)
        if ref is None:
            raise UnknownUser
        if ref.status is RecipientStatus.ERASED:
            raise UserErased
        present = get_preferences(user_id)
        if not matches(present.version):
            raise VersionConflict
        wanted = kept_marketing(present, change(present))
        if DOUBLE_OPT_IN:
            wanted = _unconfirmed(ref, present, wanted, origin, refuses=refuses)
        changed = msgspec.structs.replace(wanted, version=present.version + 1)
        documents.save_preferences(ref, present, changed, origin)
    return changed


def _unconfirmed(
    ref: RecipientRef, present: Preferences, wanted: Preferences, origin: Origin, *, refuses: bool
) -> Preferences:
    """The document without a yes to marketing that the person has yet to confirm; who imports one vouches for it."""
    agrees = wanted.marketing_opt_in is True and present.marketing_opt_in is not True
    if agrees and origin.means is not ConsentMeans.IMPORT:
        if opt_ins.ask(ref.id, CONFIRM_AGAIN_AFTER):
            consents.append(ref, [Said(MARKETING, ConsentState.REQUESTED)], origin)
        return msgspec.structs.replace(wanted, marketing_opt_in=present.marketing_opt_in)
    if (refuses or agrees) and opt_ins.withdraw([ref.id]) and wanted.marketing_opt_in is present.marketing_opt_in:
        consents.append(ref, [Said(MARKETING, ConsentState.WITHDRAWN)], origin)
    return wanted


def leave(recipient_id: int, channel: Channel, *, category: Category, type_key: str = "", origin: Origin) -> bool:
    """No more of a category, or of one type, on a channel; whether that is new.

    Nobody is told whether there is such a person: one who was erased leaves without a trace.
    """
    with transaction.atomic():
        user_id = recipients.user_ids_of([recipient_id]).get(recipient_id)
        ref = recipients.lock(user_id) if user_id is not None else None
        if ref is None or user_id is None or ref.status is RecipientStatus.ERASED:
            return False
        present = get_preferences(user_id)
        changed = without(present, channel, category=category, type_key=type_key)
        if changed == present:
            return False
        changed = msgspec.structs.replace(changed, version=present.version + 1)
        documents.save_preferences(ref, present, changed, origin)
    return True
