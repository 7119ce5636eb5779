"""How often people were told, as the deliveries say: for counters that Redis lost, and while it is away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from django.db import connection

from channels.rules.windows import Log
from channels.vocabulary import Channel
from notify.rules.caps import member_of
from notify.store.spans import span
from preferences import store as people
from preferences.vocabulary import Category

#: Locks under which people are counted while Redis is away: few, since a page takes most of them.
_LOCKS = 64

# A notification is read by its recipient's index, its deliveries by their family. What was accepted long before is
# counted as well where it was scheduled, or had to wait. A place that is reserved counts at its instant, what is about
# to go counts now.
_TOLD: Final = """
SELECT n.recipient_id, n.type_key, t.category, t.exempt_from_caps, n.id, d.channel, d.at
FROM unnest(%(people)s::bigint[]) AS r(id)
CROSS JOIN LATERAL (
    SELECT id, recipient_id, type_key, batch_id FROM notify_notification
    WHERE recipient_id = r.id AND id > notify_first_id(%(horizon)s) AND status NOT IN ('suppressed', 'cancelled')
      AND (id > notify_first_id(%(accepted)s) OR scheduled_at > %(accepted)s) OFFSET 0) n
JOIN notify_type t ON t.key = n.type_key
JOIN notify_batch b ON b.id = n.batch_id AND NOT b.test
CROSS JOIN LATERAL (
    SELECT channel, max(CASE WHEN status IN ('sent', 'delivered', 'bounced') THEN sent_at
                             WHEN status = 'deferred' THEN next_attempt_at ELSE %(now)s END) AS at
    FROM notify_delivery
    WHERE id BETWEEN overlay(n.id::text PLACING '0000-000000000000' FROM 20)::uuid
                 AND overlay(n.id::text PLACING 'ffff-ffffffffffff' FROM 20)::uuid
      AND notification_id = n.id AND channel <> 'in_app'
      AND (status IN ('planned', 'sending', 'retrying', 'sent', 'delivered', 'bounced')
           OR (status = 'deferred' AND detail = 'frequency_cap' AND next_attempt_at IS NOT NULL))
    GROUP BY channel) d
WHERE d.at > %(since)s
"""

# Whatever was planned for them has ended, and nobody has it. A fallback channel that follows takes its place anew.
_UNTOLD: Final = """
SELECT n.id, n.recipient_id, n.type_key, d.channels FROM notify_notification n
JOIN notify_batch b ON b.id = n.batch_id AND NOT b.test
CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT channel) AS channels,
        bool_and(status IN ('suppressed', 'cancelled', 'expired', 'failed')) AS are_over
    FROM notify_delivery
    WHERE id BETWEEN overlay(n.id::text PLACING '0000-000000000000' FROM 20)::uuid
                 AND overlay(n.id::text PLACING 'ffff-ffffffffffff' FROM 20)::uuid
      AND notification_id = n.id AND channel <> 'in_app') d
WHERE n.id = ANY((SELECT %(ids)s::uuid[])::uuid[]) AND n.id BETWEEN %(low)s::uuid AND %(high)s::uuid AND d.are_over
"""


class Untold(msgspec.Struct, frozen=True, gc=False):
    """A notification that disturbed nobody and will not: whose, and on which channels it was planned."""

    notification_id: UUID
    recipient_id: int
    type_key: str
    channels: list[Channel]


def recall(
    names: Collection[str], *, since: datetime, now: datetime, waits: timedelta, horizon: timedelta
) -> Mapping[str, Log]:
    """The logs of counters by their names, in one statement whatever the page (and one for the owners of addresses).

    `waits` is how long what counts may have waited, `horizon` how long ahead it may have been scheduled.
    """
    parts = [name.split(":") for name in names]
    indexes = {bytes.fromhex(part[2]): part[1] for part in parts if part[0] == "a"}
    owners = people.owners_of(list(indexes)) if indexes else {}
    persons = {int(part[2] if part[0] == "p" else part[1]) for part in parts if part[0] != "a"}
    addressed: dict[int, list[bytes]] = {}
    for index, ids in owners.items():
        for one in ids:
            addressed.setdefault(one, []).append(index)
    found: dict[str, Log] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _TOLD,
            {
                "people": sorted(persons | addressed.keys()),
                "since": since,
                "now": now,
                "accepted": since - waits,
                "horizon": since - horizon,
            },
        )
        rows = cursor.fetchall()
    for person, key, category, exempt, notification, channel, at in rows:
        member, at_ms = member_of(notification), int(at.timestamp() * 1_000)
        for name in _names(person, key, category, channel, addressed.get(person, ()), is_exempt=exempt):
            log = found.setdefault(name, {})
            log[member] = max(at_ms, log.get(member, 0))
    return found


def hold(recipient_ids: Collection[int]) -> None:
    """Let nobody else count these people before the running transaction has ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('notify.caps'), lock) FROM unnest(%s::int[]) AS held(lock)",
            (sorted({one % _LOCKS for one in recipient_ids}),),
        )


def untold(notification_ids: Collection[UUID]) -> list[Untold]:
    """Those of which all that was planned has ended and reached nobody. Of test keys none: they count nothing."""
    if not notification_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_UNTOLD, span(notification_ids))
        rows = cursor.fetchall()
    return [Untold(name, person, kind, [Channel(word) for word in words]) for name, person, kind, words in rows]


def _names(
    person: int, key: str, category: str, channel: str, indexes: Collection[bytes], *, is_exempt: bool
) -> list[str]:
    """The counters on which something told stands, by the same rules as `rules.caps.counters_of`."""
    is_security = category == Category.SECURITY
    found = [f"a:{channel}:{index.hex()}" for index in indexes] if is_security else []
    if is_exempt:
        return found
    found.append(f"t:{person}:{key}")
    return found if is_security else [*found, f"p:{Channel(channel)}:{person}"]
