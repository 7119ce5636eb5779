"""Cursors of lists that go by id."""

from __future__ import annotations

from uuid import UUID

from notify.api.pagination import decode_cursor, invalid_cursor


def position_of(cursor: str) -> UUID | None:
    """The id behind which a page begins; None for the start; raises `InvalidRequest` for what is none."""
    try:
        return UUID(decode_cursor(cursor)) if cursor else None
    except ValueError:
        raise invalid_cursor() from None
