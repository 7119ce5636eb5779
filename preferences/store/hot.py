"""The cursor of reads that a page repeats hundreds of times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.pq import Format


@contextmanager
def hot_cursor() -> Iterator[CursorWrapper]:
    """A cursor that is answered in binary: sealed bytes and ids come as they are, not as hexadecimal text to parse."""
    with connection.cursor() as cursor:
        cursor.cursor.format = Format.BINARY
        yield cursor
