"""How an event is cut: pages, their messages, and how long a process has each in hand."""

from __future__ import annotations

from math import ceil

import msgspec

from channels.vocabulary import Channel
from config.capacity.assumptions import STREAMS
from config.capacity.line import pages_each
from config.capacity.load import Load
from notify.policy import PAGE_SIZE
from notify.vocabulary import Priority

#: Their pages wait for dispatch in a queue of their own; the others go on in the process that planned them.
_QUEUED = (Priority.MEDIUM, Priority.LOW)


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One channel's part in a notification of the mean."""

    #: Deliveries, and pages of them.
    deliveries: float
    pages: float
    #: A provider's answers one page waits for, one after the other, in seconds.
    waiting: float


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """What one notification is of its event's pages and messages."""

    shares: dict[Channel, Share]
    #: Broker messages: a page to plan, and to dispatch where that is queued.
    messages: float

    def busy_seconds(self, worker_seconds: float) -> float:
        """How long a process is taken by one notification: by its own work, and by waiting with the page."""
        return worker_seconds + sum(share.pages * share.waiting for share in self.shares.values())


def way_of(load: Load) -> Way:
    """The pages of an event: few recipients leave them nearly empty."""
    shares = {channel: _share(load, channel, part) for channel, part in load.mix.items() if part > 0}
    queued = sum(load.priorities.get(priority, 0.0) for priority in _QUEUED)
    pages = sum(share.pages for share in shares.values())
    return Way(shares=shares, messages=pages_each(load.recipients_per_event) + queued * pages)


def _share(load: Load, channel: Channel, part: float) -> Share:
    recipients = load.recipients_per_event
    planned = min(recipients, PAGE_SIZE)
    # Planning makes a page of each channel it meets: nobody of a few may be on a rare one.
    met = 1 - (1 - part) ** planned
    on_page = max(1.0, planned * part / met) if met > 0 else 1.0
    rounds = ceil(on_page / STREAMS[channel])
    return Share(
        deliveries=part,
        pages=part / on_page,
        waiting=rounds * load.latency_ms.get(channel, 0.0) / 1_000,
    )
