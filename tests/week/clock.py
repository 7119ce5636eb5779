"""One clock for Python and PostgreSQL, which stands still until it is moved.

PostgreSQL is asked for the time by `now()` and its kin without a schema, so a schema of the same names in front of
`pg_catalog` answers instead. Column defaults were bound when the tables were made: they are altered to match.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.backends.signals import connection_created
from django.utils import timezone

_FUNCTIONS = ("now", "statement_timestamp", "transaction_timestamp", "clock_timestamp")
#: Column defaults that ask for the time.
_DEFAULTS = """
SELECT c.oid::regclass::text, a.attname FROM pg_attrdef d
JOIN pg_class c ON c.oid = d.adrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum
WHERE pg_get_expr(d.adbin, d.adrelid) ~* '^(pg_catalog\\.)?(now|statement_timestamp)\\(\\)$'
  AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
"""


class Clock:
    """Seconds since 1970, and whoever asks this process or its database for the time is told them."""

    def __init__(self, start: float) -> None:
        self.at = start
        self._told = 0.0

    def move(self, at: float) -> None:
        """To an instant, if it is not past already; by a millisecond at least, so that nothing happens at once."""
        self.at = max(at, self.at + 0.001)

    def tell(self) -> None:
        """Let the database know: before anything of the program runs."""
        if self._told != self.at:
            self._set(connection)
            self._told = self.at

    def install(self) -> None:
        """Take the place of the real clocks, on this connection and on later ones."""
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA clock")
            for name in _FUNCTIONS:
                cursor.execute(
                    f"""CREATE FUNCTION clock.{name}() RETURNS timestamptz STABLE PARALLEL SAFE LANGUAGE sql
                        AS $$SELECT pg_catalog.current_setting('clock.at')::timestamptz$$"""
                )
            cursor.execute(_DEFAULTS)
            for table, column in cursor.fetchall():
                cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT clock.now()")
        connection_created.connect(self._began, weak=False)
        self._began(connection=connection)
        timezone.now = self.now
        time.time = lambda: self.at

    def now(self) -> datetime:
        """The instant in UTC, to the microsecond."""
        return datetime.fromtimestamp(self.at, UTC)

    def _began(self, connection: Any, **_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = clock, pg_catalog, public")
            # Nobody pulls the plug here, and a week has thousands of commits.
            cursor.execute("SET synchronous_commit = off")
        self._set(connection)

    def _set(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('clock.at', %s, false)", [self.now().isoformat()])
