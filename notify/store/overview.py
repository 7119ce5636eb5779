"""What the first page of the admin shows: figures that cost the same whatever the tables hold."""

from __future__ import annotations

from datetime import datetime

import msgspec
from django.db import connection

from notify.rules.ids import first_id, instant_of
from notify.vocabulary import DeliveryStatus

#: Deliveries looked at, newest first: some 0.1 s, and the whole day of a small installation.
COUNTED = 100_000


class Tally(msgspec.Struct, frozen=True):
    """Deliveries of one channel that stand at one status."""

    channel: str
    status: DeliveryStatus
    count: int


class Recent(msgspec.Struct, frozen=True):
    """The newest deliveries, counted."""

    tallies: list[Tally]
    #: The instant from which on all are counted: the one asked for, or a later one where there were too many.
    since: datetime
    is_cut: bool


def recent_deliveries(since: datetime, most: int = COUNTED) -> Recent:
    """Deliveries of notifications accepted since an instant by channel and status, of the newest `most` at most."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH newest AS MATERIALIZED (
                   SELECT id, channel, status FROM notify_delivery WHERE id >= %s ORDER BY id DESC LIMIT %s
               )
               SELECT channel, status, count(*), (SELECT id FROM newest ORDER BY id LIMIT 1)
               FROM newest GROUP BY channel, status ORDER BY channel, count(*) DESC""",
            (first_id(since), most),
        )
        rows = cursor.fetchall()
    tallies = [Tally(row[0], DeliveryStatus(row[1]), row[2]) for row in rows]
    is_cut = sum(tally.count for tally in tallies) >= most
    return Recent(tallies, instant_of(rows[0][3]) if is_cut else since, is_cut)
