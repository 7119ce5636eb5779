"""The last word counts: what is newer ends what tells the same and has not left."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from notify import caps, record
from notify.policy import MAX_SCHEDULE_AHEAD
from notify.rules.planning import PlannedDelivery
from notify.store import collapse as store
from notify.store import recording
from notify.vocabulary import DeliveryStatus, EventKind, ReasonCode


def collapse_planned(deliveries: Sequence[PlannedDelivery], keyed: Sequence[UUID]) -> list[PlannedDelivery]:
    """The same deliveries, without what a newer notification has overtaken; what these overtake ends.

    `keyed` are the notifications with a collapse key. Belongs into planning's transaction.
    """
    if not keyed:
        return list(deliveries)
    gone = store.overtaken(keyed)
    _supersede([one for one in keyed if one not in gone])
    return [_ended(one) if one.notification_id in gone and one.reason is None else one for one in deliveries]


def overtaken(notification_ids: Sequence[UUID]) -> set[UUID]:
    """Those that a newer notification has overtaken: asked once more when they are about to leave."""
    return store.overtaken(notification_ids)


def _supersede(notification_ids: Sequence[UUID]) -> None:
    ended = store.supersede(notification_ids, horizon=MAX_SCHEDULE_AHEAD)
    recording.insert_events(
        [
            recording.NewEvent(
                notification_id=one.notification_id,
                delivery_id=one.delivery_id,
                kind=EventKind.SUPERSEDED,
                detail={"by": str(one.by), "reason_code": ReasonCode.SUPERSEDED},
            )
            for one in ended
        ]
    )
    superseded = {one.notification_id for one in ended}
    record.end_notifications(superseded)
    # Before what overtook them is counted: it takes the places of the older. At their claim all ask again, so a
    # transaction that is rolled back lets nobody be told too much.
    caps.give_back_untold(superseded)


def _ended(one: PlannedDelivery) -> PlannedDelivery:
    return msgspec.structs.replace(
        one,
        status=DeliveryStatus.SUPPRESSED,
        reason=ReasonCode.SUPERSEDED,
        rule="",
        next_attempt_at=None,
        digest_at=None,
    )
