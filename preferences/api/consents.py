"""`/v1/users/{user_id}/consents`: what a person allowed and forbade, when, and how we know."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.rules.wire import from_query
from preferences import audit
from preferences.api.answers import OnlyPage, json_answer
from preferences.errors import UnknownUser, invalid
from preferences.rules.intake import is_id
from preferences.store.consents import Entry


class ConsentQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries are wanted."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(max_length=20)] = ""


class ConsentList(msgspec.Struct, frozen=True):
    """A page of the ledger, newest first, and where the person stands by all of it."""

    data: list[Entry]
    #: The last word on each subject; what is not here was never said.
    current: list[Entry]
    page: OnlyPage


class ConsentsView(APIView):
    """A person's part of the consent ledger."""

    scopes: ClassVar[dict[str, str]] = {"GET": "users"}
    user_token_allowed = True
    queries: ClassVar[dict[str, type]] = {"GET": ConsentQuery}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: ConsentList}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"GET": {404: ("unknown_user",)}}

    def get(self, request: Request, user_id: str) -> HttpResponse:
        """List what a user allowed and forbade, newest first, and where they stand."""
        query = from_query(request.query_params.dict(), ConsentQuery)
        if not is_id(user_id):
            raise UnknownUser
        found = audit.read_consents(user_id, before=_position(query.cursor), limit=query.limit + 1)
        data, has_more = found.entries[: query.limit], len(found.entries) > query.limit
        cursor = str(data[-1].id) if has_more else None
        return json_answer(ConsentList(data, found.current, OnlyPage(cursor, has_more)))


def _position(cursor: str) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit()) or int(cursor) >= 1 << 63:
        raise invalid("cursor", "Take next_cursor from the page before, or leave it out to start.")
    return int(cursor)
