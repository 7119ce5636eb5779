"""A person's inbox (api.md section 4): their own app reads it with a user token, an application with its key."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.rules.wire import decode, from_query
from channels.vocabulary import Channel, InboxMark, ReceiptKind
from notify import engage, inbox
from notify.api.answers import json_answer
from notify.api.auth import caller_of
from notify.api.pagination import PageLinks, PageQuery, decode_cursor, encode_cursor, invalid_cursor
from notify.rules.broadcasts import Place
from notify.rules.requests import UserId
from notify.rules.rich_fields import ACTION_ID
from notify.vocabulary import Scope
from preferences.errors import UnknownUser

#: One person's: no cache on the way may keep it.
_PRIVATE = {"Cache-Control": "private, no-store"}
_READERS = (Scope.READ.value, Scope.USERS.value)
_UNKNOWN_USER: dict[int, tuple[str, ...]] = {404: ("unknown_user",)}
_UNKNOWN_ENTRY: dict[int, tuple[str, ...]] = {404: ("unknown_notification",)}


class InboxQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries are listed."""

    unread_only: bool = False


class InboxList(msgspec.Struct, frozen=True):
    """A page of an inbox. `unread_count` is of the whole inbox, and stops at 1,000."""

    data: list[inbox.InboxEntry]
    unread_count: int
    page: PageLinks


class ReadAllBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose inbox, and how far."""

    user_id: UserId
    #: The newest entry its reader has seen: what came in after it stays unread.
    up_to: UUID | None = None


class ReadAll(msgspec.Struct, frozen=True):
    """What was marked."""

    marked: int
    unread_count: int


class EventBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person did with a notification, as their app noticed it."""

    event: Literal["opened", "clicked", "dismissed"]
    #: Which button.
    action_id: Annotated[str, Meta(pattern=ACTION_ID)] | None = None
    #: Where they did it; not given: where it was shown last.
    channel: Literal["push", "in_app"] | None = None


class InboxView(APIView):
    """A person's inbox."""

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {"GET": _READERS}
    user_token_allowed = True
    queries: ClassVar[dict[str, type]] = {"GET": InboxQuery}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: InboxList}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"GET": _UNKNOWN_USER}

    def get(self, request: Request, user_id: str) -> HttpResponse:
        """List the entries that are shown, newest first: none that is archived, none that has expired."""
        query = from_query(request.query_params.dict(), InboxQuery)
        found = inbox.read_page(
            user_id, before=_position(query.cursor), limit=query.limit, unread_only=query.unread_only
        )
        cursor = encode_cursor(f"{found.end.created_at.isoformat()} {found.end.id}") if found.end else None
        links = PageLinks(cursor, found.end is not None)
        return json_answer(InboxList(found.entries, found.unread_count, links), headers=_PRIVATE)


class MarkView(APIView):
    """One entry."""

    #: Given by the path.
    mark: InboxMark = InboxMark.READ
    scopes: ClassVar[dict[str, str]] = {"PATCH": Scope.USERS.value}
    user_token_allowed = True
    asks_owner = True
    answers: ClassVar[dict[str, dict[int, Any]]] = {"PATCH": {200: inbox.Marked}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"PATCH": _UNKNOWN_ENTRY}

    def patch(self, request: Request, notification_id: UUID) -> HttpResponse:
        """Mark the entry of a notification as the path says; repeating it changes nothing."""
        return json_answer(inbox.mark(notification_id, self.mark, caller_of(request).user_id), headers=_PRIVATE)


class ReadAllView(APIView):
    """A whole inbox."""

    scopes: ClassVar[dict[str, str]] = {"POST": Scope.USERS.value}
    user_token_allowed = True
    asks_owner = True
    bodies: ClassVar[dict[str, type]] = {"POST": ReadAllBody}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {200: ReadAll}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {404: ("unknown_user", "unknown_notification")}
    }

    def post(self, request: Request) -> HttpResponse:
        """Mark everything as read, or everything up to an entry."""
        body = decode(request.body, ReadAllBody)
        if caller_of(request).user_id not in (None, body.user_id):
            raise UnknownUser
        return json_answer(ReadAll(*inbox.read_all(body.user_id, body.up_to)), headers=_PRIVATE)


class EventsView(APIView):
    """What people do with a notification."""

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {"POST": (Scope.USERS.value, Scope.SEND.value)}
    user_token_allowed = True
    asks_owner = True
    bodies: ClassVar[dict[str, type]] = {"POST": EventBody}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {204: None}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"POST": _UNKNOWN_ENTRY}

    def post(self, request: Request, notification_id: UUID) -> HttpResponse:
        """Say that it was opened, clicked or dismissed in the app; each counts once."""
        body = decode(request.body, EventBody)
        engage.note_event(
            notification_id,
            ReceiptKind(body.event),
            action_id=body.action_id or "",
            channel=Channel(body.channel) if body.channel is not None else None,
            user_id=caller_of(request).user_id,
            now=timezone.now(),
        )
        return HttpResponse(status=204)


def _position(cursor: str) -> Place | None:
    if not cursor:
        return None
    created_at, _, entry_id = decode_cursor(cursor).partition(" ")
    try:
        position = Place(datetime.fromisoformat(created_at), UUID(entry_id))
    except ValueError:
        raise invalid_cursor() from None
    if position.created_at.tzinfo is None:
        raise invalid_cursor()
    return position
