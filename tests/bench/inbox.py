"""(i): an inbox's first page and its count, with few rows around them and with many, over HTTP and in SQL."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import quantiles

import psycopg

from tests.bench.inbox_fill import NOISE, PER_INBOX
from tests.bench.processes import Meter
from tests.bench.results import InboxResult
from tests.bench.stack import Servers, Stack

#: Real people, whose inboxes are read over HTTP.
_PEOPLE = 500
#: Before the clock runs: connections are opened, statements planned.
_WARM_UP = 100

# What the product asks (channels/store/inbox.py), of anybody.
_PAGE = """
SELECT id, notification_id, recipient_id, type, sealed, created_at, read_at, archived_at, collapse_key, changed
  FROM inbox_message WHERE recipient_id = %s AND archived_at IS NULL AND (expires_at IS NULL OR expires_at > now())
 ORDER BY created_at DESC, id DESC LIMIT 21
"""
_COUNT = """
SELECT count(*) FROM (
    SELECT FROM inbox_message WHERE recipient_id = %s AND read_at IS NULL AND archived_at IS NULL
       AND (expires_at IS NULL OR expires_at > now()) LIMIT 1000) AS capped
"""


def measure_inbox(stack: Stack, servers: Servers, rows: tuple[int, ...], reads: int) -> list[InboxResult]:
    """The same reads with each number of rows; the numbers rise."""
    found: list[InboxResult] = []
    for before, total in zip((0, *rows), rows, strict=False):
        started = time.monotonic()
        stack.run("-m", "tests.bench.inbox_fill", str(before), str(total), str(0 if before else _PEOPLE))
        filled = time.monotonic() - started
        with psycopg.connect(servers.database_url(), autocommit=True) as connection, Meter(stack.roots()) as meter:
            http = _http(stack, reads)
            page, count = (_sql(connection, statement, total, reads) for statement in (_PAGE, _COUNT))
        found.append(
            InboxResult(
                rows=total,
                reads=reads,
                fill_seconds=filled,
                http_p50_ms=http[0] * 1e3,
                http_p99_ms=http[1] * 1e3,
                page_p50_us=page[0] * 1e6,
                page_p99_us=page[1] * 1e6,
                count_p50_us=count[0] * 1e6,
                count_p99_us=count[1] * 1e6,
                strangers=meter.strangers,
            )
        )
    return found


def _http(stack: Stack, reads: int) -> tuple[float, float]:
    """Median and 99th percentile of a first page over HTTP, in seconds."""
    with stack.connection() as api:

        def read() -> None:
            answer = api.call("GET", f"/v1/users/reader-{_anybody(_PEOPLE)}/notifications?limit=20")
            assert answer.status == 200, answer
            assert answer.body.count(b'"title"') == 20

        return _timed(read, reads)


def _sql(connection: psycopg.Connection, statement: str, rows: int, reads: int) -> tuple[float, float]:
    """The same of one statement about anybody's inbox."""
    inboxes = rows // PER_INBOX
    return _timed(lambda: connection.execute(statement, (NOISE + _anybody(inboxes),), prepare=True).fetchall(), reads)


def _anybody(among: int) -> int:
    return random.randrange(among)  # noqa: S311 - chooses whom to read, guards nothing


def _timed(work: Callable[[], object], times: int) -> tuple[float, float]:
    for _ in range(_WARM_UP):
        work()
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    cuts = quantiles(spent, n=100)
    return cuts[49], cuts[98]
