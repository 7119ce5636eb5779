"""Who listens in this process, and what they are told: one question to PostgreSQL for all who have news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import structlog
from django.db import Error as DatabaseError

from channels.rules.snapshots import Snapshot
from config.stream import frames
from config.stream.threads import Threads
from notify.inbox import AllNews, InboxEntry, News, news_of, subscribers_among

log = structlog.get_logger(__name__)

_T = TypeVar("_T")

#: Groups of events that wait for one listener; whoever is slower is cut off, and comes back with what they saw last.
_WAITING = 32
#: Streams of one person in one process: tabs and devices, and an end to it.
PER_PERSON = 20
#: Streams of one process.
PER_PROCESS = 5_000
#: Seconds until PostgreSQL is asked again after it failed.
_REST = 1.0
#: Above every id.
_NOTHING_MISSED = 2**62


class Listener:
    """One open stream."""

    __slots__ = ("_is_over", "recipient_id", "seen", "waiting")

    def __init__(self, recipient_id: int, seen: Snapshot | None) -> None:
        self.recipient_id = recipient_id
        #: What the last answer had seen; None: a newcomer, who is told the count, and reads the list.
        self.seen = seen
        #: Events to be sent; None: the stream is over.
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING + 1)
        self._is_over = False

    @property
    def since(self) -> int:
        """The first transaction whose changes may be news."""
        return _NOTHING_MISSED if self.seen is None else self.seen.low

    def tell(self, news: News, seen: Snapshot, marked: set[str]) -> None:
        """Put what is new to this listener into its queue; a full one ends the stream."""
        if self._is_over:
            return
        known, self.seen = self.seen, seen
        fresh = [entry for changed, entry in news.entries if known is not None and not known.has_seen(changed)]
        lines = [_told_as(entry, marked) for entry in fresh]
        lines += [frames.archived(mark[1:]) for mark in sorted(marked) if mark[0] == "a"]
        lines.append(frames.unread_count(news.unread_count, seen))
        if self.waiting.qsize() >= _WAITING:
            self.end()
        else:
            self.waiting.put_nowait(b"".join(lines))

    def end(self) -> None:
        """Close the stream after what waits; who comes back is told what they have not seen."""
        if not self._is_over:
            self._is_over = True
            self.waiting.put_nowait(None)


class Hub:
    """All listeners of this process, by recipient."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._listeners: dict[int, set[Listener]] = {}
        self._dirty: dict[int, set[str]] = {}
        #: Topics that were told something.
        self._topics: set[int] = set()
        self._wake = asyncio.Event()
        self._is_over = False

    def __len__(self) -> int:
        return sum(map(len, self._listeners.values()))

    def has_room_for(self, recipient_id: int) -> bool:
        """Whether one more stream of this person may be opened."""
        return len(self._listeners.get(recipient_id, ())) < PER_PERSON

    @property
    def has_room(self) -> bool:
        """Whether one more stream may be opened."""
        return not self._is_over and len(self) < PER_PROCESS

    def join(self, recipient_id: int, seen: Snapshot | None) -> Listener:
        """Begin to listen, to what was not seen yet or from now on; the count comes at once."""
        listener = Listener(recipient_id, seen)
        self._listeners.setdefault(recipient_id, set()).add(listener)
        self._touch(recipient_id)
        return listener

    def leave(self, listener: Listener) -> None:
        """Listen no more."""
        others = self._listeners.get(listener.recipient_id, set())
        others.discard(listener)
        if not others:
            self._listeners.pop(listener.recipient_id, None)

    def hear(self, payload: str) -> None:
        """One notice of `channels/store/inbox.py`: recipients, or one recipient and what was marked; or a topic."""
        mark, rest = (payload[0], payload[1:]) if payload[:1].isalpha() else ("", payload)
        if mark == "b":
            self._topics.add(int(rest))
            self._wake.set()
        elif mark:
            recipient, _, notification = rest.partition(":")
            self._touch(int(recipient), mark + notification)
        else:
            for recipient in rest.split(","):
                self._touch(int(recipient))

    def hear_all(self) -> None:
        """Something may have been missed: ask for everybody."""
        for recipient_id in self._listeners:
            self._touch(recipient_id)

    async def run(self) -> None:
        """Tell news as they come, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            is_whole = await self._find_subscribers()
            dirty, self._dirty = self._dirty, {}
            since = {one: min(each.since for each in mine) for one in dirty if (mine := self._listeners.get(one))}
            if since and not await self._tell(since, dirty):
                is_whole = False
                for recipient_id, marks in dirty.items():
                    self._touch(recipient_id, *marks)
            if not is_whole:
                self._wake.set()
                await asyncio.sleep(_REST)

    def end(self) -> None:
        """Close every stream: their owners come back to the next process."""
        self._is_over = True
        for mine in self._listeners.values():
            for listener in mine:
                listener.end()

    async def ask(self, question: Callable[[], _T]) -> _T:
        """What a question to PostgreSQL answers, without holding up anybody."""
        return await self._threads.ask(question)

    async def _find_subscribers(self) -> bool:
        """Ask once who of all listeners subscribes to what was told something; whether PostgreSQL answered."""
        told, self._topics = self._topics, set()
        if not told or not self._listeners:
            return True
        try:
            found = await self.ask(partial(subscribers_among, told, list(self._listeners)))
        except DatabaseError as error:
            log.warning("stream.database_away", error=type(error).__name__)
            self._topics |= told
            return False
        for recipient_id in found:
            self._touch(recipient_id)
        return True

    async def _tell(self, since: Mapping[int, int], dirty: Mapping[int, set[str]]) -> bool:
        """Ask once, tell everybody; whether PostgreSQL answered."""
        try:
            found: AllNews = await self.ask(partial(news_of, since))
        except DatabaseError as error:
            log.warning("stream.database_away", error=type(error).__name__)
            return False
        for recipient_id, asked in since.items():
            news = found.of.get(recipient_id)
            for listener in self._listeners.get(recipient_id, ()):
                if news is None:  # erased meanwhile
                    listener.end()
                elif listener.since >= asked:  # who has joined since then and wants more is next
                    listener.tell(news, found.seen, dirty[recipient_id])
        return True

    def _touch(self, recipient_id: int, *marks: str) -> None:
        if recipient_id in self._listeners:
            self._dirty.setdefault(recipient_id, set()).update(marks)
            self._wake.set()


def _told_as(entry: InboxEntry, marked: set[str]) -> bytes:
    """A mark is told in short to who has the entry; whatever else has changed, whole."""
    is_marked = f"r{entry.id}" in marked or f"u{entry.id}" in marked or ("r*" in marked and entry.read_at is not None)
    return frames.read(entry) if is_marked else frames.notification(entry)
