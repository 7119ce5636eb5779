"""What receipts made of deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from channels.vocabulary import Channel
from notify import metrics
from notify.record.ending import GIVEN_UP, fall_back, follow, roll_up_stored
from notify.store import receipts, recording
from notify.vocabulary import (
    DeliveryStatus,
    PageRef,
    Priority,
)


class Heard(msgspec.Struct, frozen=True, gc=False):
    """A delivery that receipts spoke of, as it was, and what they made of it."""

    before: receipts.Subject
    told: recording.Told
    events: list[recording.NewEvent]


def record_receipts(heard: Sequence[Heard]) -> list[PageRef]:
    """Write what receipts made of deliveries that this transaction holds; answers pages of fallback channels."""
    moved = [one for one in heard if one.told.moved]
    recording.tell([one.told for one in heard])
    recording.unbury([one.before.id for one in moved if one.before.status is DeliveryStatus.DEAD])
    recording.insert_events([event for one in heard for event in one.events])
    failed = {
        one.before.notification_id: one.before
        for one in moved
        if one.before.has_fallback and one.told.status in GIVEN_UP
    }
    falling = roll_up_stored({one.before.notification_id for one in moved}, falls=[*failed])
    follow([one.before.notification_id for one in moved])
    groups: dict[tuple[Priority, Channel], list[receipts.Subject]] = {}
    for name in falling:
        groups.setdefault((failed[name].priority, failed[name].channel), []).append(failed[name])
    for (channel, status), count in Counter((one.before.channel, one.told.status) for one in moved).items():
        metrics.deliveries_recorded(channel, status, count)
    return [
        ref
        for (priority, channel), group in groups.items()
        for ref in fall_back(priority, channel, group[0].trace_id, [one.notification_id for one in group])
    ]
