"""The pipeline's numbers: each has one home, a unit and a reason."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from notify.vocabulary import Priority

#: Ids in a page of work. Throughput stops rising at 500 (performance.md section 1), and a repeat is bounded by it.
PAGE_SIZE = 500
#: Recipients in one call; more belong into a bulk send.
MAX_RECIPIENTS = 1_000
#: How far ahead a send may be scheduled: well inside retention, so that its partition still exists.
MAX_SCHEDULE_AHEAD = timedelta(days=60)


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how late a failed attempt is repeated: full jitter under an exponential ceiling."""

    retries: int
    base: timedelta = timedelta(seconds=1)
    factor: int = 5
    cap: timedelta = timedelta(seconds=300)


#: Urgent messages have a short useful life: three more tries, then the fallback channel or the dead letters.
RETRIES: dict[Priority, RetryPolicy] = {
    Priority.CRITICAL: RetryPolicy(retries=3),
    Priority.HIGH: RetryPolicy(retries=3),
    Priority.MEDIUM: RetryPolicy(retries=5),
    Priority.LOW: RetryPolicy(retries=5),
}

#: How long a published page may wait in its queue before the sweeper publishes it again (doubled each time).
GRACE: dict[Priority, timedelta] = {
    Priority.CRITICAL: timedelta(seconds=3),
    Priority.HIGH: timedelta(seconds=5),
    Priority.MEDIUM: timedelta(seconds=15),
    Priority.LOW: timedelta(seconds=20),
}
#: Doublings of the grace; beyond them it stays (20 s << 5 is eleven minutes).
MAX_GRACE_DOUBLINGS = 5

#: No new request to a provider starts later than this after the claim; what is left goes back.
DISPATCH_BUDGET = timedelta(seconds=20)
#: How long a claimed page belongs to its worker. Above Celery's hard time limit (40 s), below the promised minute.
LEASE = timedelta(seconds=45)
#: Deliveries are free again this much before their page, so that whoever takes the page can take them.
LEASE_MARGIN = timedelta(seconds=1)
#: Claims without coming through after which a page is taken apart, and a single one is buried.
MAX_STRIKES = 3

#: A throttled message without a hint from the provider waits this long; no attempt is consumed.
THROTTLE_WAIT = timedelta(seconds=5)
#: A provider account with a configuration fault holds its traffic in steps of this length, consuming no attempt.
HOLD_WAIT = timedelta(seconds=30)
#: A held message without an expiry of its own is given up after this long.
HOLD_LIMIT = timedelta(hours=24)

#: Pages the sweeper publishes in one run, and deliveries it collects: a few hundred milliseconds of work.
SWEEP_PAGES = 500
COLLECT_DELIVERIES = 10_000

#: Weeks of partitions made ahead of time: the sweeper may rest for two months before an insert fails.
PARTITION_WEEKS_AHEAD = 8

#: After a publish failed, this process leaves pages to the sweeper for this long instead of waiting each time.
BROKER_REST = timedelta(seconds=3)

#: What the caller is told to expect, per priority (section 1.4 of architecture.md).
ESTIMATES: dict[Priority, str] = {
    Priority.CRITICAL: "< 1s",
    Priority.HIGH: "< 1s",
    Priority.MEDIUM: "< 30s",
    Priority.LOW: "< 5min",
}
