"""A person asks to be forgotten (GDPR art. 17)."""

from __future__ import annotations

from datetime import datetime

import msgspec
from django.db import transaction
from django.utils import timezone

from channels.vocabulary import Channel
from preferences.errors import UnknownUser
from preferences.rules.ledger import GLOBAL, Said
from preferences.store import consents, erasures, recipients, suppressions
from preferences.vocabulary import (
    ConsentMeans,
    ConsentState,
    ContactKind,
    Origin,
    RecipientStatus,
    SuppressionReason,
)

_CHANNEL_OF = {ContactKind.EMAIL: Channel.EMAIL, ContactKind.PHONE: Channel.SMS}


class Erasure(msgspec.Struct, frozen=True):
    """An erasure as it stands."""

    recipient_id: int
    requested_at: datetime
    #: False: this person had been erased before.
    is_new: bool


def erase_person(user_id: str, origin: Origin) -> Erasure:
    """Stop everything for a person and make what is held of them unreadable, in one transaction; or raise.

    From the commit on nothing is planned or sent: both ask for the status. Kept are the keyed hashes of addresses that
    nobody else has, so that an old list cannot bring the person back into marketing, and the ledger without its names.
    Repeating it is harmless. Raises `UnknownUser`.
    """
    with transaction.atomic():
        ref = recipients.lock(user_id)
        if ref is None:
            raise UnknownUser
        if ref.status is RecipientStatus.ERASED:
            return Erasure(ref.id, erasures.requested_at(ref.id) or timezone.now(), is_new=False)
        erased = msgspec.structs.replace(origin, means=ConsentMeans.ERASURE)
        for kind, index in erasures.own_addresses(ref.id):
            suppressions.suppress([index], _CHANNEL_OF[kind], SuppressionReason.ERASURE, erased)
        consents.append(ref, [Said(GLOBAL, ConsentState.WITHDRAWN)], erased)
        consents.anonymise(ref.id)
        erasures.erase(ref.id)
        return Erasure(ref.id, erasures.requested_at(ref.id) or timezone.now(), is_new=True)
