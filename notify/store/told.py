"""Who was told by whole batches, and what became of it: read by the page, in the order of the ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from notify.rules.ids import span_of
from notify.rules.lifecycle import roll_up
from notify.vocabulary import DeliveryStatus, NotificationStatus

#: Notifications of one span that a filtered page looks through, and spans that one page looks into: what is found may
#: be less than was asked for, and yet there may be more.
_SCAN = 2_000
_SPANS_AT_ONCE = 8


class ToldRow(msgspec.Struct, frozen=True, kw_only=True):
    """One person's notification of a batch."""

    id: UUID
    batch_id: UUID
    recipient_id: int
    status: NotificationStatus
    #: Why nothing arrived on a channel, the first of its deliveries first.
    reasons: list[str]


class Told(NamedTuple):
    """One page."""

    rows: list[ToldRow]
    #: Where the search stopped; None: there is nobody behind it.
    stopped_at: UUID | None


# The families' bounds and the limits on what is scanned as in `store.reading`.
_PAGE = """
SELECT n.id, n.batch_id, n.recipient_id, n.stored, d.statuses, d.reasons, n.place
FROM unnest(%(lows)s::uuid[], %(highs)s::uuid[]) AS s (low, high), LATERAL (
    SELECT id, batch_id, recipient_id, status AS stored, row_number() OVER (ORDER BY id) AS place
    FROM (SELECT * FROM notify_notification
          WHERE id >= s.low AND id < s.high AND batch_id = ANY(%(batches)s) ORDER BY id LIMIT %(scan)s) one
) n, LATERAL (
    SELECT coalesce(array_agg(status ORDER BY fallback, planned_at, id), '{}') AS statuses,
           array_remove(array_agg(reason_code ORDER BY fallback, planned_at, id), NULL) AS reasons
    FROM notify_delivery
    WHERE id BETWEEN (left(n.id::text, 23) || '-000000000000')::uuid
                 AND (left(n.id::text, 23) || '-ffffffffffff')::uuid
      AND notification_id = n.id
) d
ORDER BY n.id
"""


def page(
    batch_ids: Sequence[UUID],
    spans: Mapping[str, int],
    *,
    after: UUID | None,
    status: NotificationStatus | None,
    limit: int,
) -> Told:
    """Up to `limit` people of batches whose ids begin in these milliseconds (first → how many), behind `after`.

    One statement; a page may be short and yet have a next one, where few of many have the status.
    """
    bounds = _bounds(spans, after)
    looked = bounds[:_SPANS_AT_ONCE]
    if not looked:
        return Told([], None)
    scan = limit + 1 if status is None else _SCAN
    found = _read(batch_ids, looked, scan)
    end = _end_of(found, looked, scan, more=len(bounds) > len(looked))
    rows = [_told(row) for row in found if end is None or row[0] <= end]
    fitting = [one for one in rows if status in (None, one.status)]
    if len(fitting) > limit:
        return Told(fitting[:limit], fitting[limit - 1].id)
    return Told(fitting, end)


def _bounds(spans: Mapping[str, int], after: UUID | None) -> list[tuple[UUID, UUID]]:
    """The ranges of ids that are still to be read, in their order."""
    whole = sorted(span_of(int(first), length) for first, length in spans.items())
    if after is None:
        return whole
    behind = UUID(int=after.int + 1)
    return [(max(low, behind), high) for low, high in whole if high > behind]


def _read(batch_ids: Sequence[UUID], bounds: Sequence[tuple[UUID, UUID]], scan: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            _PAGE,
            {
                "lows": [low for low, _ in bounds],
                "highs": [high for _, high in bounds],
                "batches": list(batch_ids),
                "scan": scan,
            },
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _end_of(
    found: Sequence[tuple[Any, ...]], looked: Sequence[tuple[UUID, UUID]], scan: int, *, more: bool
) -> UUID | None:
    """Up to which id nothing was passed over; None: everything was seen.

    The first span that was not read to its end sets it, else the end of the last one looked into.
    """
    for row in found:
        if row[6] >= scan:
            stopped: UUID = row[0]
            return stopped
    return UUID(int=looked[-1][1].int - 1) if more else None


def _told(row: tuple[Any, ...]) -> ToldRow:
    return ToldRow(
        id=row[0],
        batch_id=row[1],
        recipient_id=row[2],
        status=roll_up([DeliveryStatus(one) for one in row[4]], NotificationStatus(row[3])),
        reasons=list(dict.fromkeys(row[5])),
    )
