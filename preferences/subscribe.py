"""Topics, and people who join or leave them: what one tells, all of them are told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db import transaction

from channels.errors import Refusal
from preferences.errors import UnknownTopic, UnknownUser, UserErased, ambiguous_user
from preferences.policy import SUBSCRIBERS_COUNTED_TO
from preferences.rules.requests import SubscribersBody
from preferences.store import recipients, topics
from preferences.store.topics import TopicRow
from preferences.vocabulary import RecipientRef, RecipientStatus


class Topic(msgspec.Struct, frozen=True):
    """A topic, and how many subscribe to it."""

    row: TopicRow
    #: Counted up to `policy.SUBSCRIBERS_COUNTED_TO`.
    subscribers: int

    @property
    def is_exact(self) -> bool:
        """Whether there are no more than that."""
        return self.subscribers < SUBSCRIBERS_COUNTED_TO


class RejectedUser(msgspec.Struct, frozen=True):
    """Somebody who cannot join or leave."""

    user_id: str
    code: str
    detail: str


class Changed(msgspec.Struct, frozen=True):
    """What became of two lists: who subscribed already, or did not, is neither counted nor rejected."""

    added: int
    removed: int
    rejected: list[RejectedUser]


def put_topic(key: str) -> tuple[Topic, bool]:
    """The topic of a key, created where there was none; the flag says whether it is new."""
    row, is_new = topics.put_topic(key)
    return _counted(row), is_new


def get_topic(key: str) -> Topic:
    """The topic of a key; raises `UnknownTopic`."""
    return _counted(_found(key))


def list_topics(after: str, limit: int) -> list[TopicRow]:
    """Topics by their keys from behind one on, one more than asked for where there are more."""
    return topics.list_topics(after, limit + 1)


def delete_topic(key: str) -> None:
    """Nobody is told by this topic any more; raises `UnknownTopic`. The subscriptions go with the housekeeping."""
    if not topics.delete_topic(key):
        raise UnknownTopic


def change_subscribers(key: str, body: SubscribersBody) -> Changed:
    """Let people join and leave, in four statements however many; raises `UnknownTopic`.

    Who cannot is rejected, and the rest go on. Raises `InvalidField` where one is to do both.
    """
    joining = frozenset(body.add)
    for at, user_id in enumerate(body.remove):
        if user_id in joining:
            raise ambiguous_user(at)
    topic = _found(key)
    known = recipients.resolve([*body.add, *body.remove])
    with transaction.atomic():
        added = topics.add_subscribers(topic.id, _ids(body.add, known))
        removed = topics.remove_subscribers(topic.id, _ids(body.remove, known))
    return Changed(added, removed, _rejected([*body.add, *body.remove], known))


def _found(key: str) -> TopicRow:
    row = topics.find_topic(key)
    if row is None:
        raise UnknownTopic
    return row


def _counted(row: TopicRow) -> Topic:
    return Topic(row, topics.size_up_to(row.id, SUBSCRIBERS_COUNTED_TO))


def _ids(user_ids: Sequence[str], known: dict[str, RecipientRef]) -> set[int]:
    return {known[one].id for one in user_ids if one in known and _fault(known[one]) is None}


def _rejected(user_ids: Sequence[str], known: dict[str, RecipientRef]) -> list[RejectedUser]:
    """Each once, in the order of the request."""
    faults = ((one, _fault(known.get(one))) for one in dict.fromkeys(user_ids))
    return [RejectedUser(one, fault.code, fault.detail) for one, fault in faults if fault is not None]


def _fault(ref: RecipientRef | None) -> Refusal | None:
    if ref is None:
        return UnknownUser()
    return UserErased() if ref.status is RecipientStatus.ERASED else None
