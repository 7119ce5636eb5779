"""What a topic is told once, and how it looks in the inbox of each who subscribes: ids, who sees what, in which order.

A reader's notification has an id without there being a row: it is made of the broadcast and the reader, and leads back
to both. It begins with the broadcast's millisecond, so that one look-up by primary key finds that; then come 26 bits
of a hash of both; the last 48 are the reader's number under a pad made of that hash. To anybody else it is a UUIDv7.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec

from channels.vocabulary import Channel
from notify.rules.ids import delivery_id, milliseconds_of
from notify.vocabulary import TypeRow
from preferences.rules.verdict import verdict
from preferences.vocabulary import Allow, Category, RecipientFacts

_VERSION, _VARIANT = 0x7 << 76, 0x2 << 62
#: Bits of the hash below the variant; the others stand above it.
_LOW = 14
_LOW_BITS, _HASH_BITS, _TAIL = (1 << _LOW) - 1, (1 << 26) - 1, (1 << 48) - 1
_ALWAYS = datetime.min.replace(tzinfo=UTC)

_Held = TypeVar("_Held")


class Live(msgspec.Struct, frozen=True, gc=False):
    """A broadcast that is to be seen."""

    id: UUID
    batch_id: UUID
    topic_id: int
    type_key: str
    created_at: datetime
    expires_at: datetime | None
    #: Id of the transaction that wrote it.
    changed: int


class Place(NamedTuple):
    """Where an entry stands in an inbox: the later, then the greater, comes first."""

    created_at: datetime
    #: The delivery's.
    id: UUID


class Reader(msgspec.Struct, frozen=True, gc=False):
    """What decides which broadcasts a person sees."""

    id: int
    #: By topic, since when they subscribe to it.
    since: Mapping[int, datetime]
    #: By type, from when on it is shown to them; who wants none of a type has it not.
    shown_from: Mapping[str, datetime]
    #: Broadcasts of which they have a row.
    touched: Collection[UUID]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A broadcast in one reader's inbox."""

    recipient_id: int
    live: Live
    notification_id: UUID

    @property
    def place(self) -> Place:
        """Where it stands; its delivery is the one there will be when it is touched."""
        return Place(self.live.created_at, delivery_id(self.notification_id, Channel.IN_APP, 0))


def notification_id_of(broadcast_id: UUID, recipient_id: int) -> UUID:
    """The id of a reader's notification of a broadcast, the same whenever it is computed."""
    mark = _mark(broadcast_id, recipient_id)
    head = (milliseconds_of(broadcast_id) << 80) | _VERSION | (mark >> _LOW << 64) | _VARIANT
    return UUID(int=head | ((mark & _LOW_BITS) << 48) | (recipient_id ^ _pad(broadcast_id, mark)))


def reader_of(broadcast_id: UUID, notification_id: UUID) -> int | None:
    """Whose notification of this broadcast that is; None: nobody's."""
    bits = notification_id.int
    mark = (((bits >> 64) & (_HASH_BITS >> _LOW)) << _LOW) | ((bits >> 48) & _LOW_BITS)
    recipient_id = (bits & _TAIL) ^ _pad(broadcast_id, mark)
    return recipient_id if notification_id_of(broadcast_id, recipient_id) == notification_id else None


def shown_from(facts: RecipientFacts, kinds: Iterable[TypeRow], now: datetime) -> dict[str, datetime]:
    """By type, from when on a person is shown what is told in the app; types they want none of are missing.

    The person and the law are asked, as ever; what we ourselves do about sending (modes, budgets, hours) concerns
    nothing that stands there already.
    """
    found: dict[str, datetime] = {}
    for kind in kinds:
        category = Category(kind.category)
        said = verdict(facts, channel=Channel.IN_APP, type_key=kind.key, category=category, mandatory=kind.mandatory)
        if isinstance(said, Allow):
            days = kind.retention_days
            found[kind.key] = _ALWAYS if days is None else now - timedelta(days=days)
    return found


def shown_to(reader: Reader, board: Mapping[int, Sequence[Live]]) -> list[Live]:
    """What a reader's topics were told while they subscribed, they are shown, and have no row of; in no order."""
    touched, shown = reader.touched, reader.shown_from
    return [
        one
        for topic_id, since in reader.since.items()
        for one in board.get(topic_id, ())
        if one.created_at >= since
        and one.id not in touched
        and (start := shown.get(one.type_key)) is not None
        and one.created_at >= start
    ]


def near(told: Iterable[Live], before: Place | None, limit: int) -> list[Live]:
    """Of what was told enough to find the first `limit` behind a place: what is far from it needs no id made."""
    instant = None if before is None else before.created_at
    found = sorted(
        (one for one in told if instant is None or one.created_at <= instant),
        key=lambda one: one.created_at,
        reverse=True,
    )
    # Only ids tell which of one instant stand before the place, and which come first among the last.
    end = limit + sum(one.created_at == instant for one in found)
    while 0 < end < len(found) and found[end].created_at == found[end - 1].created_at:
        end += 1
    return found[:end]


def newest(
    stored: Mapping[Place, _Held], fresh: Mapping[Place, _Held], *, before: Place | None, limit: int
) -> list[_Held]:
    """The first `limit` behind a place, newest first, of rows and of what has none.

    What stands in both was touched between the two questions: the row counts.
    """
    both = {**fresh, **stored}
    places = sorted((place for place in both if before is None or place < before), reverse=True)
    return [both[place] for place in places[:limit]]


def _mark(broadcast_id: UUID, recipient_id: int) -> int:
    digest = blake2b(b"%d" % recipient_id, digest_size=4, key=broadcast_id.bytes).digest()
    return int.from_bytes(digest, "big") & _HASH_BITS


def _pad(broadcast_id: UUID, mark: int) -> int:
    digest = blake2b(b"%d" % mark, digest_size=6, key=broadcast_id.bytes, person=b"pad").digest()
    return int.from_bytes(digest, "big")
