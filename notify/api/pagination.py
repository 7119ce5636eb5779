"""Lists in pages: `{"data": […], "page": {"next_cursor", "has_more"}}` with an opaque cursor (api.md section 9)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from channels.errors import FieldError
from notify.errors import InvalidRequest

_Row = TypeVar("_Row")


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query parameters every list understands; a list with filters adds its own."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: str = ""


class PageLinks(msgspec.Struct, frozen=True):
    """How to go on."""

    next_cursor: str | None
    has_more: bool


class Listing(msgspec.Struct, frozen=True):
    """One page of a list."""

    data: Sequence[Any]
    page: PageLinks


def encode_cursor(position: str) -> str:
    """A position (an id, a key) as a text nobody is tempted to build."""
    return urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The position, or "" for the start; raises `InvalidRequest` for what no answer of ours held."""
    try:
        return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        raise invalid_cursor() from None


def invalid_cursor() -> InvalidRequest:
    """The refusal of a cursor that points nowhere."""
    message = "Take next_cursor from the page before, or leave it out to start."
    return InvalidRequest(message, code="invalid_cursor", errors=[FieldError("cursor", "invalid_cursor", message)])


def cut_page(rows: Sequence[_Row], limit: int, position_of: Callable[[_Row], str]) -> Listing:
    """The first `limit` of rows that were read with one more than the limit, to see whether there are more."""
    data = rows[:limit]
    has_more = len(rows) > limit
    return Listing(data, PageLinks(encode_cursor(position_of(data[-1])) if has_more else None, has_more))
