"""Which status may follow which. docs/lifecycle.md draws this table, and a test compares the two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from notify.vocabulary import DeliveryStatus as D
from notify.vocabulary import NotificationStatus as N

#: From each status of a delivery, the statuses it may be changed to.
NEXT: dict[D, frozenset[D]] = {
    D.PLANNED: frozenset({D.SENDING, D.DEFERRED, D.SUPPRESSED, D.FAILED, D.EXPIRED, D.CANCELLED, D.DEAD}),
    # Taken up again, or told inside a digest: then it ends as that did.
    D.DEFERRED: frozenset(
        {D.PLANNED, D.SENT, D.DELIVERED, D.BOUNCED, D.FAILED, D.DEAD, D.SUPPRESSED, D.EXPIRED, D.CANCELLED}
    ),
    D.SENDING: frozenset(
        {
            D.SENDING,
            D.SENT,
            D.DELIVERED,
            D.BOUNCED,
            D.RETRYING,
            D.DEFERRED,
            D.SUPPRESSED,
            D.FAILED,
            D.EXPIRED,
            D.CANCELLED,
            D.DEAD,
        }
    ),
    D.RETRYING: frozenset({D.SENDING, D.DELIVERED, D.BOUNCED, D.SUPPRESSED, D.FAILED, D.EXPIRED, D.CANCELLED, D.DEAD}),
    D.SENT: frozenset({D.DELIVERED, D.BOUNCED, D.FAILED, D.RETRYING}),
    D.DEAD: frozenset({D.RETRYING, D.SENT, D.DELIVERED, D.BOUNCED}),
    D.DELIVERED: frozenset(),
    D.FAILED: frozenset(),
    D.BOUNCED: frozenset(),
    D.SUPPRESSED: frozenset(),
    D.EXPIRED: frozenset(),
    D.CANCELLED: frozenset(),
}

#: Nothing is left to do. `dead` is among them: an operator's replay leads out of it, or a receipt that knows better.
FINAL: frozenset[D] = frozenset({D.DELIVERED, D.FAILED, D.BOUNCED, D.SUPPRESSED, D.EXPIRED, D.CANCELLED, D.DEAD})
#: The provider has it, or the recipient.
ARRIVED: frozenset[D] = frozenset({D.SENT, D.DELIVERED})
#: May still be stopped by a cancel.
CANCELLABLE: frozenset[D] = frozenset({D.PLANNED, D.DEFERRED, D.RETRYING})

_FAILURES = (D.FAILED, D.BOUNCED, D.DEAD)


def may(before: D, after: D) -> bool:
    """Whether a delivery may change from `before` to `after`."""
    return after in NEXT[before]


def sources_of(after: D) -> list[str]:
    """The statuses that `after` may follow: the compare side of a compare-and-set."""
    return [str(before) for before, following in NEXT.items() if after in following]


def roll_up(statuses: Iterable[D], stored: N) -> N:
    """A notification's status from its deliveries'; `stored` holds where there are none yet.

    Open work shows as processing until something has arrived; suppressed is never called failed.
    """
    counts = Counter(statuses)
    if not counts:
        return stored
    if stored is N.CANCELLED and not (counts[D.SENT] or counts[D.DELIVERED]):
        return stored
    total = counts.total()
    if counts[D.DELIVERED]:
        settled = counts[D.DELIVERED] + counts[D.SUPPRESSED]
        return N.DELIVERED if settled == total else N.PARTIALLY_DELIVERED
    if counts[D.SENT]:
        return N.SENT
    if counts[D.PLANNED] or counts[D.SENDING] or counts[D.RETRYING]:
        return N.PROCESSING
    return _ended(counts)


def _ended(counts: Counter[D]) -> N:
    """The status of a notification of which nothing arrived and nothing is under way."""
    if counts[D.DEFERRED]:
        return N.DEFERRED
    if any(counts[status] for status in _FAILURES):
        return N.FAILED
    if counts[D.EXPIRED]:
        return N.EXPIRED
    return N.CANCELLED if counts[D.CANCELLED] else N.SUPPRESSED
