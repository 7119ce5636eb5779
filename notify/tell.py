"""People of a campaign are told in one breath: decided, worded and sent by one process, and written once.

The way of a single notification writes a row before each step, so that nothing is lost whoever dies. Of a campaign the
slice is that row: it is struck off in the transaction that writes what became of its people, and told again otherwise.
"""

from __future__ import annotations

import time

from notify import dispatch, plan, queue
from notify.plan import Share
from notify.policy import DISPATCH_BUDGET
from notify.record import NewlyTold, Tried, after_share, record_share
from notify.rules.ready import Unsendable
from notify.vocabulary import ClaimedPage, Step
from notify.words import words_of

__all__ = ["NewlyTold", "Share", "conclude", "send_share", "write"]


def send_share(share: Share) -> NewlyTold:
    """Decide for a share and send what may go now. No transaction is open while a provider is waited for."""
    deadline = time.monotonic() + DISPATCH_BUDGET.total_seconds()
    decided = plan.decide_share(share)
    planned = {one.id.int: one for one in decided.deliveries}
    tried: list[tuple[ClaimedPage, list[Tried]]] = []
    unsendable: list[Unsendable] = []
    for one in decided.pages:
        ready, lost = words_of(one.known)
        mine = [planned[each.id.int] for each in ready]
        tried.append((one.page, dispatch.dispatch_share(one.page, mine, ready, decided.people, deadline=deadline)))
        unsendable += lost
    return NewlyTold(
        notifications=share.told,
        deliveries=decided.deliveries,
        events=decided.events,
        tried=tried,
        unsendable=unsendable,
        counted_in=decided.counted_in,
        created_at=share.created_at,
    )


def write(told: NewlyTold) -> None:
    """Write a share as it has turned out; belongs into the transaction that strikes its people off."""
    queue.enqueue(Step.PLAN, record_share(told))


def conclude(told: NewlyTold) -> None:
    """What follows the commit: dead addresses are used no more, and places nobody needed are free again."""
    after_share(told)
    for page, tried in told.tried:
        dispatch.give_back(page, tried)
