"""`/v1/suppressions`: the addresses nothing is sent to. They go in, and never come out: hashes and hints do."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.rules.wire import decode, from_query
from channels.vocabulary import Channel
from preferences import suppress
from preferences.api.answers import OnlyPage, json_answer
from preferences.api.origins import origin_of
from preferences.errors import invalid
from preferences.rules.requests import SuppressedAddress, SuppressionQuery
from preferences.store.suppressions import Suppressed
from preferences.vocabulary import SuppressionReason

_CREATED, _OK, _NO_CONTENT = 201, 200, 204
_OPERATE = "operate"


class SuppressionRecord(msgspec.Struct, frozen=True):
    """One closed address."""

    #: Stands for the address here and in `DELETE`.
    address_hash: str
    #: What may be shown of it; null while nobody has it.
    hint: str | None
    channel: Channel
    reason: SuppressionReason
    created_at: datetime


class SuppressionList(msgspec.Struct, frozen=True):
    """A page of the list."""

    data: list[SuppressionRecord]
    page: OnlyPage


class SuppressionsView(APIView):
    """The suppression list."""

    scopes: ClassVar[dict[str, str]] = dict.fromkeys(("GET", "POST", "DELETE"), _OPERATE)
    queries: ClassVar[dict[str, type]] = {"GET": SuppressionQuery}
    bodies: ClassVar[dict[str, type]] = dict.fromkeys(("POST", "DELETE"), SuppressedAddress)
    answers: ClassVar[dict[str, dict[int, Any]]] = {
        "GET": {200: SuppressionList},
        "POST": {200: SuppressionRecord, 201: SuppressionRecord},
        "DELETE": {204: None},
    }
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"DELETE": {404: ("unknown_suppression",)}}

    def get(self, request: Request) -> HttpResponse:
        """List closed addresses, by channel and reason at will."""
        query = from_query(request.query_params.dict(), SuppressionQuery)
        found = suppress.list_suppressed(query, _position(query.cursor))
        data, has_more = found[: query.limit], len(found) > query.limit
        cursor = f"{data[-1].index.hex()}.{data[-1].channel}" if has_more else None
        return json_answer(SuppressionList([_record(one) for one in data], OnlyPage(cursor, has_more)))

    def post(self, request: Request) -> HttpResponse:
        """Send nothing to an address on a channel any more, whoever has it; 201 when that is new.

        The entry survives the erasure of whoever has the address.
        """
        entry, is_new = suppress.suppress_address(decode(request.body, SuppressedAddress), origin_of(request))
        return json_answer(_record(entry), status=_CREATED if is_new else _OK)

    def delete(self, request: Request) -> HttpResponse:
        """Open an address again; it is named in the body, since paths and queries are logged."""
        suppress.release_address(decode(request.body, SuppressedAddress), origin_of(request))
        return HttpResponse(status=_NO_CONTENT)


def _record(one: Suppressed) -> SuppressionRecord:
    return SuppressionRecord(one.index.hex(), one.hint or None, one.channel, one.reason, one.created_at)


def _position(cursor: str) -> tuple[bytes, str]:
    """Where a page begins; the start for an empty cursor."""
    digits, _, channel = cursor.partition(".")
    try:
        return bytes.fromhex(digits), channel
    except ValueError:
        raise invalid("cursor", "Take next_cursor from the page before, or leave it out to start.") from None
