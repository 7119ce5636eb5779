"""Notification types: what may be told, and by which policy."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.errors import FieldError
from channels.rules.wire import decode, from_query
from notify import author
from notify.api.answers import json_answer
from notify.api.pagination import Listing, PageQuery, cut_page
from notify.api.templates import position_of
from notify.errors import InvalidRequest
from notify.rules.template_requests import TypeBody, is_key
from notify.store import types
from notify.vocabulary import TypeRow


class TypesView(APIView):
    """Every type."""

    scopes: ClassVar[dict[str, str]] = {"GET": "templates"}
    queries: ClassVar[dict[str, Any]] = {"GET": PageQuery}
    answers: ClassVar[dict[str, Any]] = {"GET": {200: Listing}}

    def get(self, request: Request) -> HttpResponse:
        """List notification types by their keys."""
        query = from_query(request.query_params.dict(), PageQuery)
        rows = types.list_types(position_of(query), query.limit + 1)
        return json_answer(cut_page(rows, query.limit, lambda row: row.key))


class TypeView(APIView):
    """One type."""

    scopes: ClassVar[dict[str, str]] = {"GET": "templates", "PUT": "templates"}
    bodies: ClassVar[dict[str, Any]] = {"PUT": TypeBody}
    answers: ClassVar[dict[str, Any]] = {"GET": {200: TypeRow}, "PUT": {200: TypeRow, 201: TypeRow}}
    refusals: ClassVar[dict[str, Any]] = {
        "GET": {404: ("unknown_type",)},
        "PUT": {422: ("unknown_template", "template_type_mismatch", "invalid_key")},
    }

    def get(self, _request: Request, key: str) -> HttpResponse:
        """Read a notification type."""
        return json_answer(author.get_type(key))

    def put(self, request: Request, key: str) -> HttpResponse:
        """Create or replace a notification type; 201 when it is new.

        Without a priority the key decides (VERIFICATION_CODE is high, NEWSLETTER medium …), without channels
        the category, and without quiet hours security passes them while all else waits.
        """
        if not is_key(key):
            text = "A key is up to 128 letters, digits, _ . : and -, for example ORDER_SHIPPED."
            raise InvalidRequest(text, code="invalid_key", errors=[FieldError("key", "invalid_key", text)])
        row, is_new = author.define_type(key, decode(request.body, TypeBody))
        return json_answer(row, status=201 if is_new else 200)
