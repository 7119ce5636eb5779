"""What a topic is told is written once, and stands in every subscriber's inbox: merged in when that is read.

Nobody has a row of it who has not touched it. The first touch (read, unread, archived, opened) makes it a notification
with a delivery and an entry, like any other; what is told to millions costs as many rows as people touch it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog
from django.db import transaction
from django.utils import timezone

from channels import inbox
from channels.rules.sealing import seal
from channels.vocabulary import Channel, TouchedEntry
from notify import conf
from notify.rules.broadcasts import Entry, Live, Reader, notification_id_of, reader_of, shown_from, shown_to
from notify.rules.ids import ENTROPY, delivery_id, new_ids
from notify.rules.ready import entry_place
from notify.store import broadcasts, planning, types
from notify.store.sending import Known, Renderable
from notify.vocabulary import Content, TypeRow
from notify.words import words_of
from preferences import store as people
from preferences.store import topics
from preferences.vocabulary import RecipientFacts

log = structlog.get_logger(__name__)

_encode = msgspec.json.Encoder().encode


class Untouched(msgspec.Struct, frozen=True):
    """What the topics of some readers bring them, but for what they have touched; and what its words rest on."""

    of: dict[int, list[Live]]
    people: dict[int, RecipientFacts]
    types: dict[str, TypeRow]

    def entries(self, recipient_id: int, told: Iterable[Live] | None = None) -> list[Entry]:
        """What one reader has, or of it what is asked for, in no order."""
        chosen = self.of.get(recipient_id, ()) if told is None else told
        return [Entry(recipient_id, one, notification_id_of(one.id, recipient_id)) for one in chosen]


_NOTHING = Untouched({}, {}, {})


def publish(batch_id: UUID, topic_id: int, *, expires_at: datetime | None, now: datetime) -> bool:
    """Show a batch to all who subscribe to a topic at this moment, by one row; False: it is shown already.

    Its words are made for each reader, of its template and the variables it shares. A test's are shown to nobody.
    """
    broadcast_id = new_ids(1, now=now, entropy=os.urandom(ENTROPY))[0]
    is_new = broadcasts.publish(broadcast_id, batch_id, topic_id, expires_at)
    if is_new:
        log.info("broadcast.published", broadcast=str(broadcast_id), batch=str(batch_id), topic=topic_id)
    return is_new


def cancel(batch_id: UUID) -> int:
    """Show a batch to nobody any more who has not touched it; from how many topics it was taken."""
    return broadcasts.cancel(batch_id)


def untouched_of(recipient_ids: Sequence[int]) -> Untouched:
    """What these readers are to be shown beside their rows, as of now.

    One statement where nobody subscribes to anything, two where nothing was told, and four otherwise, however many.
    """
    subscribed = topics.subscriptions_of(recipient_ids)
    if not subscribed:
        return _NOTHING
    now = timezone.now()
    board = broadcasts.live(sorted({one.topic_id for one in subscribed}), now - timedelta(days=conf.RETENTION_DAYS))
    if not board:
        return _NOTHING
    since: dict[int, dict[int, datetime]] = {}
    for one in subscribed:
        if one.topic_id in board:
            since.setdefault(one.recipient_id, {})[one.topic_id] = one.since
    touched, known = inbox.touched_of(list(since)), people.facts_for(list(since), ())
    kinds = types.types_for({one.type_key for told in board.values() for one in told})
    found = {
        person: shown_to(_reader(known[person], theirs, touched.get(person, ()), kinds, now), board)
        for person, theirs in since.items()
        if person in known
    }
    return Untouched(found, known, kinds)


def words_for(held: Untouched, entries: Collection[Entry]) -> dict[UUID, Content]:
    """The words of entries, each its reader's, by their notifications; those that cannot have any are missing."""
    if not entries:
        return {}
    waiting = [_renderable(one) for one in entries]
    batches = planning.batches({one.batch_id for one in waiting})
    ready, unsendable = words_of(Known(waiting=waiting, batches=batches, types=held.types, people=held.people))
    for one in unsendable:
        log.warning("broadcast.wordless", delivery=str(one.delivery_id), reason=one.reason, detail=one.detail)
    notifications = {one.id: one.notification_id for one in waiting}
    return {notifications[one.id]: one.content for one in ready}


def find(notification_id: UUID, recipient_id: int | None) -> tuple[Untouched, Entry] | None:
    """The entry that bears an id and has no row, in whosever inbox or only in one; None: there is none.

    Somebody else's and one that never was take the same statements.
    """
    for live in broadcasts.of_instant(notification_id):
        reader = reader_of(live.id, notification_id)
        if reader is not None and recipient_id in (None, reader):
            found = untouched_of([reader])
            return next(((found, one) for one in found.entries(reader) if one.notification_id == notification_id), None)
    return None


def touch(notification_id: UUID, recipient_id: int | None) -> bool:
    """Give the entry that bears an id its rows; False: there is none without them."""
    found = find(notification_id, recipient_id)
    if found is not None:
        touch_all(found[0], [found[1]])
    return found is not None


def touch_all(held: Untouched, entries: Sequence[Entry]) -> None:
    """Give entries of one reader their rows: four statements and one for the words; nobody is told.

    One that cannot have words is put away at once: it is neither shown nor counted.
    """
    if not entries:
        return
    reader = held.people[entries[0].recipient_id]
    key = people.data_key(reader.wrapped_key, reader.id)
    words = words_for(held, entries)
    rows = [_touched(one, words.get(one.notification_id), key) for one in entries]
    with transaction.atomic():
        broadcasts.insert_touched(
            reader.id,
            [_logged(one, row) for one, row in zip(entries, rows, strict=True)],
        )
        inbox.insert_touched(rows)


def _reader(
    facts: RecipientFacts,
    since: Mapping[int, datetime],
    touched: Collection[UUID],
    kinds: Mapping[str, TypeRow],
    now: datetime,
) -> Reader:
    return Reader(facts.id, since, shown_from(facts, kinds.values(), now), touched)


def _touched(one: Entry, words: Content | None, key: bytes) -> TouchedEntry:
    at, place = one.live, one.place
    return TouchedEntry(
        id=place.id,
        recipient_id=one.recipient_id,
        notification_id=one.notification_id,
        broadcast_id=at.id,
        type=at.type_key,
        sealed=seal(key, _encode(words or Content()), entry_place(place.id)),
        created_at=at.created_at,
        expires_at=at.expires_at,
        is_hidden=words is None,
    )


def _logged(one: Entry, row: TouchedEntry) -> broadcasts.NewDelivery:
    return broadcasts.NewDelivery(
        id=row.id,
        notification_id=row.notification_id,
        attempt_id=delivery_id(row.notification_id, Channel.IN_APP, 1),
        batch_id=one.live.batch_id,
        told_at=row.created_at,
        expires_at=row.expires_at,
    )


def _renderable(one: Entry) -> Renderable:
    return Renderable(
        id=one.place.id,
        notification_id=one.notification_id,
        recipient_id=one.recipient_id,
        channel=Channel.IN_APP.value,
        fallback=0,
        stands_in=False,
        type_key=one.live.type_key,
        batch_id=one.live.batch_id,
        sealed=b"",
    )
