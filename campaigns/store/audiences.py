"""Reading an audience by windows of recipient ids: each statement is bounded, whatever the segment finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import OperationalError, connection
from psycopg.errors import QueryCanceled

from preferences.errors import SegmentTooSlow

#: Milliseconds one window may take, before the segment is called too slow.
_STATEMENT_TIMEOUT = 25_000


def window(sql: str, values: Mapping[str, Any], *, after: int, upto: int) -> list[tuple[int, str]]:
    """Who of an audience has an id in (after, upto], with their zone, by id; belongs into a transaction.

    Raises `SegmentTooSlow`. A server that goes away in the middle is no fault of the segment's.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT}")
        try:
            cursor.execute(
                f"SELECT id, zone FROM ({sql}) AS audience ORDER BY id", {**values, "after": after, "upto": upto}
            )
        except OperationalError as fault:
            if isinstance(fault.__cause__, QueryCanceled):
                raise SegmentTooSlow from None
            raise
        found: list[tuple[int, str]] = cursor.fetchall()
        cursor.execute("SET LOCAL statement_timeout = DEFAULT")
    return found
