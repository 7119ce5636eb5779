"""A person's inbox: what stands in it, what they have read, and what is new for whoever listens."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import structlog
from django.db import transaction

from channels import inbox
from channels.inbox import UNREAD_COUNTED_TO, EntryRow
from channels.rules.sealing import Unreadable, unseal
from channels.rules.snapshots import Snapshot
from channels.vocabulary import InboxMark
from notify import broadcasts
from notify.broadcasts import Untouched
from notify.errors import UnknownNotification
from notify.policy import BROADCAST_NEWS, TOUCHED_AT_ONCE
from notify.rules.broadcasts import Entry, Place, near, newest
from notify.rules.ids import family_range
from notify.rules.ready import entry_place
from notify.vocabulary import Content
from preferences import store as people
from preferences.errors import UnknownUser
from preferences.store import topics
from preferences.vocabulary import RecipientRef, RecipientStatus

log = structlog.get_logger(__name__)

_content = msgspec.json.Decoder(Content).decode


class InboxEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as its owner sees it (api.md section 4)."""

    #: The notification's.
    id: UUID
    type: str
    title: str
    body: str
    image_url: str | None
    action_url: str | None
    #: Buttons: `id`, `title`, and a `url` where one opens a page.
    actions: list[dict[str, str]]
    data: dict[str, str]
    #: When it came in.
    created_at: datetime
    read_at: datetime | None
    archived_at: datetime | None
    #: An entry with the same key takes the place of this one.
    collapse_key: str | None


class InboxPage(msgspec.Struct, frozen=True):
    """One page, newest first."""

    entries: list[InboxEntry]
    unread_count: int
    #: Behind the last entry; None: there is nothing older.
    end: Place | None


class Marked(msgspec.Struct, frozen=True):
    """What became of an entry, and of its inbox."""

    id: UUID
    read_at: datetime | None
    archived_at: datetime | None
    unread_count: int


class News(msgspec.Struct, frozen=True, gc=False):
    """What has changed of one inbox."""

    #: With the transaction that changed each, oldest first.
    entries: list[tuple[int, InboxEntry]]
    unread_count: int


class AllNews(msgspec.Struct, frozen=True):
    """What has changed of several inboxes."""

    #: By recipient; who was erased is missing.
    of: dict[int, News]
    #: What of all transactions the answer has seen.
    seen: Snapshot


def owner_of(user_id: str) -> RecipientRef:
    """Whose inbox it is; raises `UnknownUser`. Who was erased has none."""
    ref = people.resolve([user_id]).get(user_id)
    if ref is None or ref.status is RecipientStatus.ERASED:
        raise UnknownUser
    return ref


def read_page(user_id: str, *, before: Place | None, limit: int, unread_only: bool) -> InboxPage:
    """A page and the count of what is unread; raises `UnknownUser`.

    In four queries, and four more for who subscribes to what was told something: rows, and what has none, in one order.
    """
    owner = owner_of(user_id)
    held = broadcasts.untouched_of([owner.id])
    close = near(held.of.get(owner.id, ()), before, limit + 1)
    fresh: dict[Place, EntryRow | Entry] = {one.place: one for one in held.entries(owner.id, close)}
    rows = inbox.entry_page(owner.id, before=before, limit=limit + 1, unread_only=unread_only)
    stored: dict[Place, EntryRow | Entry] = {Place(row.created_at, row.id): row for row in rows}
    chosen = newest(stored, fresh, before=before, limit=limit + 1)
    shown = chosen[:limit]
    end = _place(shown[-1]) if len(chosen) > limit else None
    return InboxPage(_shown(shown, owner, held), _unread([owner.id], held)[owner.id], end)


def mark(notification_id: UUID, mark: InboxMark, user_id: str | None) -> Marked:
    """Mark an entry, in one person's inbox or in whosever it is; raises `UnknownNotification`.

    Somebody else's entry and one that never was take the same statements.
    """
    recipient_id = None
    if user_id is not None:
        owner = people.resolve([user_id]).get(user_id)
        recipient_id = owner.id if owner is not None else 0
    row = inbox.mark(family_range(notification_id), notification_id, mark, recipient_id)
    if row is None and broadcasts.touch(notification_id, recipient_id):
        row = inbox.mark(family_range(notification_id), notification_id, mark, recipient_id)
    if row is None:
        raise UnknownNotification
    whose = [row.recipient_id]
    unread = _unread(whose, broadcasts.untouched_of(whose))[row.recipient_id]
    return Marked(row.notification_id, row.read_at, row.archived_at, unread)


def read_all(user_id: str, up_to: UUID | None) -> tuple[int, int]:
    """Mark what is unread as read, all or what is no newer than one entry; how many, and how many are unread now.

    Raises `UnknownUser`, and `UnknownNotification` where that entry is not in the inbox (any more). What topics brought
    gets its rows by that: the newest `policy.TOUCHED_AT_ONCE`, and those behind them when it is called again.
    """
    owner = owner_of(user_id)
    held = broadcasts.untouched_of([owner.id])
    fresh = {one.place: one for one in held.entries(owner.id)}
    place = None if up_to is None else _place_of(up_to, owner, fresh)
    seen = sorted((one for one in fresh if place is None or one <= place), reverse=True)[:TOUCHED_AT_ONCE]
    with transaction.atomic():
        broadcasts.touch_all(held, [fresh[one] for one in seen])
        marked = inbox.read_all(owner.id, place)
    left = len(fresh) - len(seen)
    return marked, min(UNREAD_COUNTED_TO, inbox.unread_counts([owner.id])[owner.id] + left)


def subscribers_among(topic_ids: Collection[int], recipient_ids: Collection[int]) -> set[int]:
    """Which of these listeners subscribe to one of these topics, in one query."""
    return topics.subscribers_among(topic_ids, recipient_ids)


def news_of(since: Mapping[int, int]) -> AllNews:
    """What transactions from an id on have changed in some inboxes (recipient → id).

    In four queries, and four more where topics were told something, however many listen.
    """
    owners = {ref.id: ref for ref in people.refs_of(list(since)).values() if ref.status is not RecipientStatus.ERASED}
    found = inbox.news_of({recipient_id: since[recipient_id] for recipient_id in owners})
    held = broadcasts.untouched_of(list(owners))
    unread = _unread(list(owners), held)
    changed: dict[int, dict[UUID, tuple[int, InboxEntry]]] = {recipient_id: {} for recipient_id in owners}
    for told_to, live_changed, entry in _told(held, since, found.seen):
        changed[told_to][entry.id] = (live_changed, entry)
    for row in found.entries:
        for entry in _opened([row], owners[row.recipient_id]):
            changed[row.recipient_id][entry.id] = (row.changed, entry)
    return AllNews({one: News(_in_order(entries), unread[one]) for one, entries in changed.items()}, found.seen)


def _told(held: Untouched, since: Mapping[int, int], seen: Snapshot) -> Iterator[tuple[int, int, InboxEntry]]:
    """What topics were told since then: its reader, its transaction, itself. What the rows have not seen is next."""
    fresh: list[Entry] = []
    for recipient_id, start in since.items():
        told = held.of.get(recipient_id, ())
        new = [one for one in told if one.changed >= start and seen.has_seen(one.changed)]
        fresh += held.entries(recipient_id, near(new, None, BROADCAST_NEWS))
    words = broadcasts.words_for(held, fresh)
    for one in fresh:
        if one.notification_id in words:
            yield one.recipient_id, one.live.changed, _merged(one, words[one.notification_id])


def _in_order(entries: Mapping[UUID, tuple[int, InboxEntry]]) -> list[tuple[int, InboxEntry]]:
    return sorted(entries.values(), key=lambda one: one[1].created_at)


def _unread(recipient_ids: Sequence[int], held: Untouched) -> dict[int, int]:
    """How much is unread, with a row or without one."""
    stored = inbox.unread_counts(recipient_ids)
    return {one: min(UNREAD_COUNTED_TO, count + len(held.of.get(one, ()))) for one, count in stored.items()}


def _place(one: EntryRow | Entry) -> Place:
    return one.place if isinstance(one, Entry) else Place(one.created_at, one.id)


def _place_of(notification_id: UUID, owner: RecipientRef, fresh: Mapping[Place, Entry]) -> Place:
    """Where a notification's entry stands, with a row or without one; raises `UnknownNotification`."""
    stored = inbox.position_of(family_range(notification_id), notification_id, owner.id)
    if stored is not None:
        return Place(*stored)
    place = next((place for place, one in fresh.items() if one.notification_id == notification_id), None)
    if place is None:
        raise UnknownNotification
    return place


def _shown(chosen: Sequence[EntryRow | Entry], owner: RecipientRef, held: Untouched) -> list[InboxEntry]:
    """Entries of both kinds in clear, in their order; one that cannot be shown is left out, and logged."""
    rows = {one.id: one for one in _opened([one for one in chosen if isinstance(one, EntryRow)], owner)}
    fresh = [one for one in chosen if isinstance(one, Entry)]
    words = broadcasts.words_for(held, fresh)
    rows |= {
        one.notification_id: _merged(one, words[one.notification_id]) for one in fresh if one.notification_id in words
    }
    return [rows[one.notification_id] for one in chosen if one.notification_id in rows]


def _opened(rows: Sequence[EntryRow], owner: RecipientRef) -> list[InboxEntry]:
    """The entries in clear; one that does not open is left out, and logged."""
    if not rows:
        return []
    try:
        key = people.data_key(owner.wrapped_key, owner.id)
    except Unreadable:
        log.exception("inbox.unreadable", recipient=owner.id)
        return []
    return [entry for row in rows if (entry := _open(row, key)) is not None]


def _open(row: EntryRow, key: bytes) -> InboxEntry | None:
    try:
        content = _content(unseal(key, row.sealed, entry_place(row.id)))
    except Unreadable:
        log.exception("inbox.unreadable", delivery=str(row.id))
        return None
    return _entry(
        row.notification_id,
        row.type,
        content,
        row.created_at,
        read_at=row.read_at,
        archived_at=row.archived_at,
        collapse_key=row.collapse_key,
    )


def _merged(one: Entry, words: Content) -> InboxEntry:
    return _entry(one.notification_id, one.live.type_key, words, one.live.created_at)


def _entry(
    notification_id: UUID,
    type_key: str,
    content: Content,
    created_at: datetime,
    *,
    read_at: datetime | None = None,
    archived_at: datetime | None = None,
    collapse_key: str | None = None,
) -> InboxEntry:
    return InboxEntry(
        id=notification_id,
        type=type_key,
        title=content.title,
        body=content.body,
        image_url=content.image_url or None,
        action_url=content.action_url or None,
        actions=content.actions,
        data=content.data,
        created_at=created_at,
        read_at=read_at,
        archived_at=archived_at,
        collapse_key=collapse_key,
    )
