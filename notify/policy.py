"""The pipeline's numbers: each has one home, a unit and a reason."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from notify.vocabulary import Priority, Tier

#: Ids in a page of work. Throughput stops rising at 500 (performance.md section 1), and a repeat is bounded by it.
PAGE_SIZE = 500
#: Recipients in one call; more belong into a bulk send.
MAX_RECIPIENTS = 1_000
#: How far ahead a send may be scheduled: well inside retention, so that its partition still exists.
MAX_SCHEDULE_AHEAD = timedelta(days=60)


class CallRate(msgspec.Struct, frozen=True):
    """How often one credential may call: a bucket of `burst` that refills `per_second`."""

    per_second: float
    burst: int


#: None: metered, never refused. A standard key may spend its minute at once.
CALL_RATES: dict[Tier, CallRate | None] = {
    Tier.STANDARD: CallRate(per_second=1000 / 60, burst=1000),
    Tier.BULK: CallRate(per_second=100.0, burst=100),
    Tier.INTERNAL: None,
}
#: One person's app or browser: five calls a second for a minute, far above what a screen needs.
USER_CALL_RATE = CallRate(per_second=5.0, burst=300)
#: Calls without a valid credential, per address and process.
STRANGER_CALL_RATE = CallRate(per_second=1000 / 60, burst=1000)
#: How long a user token is good. An app asks its own server for the next one.
USER_TOKEN_LIFETIME = timedelta(hours=1)


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

# --- Templates: what an author may write, and what one rendering may cost.

#: Characters of one field; Gmail cuts an e-mail off at 102 KB, and a request carries 1 MiB in all.
MAX_FIELD_SOURCE = 100_000
#: `{{ … }}` and `{% … %}` in one field, tokens in one of them, blocks inside blocks, loops inside loops.
MAX_TAGS = 500
MAX_TOKENS = 64
MAX_BLOCK_DEPTH = 8
MAX_LOOP_DEPTH = 3
#: Characters of a quoted text, and of one that is an argument of a filter: a separator or a replacement multiplies.
MAX_LITERAL = 1_000
MAX_ARGUMENT = 64
#: Languages of one channel.
MAX_LOCALES = 50
#: Variables of a template, and bytes of JSON in which one recipient's values must fit.
MAX_VARIABLES = 100
MAX_VARIABLES_BYTES = 65_536

#: Instructions of one rendering: thirty for each of three thousand rows, and 3 ms when an endless one is cut off.
RENDER_FUEL = 100_000
#: Elements that list filters may walk in one rendering: at 0.2 µs each, 40 ms.
RENDER_WORK = 200_000
#: Characters in which a rendering without loops must certainly fit, or it is metered.
RENDER_SURE_CHARACTERS = 2_000_000
#: Characters of a rendered field: text, and HTML.
MAX_TEXT = 16_384
MAX_HTML = 262_144
#: Characters of a title or subject; longer ones are cut by every screen, and one RFC 5322 line holds 998 bytes.
MAX_LINE = 255
MAX_URL = 2_048
#: Twilio and SNS refuse longer bodies (providers.md).
MAX_SMS = 1_600
#: Bytes of a push's words and links: Web Push carries 3,993 in all, and ids, type and JSON need the rest.
MAX_PUSH_BYTES = 3_200

#: The process that tries a new version out: seconds of CPU, seconds on the clock, bytes beyond what it started with.
TRIAL_CPU_SECONDS = 5
TRIAL_SECONDS = 15
TRIAL_MEMORY = 128 * 1024 * 1024
