"""`/v1/topics`: what people subscribe to."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.rules.wire import decode, from_query
from preferences import subscribe
from preferences.api.answers import OnlyPage, json_answer
from preferences.errors import UnknownTopic, invalid
from preferences.rules.intake import invalid_topic, is_topic
from preferences.rules.requests import SubscribersBody, TopicQuery

_CREATED, _OK, _NO_CONTENT = 201, 200, 204
_USERS = "users"
_READERS = ("read", _USERS)
_UNKNOWN: dict[int, tuple[str, ...]] = {404: ("unknown_topic",)}


class TopicItem(msgspec.Struct, frozen=True):
    """One topic of the list."""

    key: str
    created_at: datetime


class TopicRecord(msgspec.Struct, frozen=True):
    """One topic."""

    key: str
    created_at: datetime
    #: Counted no further than 100,000.
    subscribers: int
    #: False: there may be more.
    subscribers_exact: bool


class TopicList(msgspec.Struct, frozen=True):
    """A page of the topics, in the order of their keys."""

    data: list[TopicItem]
    page: OnlyPage


class _OfTopic(APIView):
    """Whatever lies below one topic: a path that can name none is answered before the database is asked."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Credential and scope first, so that nothing is learnt without them."""
        super().initial(request, *args, **kwargs)
        if not is_topic(kwargs["key"]):
            raise invalid_topic() if request.method == "PUT" else UnknownTopic()


class TopicsView(APIView):
    """All topics."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": _READERS}
    queries: ClassVar[dict[str, type]] = {"GET": TopicQuery}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: TopicList}}

    def get(self, request: Request) -> HttpResponse:
        """List topics by their keys."""
        query = from_query(request.query_params.dict(), TopicQuery)
        found = subscribe.list_topics(_position(query.cursor), query.limit)
        data, has_more = found[: query.limit], len(found) > query.limit
        links = OnlyPage(data[-1].key.encode().hex() if has_more else None, has_more)
        return json_answer(TopicList([TopicItem(one.key, one.created_at) for one in data], links))


class TopicView(_OfTopic):
    """One topic."""

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {"GET": _READERS, "PUT": _USERS, "DELETE": _USERS}
    answers: ClassVar[dict[str, dict[int, Any]]] = {
        "GET": {200: TopicRecord},
        "PUT": {200: TopicRecord, 201: TopicRecord},
        "DELETE": {204: None},
    }
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "GET": _UNKNOWN,
        "PUT": {422: ("invalid_key",)},
        "DELETE": _UNKNOWN,
    }

    def get(self, _request: Request, key: str) -> HttpResponse:
        """The topic, and how many subscribe to it."""
        return json_answer(_record(subscribe.get_topic(key)))

    def put(self, _request: Request, key: str) -> HttpResponse:
        """Create the topic unless it is there; 201 when new."""
        topic, is_new = subscribe.put_topic(key)
        return json_answer(_record(topic), status=_CREATED if is_new else _OK)

    def delete(self, _request: Request, key: str) -> HttpResponse:
        """End the topic: nobody is told by it any more, and its key may name a new one, without subscribers.

        It takes effect at once, however many they are; the subscriptions themselves are removed within hours.
        """
        subscribe.delete_topic(key)
        return HttpResponse(status=_NO_CONTENT)


class SubscribersView(_OfTopic):
    """Who subscribes to a topic."""

    scopes: ClassVar[dict[str, str]] = {"POST": _USERS}
    bodies: ClassVar[dict[str, type]] = {"POST": SubscribersBody}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {200: subscribe.Changed}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"POST": _UNKNOWN | {422: ("ambiguous_user",)}}

    def post(self, request: Request, key: str) -> HttpResponse:
        """Let up to 1,000 users join and up to 1,000 leave; who cannot is told one by one, and the rest go on.

        Repeating it changes nothing: who subscribed before stays subscribed since then.
        """
        return json_answer(subscribe.change_subscribers(key, decode(request.body, SubscribersBody)))


def _record(topic: subscribe.Topic) -> TopicRecord:
    return TopicRecord(topic.row.key, topic.row.created_at, topic.subscribers, topic.is_exact)


def _position(cursor: str) -> str:
    """The key behind which a page begins; empty for the start."""
    try:
        key = bytes.fromhex(cursor).decode()
    except ValueError:
        key = "\0"
    if key and not is_topic(key):
        raise invalid("cursor", "Take next_cursor from the page before, or leave it out to start.")
    return key
