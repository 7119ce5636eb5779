"""How far a suppression reaches, and when temporary failures become one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from channels.vocabulary import Channel
from preferences.vocabulary import ConsentActor, ConsentMeans, Origin, SuppressionReason

#: What a person says of mail: no more advertising. Whoever calls a newsletter spam still wants the new password.
_SAID = frozenset({SuppressionReason.COMPLAINT, SuppressionReason.UNSUBSCRIBE})
_BY_PROVIDER = Origin(means=ConsentMeans.UNSUBSCRIBE_LINK, actor=ConsentActor.PROVIDER)
_STOP = Origin(means=ConsentMeans.STOP, actor=ConsentActor.PROVIDER)
#: Where a closed address comes from, if nobody says more; a bounce is nobody's word.
_ORIGINS = {
    SuppressionReason.COMPLAINT: Origin(means=ConsentMeans.COMPLAINT, actor=ConsentActor.PROVIDER),
    SuppressionReason.UNSUBSCRIBE: _BY_PROVIDER,
    SuppressionReason.MANUAL: Origin(means=ConsentMeans.ADMIN, actor=ConsentActor.STAFF),
    SuppressionReason.ERASURE: Origin(means=ConsentMeans.ERASURE, actor=ConsentActor.APPLICATION),
}


class BounceStory(msgspec.Struct, frozen=True, gc=False):
    """What happened to one address since it was last looked at."""

    #: Blind index of the address.
    index: bytes
    #: Whether something arrived; what failed before that is forgotten.
    arrived: bool
    #: Temporary failures since, and when the first and the last of them were.
    failures: int
    first: datetime
    last: datetime


def is_marketing_only(channel: Channel, reason: SuppressionReason | str) -> bool:
    """Whether a suppression closes an address to marketing alone.

    On SMS a STOP closes all: carriers block the number for us from then on, and law wants it so.
    """
    return reason == SuppressionReason.ERASURE or (channel is Channel.EMAIL and reason in _SAID)


def origin_of(channel: Channel, reason: SuppressionReason) -> Origin | None:
    """Where a suppression's word about consent comes from; None: it is none, but a fact about the address."""
    if channel is Channel.SMS and reason is SuppressionReason.UNSUBSCRIBE:
        return _STOP
    return _ORIGINS.get(reason)


def bounce_stories(happened: Iterable[tuple[bytes, datetime, bool]]) -> list[BounceStory]:
    """One story per address, of (index, when, arrived or else failed for now) in any order."""
    found: dict[bytes, BounceStory] = {}
    for index, at, arrived in sorted(happened, key=lambda one: one[1]):
        before = found.get(index)
        if arrived:
            found[index] = BounceStory(index, arrived, 0, at, at)
        elif before is None:
            found[index] = BounceStory(index, arrived, 1, at, at)
        else:
            first = before.first if before.failures else at
            found[index] = BounceStory(index, before.arrived, before.failures + 1, first, at)
    return list(found.values())
