"""Who an audience is: the people of a segment or of a topic, by windows of ids, and how many they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from math import floor, log10
from typing import Any, NamedTuple

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.errors import QueryCanceled

from preferences.errors import SegmentTooSlow
from preferences.policy import COUNT_SECONDS, ESTIMATE_SECONDS, SAMPLE_SECONDS, SAMPLE_WIDTHS, SAMPLE_WINDOWS
from preferences.rules.segment import Segment
from preferences.store.segments import where

# As `rules.quiet.zone_name` decides. OFFSET 0 keeps the planner from hashing a whole table for the sake of one window.
_ZONE = "coalesce(nullif(p.timezone, ''), nullif(r.timezone, ''), 'UTC')"
_SAID = """
    LEFT JOIN LATERAL (
        SELECT document ->> 'timezone' AS timezone FROM preferences_preference WHERE recipient_id = r.id OFFSET 0
    ) p ON true"""
_OF_SEGMENT = """
    SELECT r.id, {zone} AS zone FROM preferences_recipient r{said}
    WHERE r.id > %(after)s AND r.id <= %(upto)s AND r.status = 'active' AND {condition}"""
_OF_TOPIC = """
    SELECT r.id, {zone} AS zone FROM preferences_subscription s
    JOIN preferences_recipient r ON r.id = s.recipient_id{said}
    WHERE s.topic_id = %(topic_id)s AND s.recipient_id > %(after)s AND s.recipient_id <= %(upto)s
        AND r.status = 'active'"""

# The same query for many windows at once. OFFSET 0 keeps each to a scan of its own ids.
_SPANS = """
    FROM unnest(%(starts)s::bigint[]) AS span(start),
        LATERAL (SELECT * FROM ({sql}) one {limit} OFFSET 0) found"""
_EXAMPLES = """
    SELECT r.id, r.user_id, r.country_code, r.locale, r.timezone
    FROM (SELECT found.id {found} LIMIT %(limit)s) these JOIN preferences_recipient r ON r.id = these.id"""
#: Digits of an estimate that mean something.
_DIGITS = 3
#: Steps of this share of a part are evenly spread and follow no pattern that ids could have.
_GOLDEN = 0.6180339887


class Members(NamedTuple):
    """The active people of an audience, as a query.

    It answers (id, zone) in no order, for `%(after)s < id <= %(upto)s`: both are to be given beside `values`. What one
    statement reads is bounded by the window, however few of its people are meant. `zone` is the IANA name of a
    person's clock, or empty where the audience was made without zones.
    """

    sql: str
    values: dict[str, Any]


class Counted(NamedTuple):
    """How many people an audience has; an estimate is made from a sample, and has three digits that count."""

    number: int
    is_estimate: bool


class Example(NamedTuple):
    """Somebody of an audience, without addresses."""

    user_id: str
    country: str
    locale: str
    timezone: str


def of_segment(segment: Segment, now: datetime, *, with_zone: bool = False) -> Members:
    """The people of a segment; relative dates are as seen from `now`."""
    condition, values = where(segment.condition, now)
    return Members(_OF_SEGMENT.format(condition=condition, **_zone(with_zone=with_zone)), values)


def of_topic(topic_id: int, *, with_zone: bool = False) -> Members:
    """The subscribers of a topic."""
    return Members(_OF_TOPIC.format(**_zone(with_zone=with_zone)), {"topic_id": topic_id})


def last_id() -> int:
    """The greatest id of a recipient, 0 without any: where the last window ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM preferences_recipient")
        return _number(cursor)


def count(members: Members, seconds: float = COUNT_SECONDS) -> Counted:
    """How many they are: counted where that takes no longer than `seconds`, else estimated from a sample.

    Raises `SegmentTooSlow` where even the sample takes too long.
    """
    top = last_id()
    try:
        with _within(seconds) as cursor:
            cursor.execute(f"SELECT count(*) FROM ({members.sql}) one", members.values | {"after": 0, "upto": top})
            return Counted(_number(cursor), is_estimate=False)
    except _TooLong:
        return Counted(_estimate(members, top), is_estimate=True)


def sample(members: Members, limit: int) -> list[Example]:
    """Up to `limit` of them, from everywhere; fewer where they are so rare that more could not be found in time."""
    top = last_id()
    values = members.values | {"limit": limit}
    found: set[tuple[Any, ...]] = set()
    width = SAMPLE_WIDTHS[0]
    if top > SAMPLE_WINDOWS * width:
        spans = _SPANS.format(sql=_in_spans(members, width), limit="LIMIT 1")
        found |= _examples(spans, values | {"starts": _starts(top, width)})
    if len(found) < limit:
        found |= _examples(f"FROM ({members.sql}) found", values | {"after": 0, "upto": top})
    return [Example(*row[1:]) for row in sorted(found)[:limit]]


def draw(members: Members, limit: int) -> dict[int, str]:
    """User ids of up to `limit` of them by our own ids, as if by lot: for numbers that are to hold for them all.

    Fewer where they are so rare that more could not be found in time.
    """
    top, width = last_id(), SAMPLE_WIDTHS[0]
    values = members.values | {"limit": limit}
    found: dict[int, str] = {}
    if top > SAMPLE_WINDOWS * width:
        each = -(-limit // SAMPLE_WINDOWS)
        spans = _SPANS.format(sql=_in_spans(members, width), limit=f"LIMIT {each}")
        found = {row[0]: row[1] for row in _examples(spans, values | {"starts": _starts(top, width)})}
    if len(found) >= limit // 2:
        return found
    whole = f"FROM (SELECT id FROM ({members.sql}) one ORDER BY random()) found"
    return {row[0]: row[1] for row in _examples(whole, values | {"after": 0, "upto": top})} or found


class _TooLong(Exception):
    """The statement was still running when its time was over."""


@contextmanager
def _within(seconds: float) -> Iterator[CursorWrapper]:
    """A cursor whose statements may each take so long; raises `_TooLong`."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", (f"{seconds * 1000:.0f}",))
            yield cursor
            # For whoever's transaction this is a part of.
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as fault:
        if isinstance(fault.__cause__, QueryCanceled):
            raise _TooLong from None
        raise


def _estimate(members: Members, top: int) -> int:
    """What windows spread evenly over all ids hold, for all of them; narrower ones where there is not the time."""
    for width in SAMPLE_WIDTHS:
        starts = _starts(top, width)
        spans = _SPANS.format(sql=_in_spans(members, width), limit="")
        try:
            with _within(ESTIMATE_SECONDS) as cursor:
                cursor.execute(f"SELECT count(*) {spans}", members.values | {"starts": starts})
                hits = _number(cursor)
        except _TooLong:
            continue
        return _rounded(hits * max(1.0, top / (len(starts) * width))) if hits else 0
    raise SegmentTooSlow


def _examples(found: str, values: dict[str, Any]) -> set[tuple[Any, ...]]:
    try:
        with _within(SAMPLE_SECONDS) as cursor:
            cursor.execute(_EXAMPLES.format(found=found), values)
            return set(cursor.fetchall())
    except _TooLong:
        return set()


def _in_spans(members: Members, width: int) -> str:
    """The query with a window for each start; no value of a caller stands in its text."""
    return members.sql.replace("%(after)s", "span.start").replace("%(upto)s", f"span.start + {width}")


def _starts(top: int, width: int) -> list[int]:
    """Where the windows begin: one in each equal part of the ids, never at the same place of it; fewer if they overlap.

    The places are the same every time, so that who asks twice is told the same.
    """
    windows = min(SAMPLE_WINDOWS, -(-top // width))
    part = top / max(windows, 1)
    return [int(at * part + at * _GOLDEN % 1 * max(0.0, part - width)) for at in range(windows)]


def _rounded(number: float) -> int:
    if number < 1:
        return 0
    return int(round(number, _DIGITS - 1 - floor(log10(number))))


def _number(cursor: CursorWrapper) -> int:
    row = cursor.fetchone()
    return int(row[0])


def _zone(*, with_zone: bool) -> dict[str, str]:
    return {"zone": _ZONE, "said": _SAID} if with_zone else {"zone": "''::text", "said": ""}
