"""(k): how long it takes to say how many people a segment has, among very many.

They are filled in by SQL, and nothing is ever sent to them: their keys are noise.
"""

from __future__ import annotations

import time

import orjson
import psycopg

from tests.bench.processes import Meter
from tests.bench.results import SegmentResult
from tests.bench.stack import Servers, Stack

#: People filled in by one statement.
_AT_ONCE = 500_000
#: Of each segment; the slowest counts.
_CALLS = 3
_FILL = """
INSERT INTO preferences_recipient (user_id, status, locale, timezone, country_code, attributes, data_key, created_at,
    updated_at)
SELECT 's_' || lpad(i::text, 8, '0'), 'active', (ARRAY['en-GB', 'es-MX', 'de', 'fr-FR'])[1 + i %% 4], 'Europe/Madrid',
    (ARRAY['ES', 'DE', 'GB', 'US', 'CA'])[1 + i %% 5],
    jsonb_build_object('plan', (ARRAY['free', 'plus', 'gold'])[1 + i %% 3], 'visits', i %% 90,
        'last_active', to_char(timestamp '2026-01-01' + make_interval(days => (i %% 300)::int), 'YYYY-MM-DD'),
        'city', 'city ' || i %% 997, 'points', i %% 5000),
    decode(md5(i::text) || md5(i::text), 'hex'), now() - make_interval(secs => i), now()
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
"""
#: Many, some, and next to nobody; with what PostgreSQL is asked for the truth.
_SEGMENTS = (
    ("plan IN ('plus', 'gold')", "attributes->>'plan' IN ('plus', 'gold')"),
    (
        "last_active > '2026-09-01' AND country IN ('US', 'CA') AND plan = 'gold'",
        "attributes->>'last_active' > '2026-09-01' AND country_code IN ('US', 'CA') AND attributes->>'plan' = 'gold'",
    ),
    (
        "city = 'city 7' AND visits >= 80 AND language = 'de'",
        "attributes->>'city' = 'city 7' AND (attributes->>'visits')::int >= 80 AND locale = 'de'",
    ),
)


def measure_segments(stack: Stack, servers: Servers, people: int) -> list[SegmentResult]:
    """Count some segments among so many people."""
    with psycopg.connect(servers.database_url(), autocommit=True) as connection:
        there = _fill(connection, people)
        return [_measure(stack, connection, there, *segment) for segment in _SEGMENTS]


def _fill(connection: psycopg.Connection, people: int) -> int:
    """Add as many as are missing; answers how many there are."""
    there = _number(connection, "SELECT count(*) FROM preferences_recipient")
    for first in range(1, people - there + 1, _AT_ONCE):
        connection.execute(_FILL, {"first": first, "last": min(first + _AT_ONCE - 1, people - there)})
    connection.execute("VACUUM (ANALYZE) preferences_recipient")
    return max(people, there)


def _measure(stack: Stack, connection: psycopg.Connection, people: int, segment: str, condition: str) -> SegmentResult:
    truth = _number(connection, f"SELECT count(*) FROM preferences_recipient WHERE status = 'active' AND {condition}")
    body, slowest = orjson.dumps({"segment": segment}), 0.0
    with stack.connection() as api, Meter(stack.roots()) as meter:
        for _ in range(_CALLS):
            began = time.perf_counter()
            answer = api.call("POST", "/v1/segments/preview", body)
            slowest = max(slowest, time.perf_counter() - began)
            if answer.status != 200:
                raise SystemExit(f"bench: the segment was answered {answer.status} {answer.body[:500]!r}")
    found = orjson.loads(answer.body)
    return SegmentResult(
        segment=segment,
        people=people,
        count=found["count"],
        is_estimate=found["is_estimate"],
        truth=truth,
        seconds=slowest,
        strangers=meter.strangers,
    )


def _number(connection: psycopg.Connection, asked: str) -> int:
    row = connection.execute(asked).fetchone()
    return int(row[0]) if row else 0
