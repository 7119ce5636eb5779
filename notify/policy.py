"""The pipeline's numbers: each has one home, a unit and a reason."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from channels.vocabulary import Channel
from notify.vocabulary import Priority, Tier
from preferences.vocabulary import Category

#: Ids in a page of work. Throughput stops rising at 500 (performance.md section 1), and a repeat is bounded by it.
PAGE_SIZE = 500
#: Notifications of a page up to which its people are remembered for whoever tells them something next, though nothing
#: on the page is urgent: more are a crowd (decision 0033).
FEW_PEOPLE = 50
#: Recipients in one call; more belong into a bulk send.
MAX_RECIPIENTS = 1_000
#: Recipients in one simulation: their words are made while the caller waits.
MAX_SIMULATED = 100
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
#: How long the way to a live stream is open to who was sent there; the address holds it, so it is short.
STREAM_TICKET_LIFETIME = timedelta(seconds=60)
#: How long a stream stays open, at most: its owner comes back, and is let in anew.
STREAM_LIFETIME = timedelta(hours=1)
#: Seconds of silence after which a stream says that it is alive, and asks whether its owner still may listen.
#: Proxies close what says nothing for a minute.
STREAM_ALIVE_SECONDS = 15.0


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
#: How long messages of a campaign are sent before somebody looks whether it was stopped: a pause holds within two
#: seconds, however slow the provider is. So many are sent at once while nobody knows how fast it is, and ever.
SENT_UNASKED = timedelta(seconds=1)
SENT_AT_LEAST = 100
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
#: Pages of medium and of low priority that may wait to be sent while more is collected: what a machine sends in half a
#: minute, so that no worker waits for the next tick, and the sweeper does not take them for lost.
COLLECT_AHEAD = 100

# --- Attempts whose fate nobody knows (reliability.md 2.3): twice, or perhaps never?

#: What costs nothing to hear twice; a text message costs money each time.
_FREE = frozenset({Channel.PUSH, Channel.EMAIL, Channel.IN_APP})
#: Channels on which a message of a category is rather sent twice than not at all.
MAY_REPEAT: dict[Category, frozenset[Channel]] = {
    Category.SECURITY: frozenset(Channel),
    Category.TRANSACTION: _FREE,
    Category.REMINDER: _FREE,
    Category.SOCIAL: _FREE,
    Category.MARKETING: frozenset(),
}
#: Attempts of one delivery that may end so; one more, and it rests until a receipt or an operator decides.
MAX_AMBIGUOUS = 1

# --- Receipts: what providers say afterwards.

#: Bytes of one callback. SendGrid posts what has gathered, and a thousand of its events are about a megabyte.
MAX_RECEIPT_BYTES = 8 * 1024 * 1024
#: Receipts processed in one transaction, and seconds after which a task lets the next one go on.
RECEIPT_PAGE = 500
RECEIVE_BUDGET = timedelta(seconds=2)
#: A process publishes "there are receipts" no oftener than this; the tick of each second finds the rest.
NUDGE_EVERY = timedelta(milliseconds=250)
#: A receipt that overtook our own commit is looked at again after a second, doubled up to a minute, for so long.
RECEIPT_WAIT = timedelta(seconds=1)
RECEIPT_WAIT_CAP = timedelta(minutes=1)
RECEIPT_PATIENCE = timedelta(minutes=10)
#: How long receipts are kept: far longer than providers repeat one (SendGrid and Vonage: for a day).
RECEIPTS_KEPT = timedelta(days=30)
#: Of the push tokens an account was given within the window, the share that may be dead before we doubt the account:
#: a sandbox key on production tokens calls them all dead (providers.md 3.1). Fewer than the minimum prove nothing.
BAD_TOKEN_WINDOW = timedelta(minutes=10)
BAD_TOKEN_SHARE = 0.05
BAD_TOKEN_MINIMUM = 20

#: Weeks of partitions made ahead of time: the sweeper may rest for two months before an insert fails.
PARTITION_WEEKS_AHEAD = 8

#: After a publish failed, this process leaves pages to the sweeper for this long instead of waiting each time.
BROKER_REST = timedelta(seconds=3)

#: After PostgreSQL failed, opens and clicks are answered without it for this long.
DATABASE_REST = timedelta(seconds=3)

#: What the caller is told to expect, per priority (section 1.4 of architecture.md).
ESTIMATES: dict[Priority, str] = {
    Priority.CRITICAL: "< 1s",
    Priority.HIGH: "< 1s",
    Priority.MEDIUM: "< 30s",
    Priority.LOW: "< 5min",
}

# --- Caps: how often one person is told.

#: How long what is counted may take to reach its provider: the wait in a queue, and dispatch's own budget. Windows are
#: longer by so much, so that they hold by the provider's clock, too; what waited longer is counted anew.
CAP_MARGIN = timedelta(seconds=30)
#: How long something waits for room at most; what would have to wait longer has been overtaken by the rest.
CAP_WAIT = timedelta(days=7)

#: People (on a channel each) whose digests are made in one transaction, and how long one run begins new ones: rendering
#: a member takes 0.1 ms, the sweeper waits in the same queue, and the next tick goes on.
DIGEST_PEOPLE = 100
DIGEST_BUDGET = timedelta(seconds=2)

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
#: Buttons of a push: Android shows three, iOS four, browsers two. Keys of its data; the greatest badge.
MAX_ACTIONS = 3
MAX_DATA_KEYS = 20
MAX_BADGE = 99_999
#: Links of one mail that lead through us: a newsletter has some fifty; a token costs 4 µs and 200 bytes.
MAX_TRACKED_LINKS = 300
#: How long the address of a preference page is good at least: it shows how a person can be reached, and mails are
#: forwarded. What leaves a message has no such end.
PREFERENCE_LINK_LIFETIME = timedelta(days=90)
#: How long somebody who left may take it back from the page that says so.
UNDO_LIFETIME = timedelta(hours=24)
#: Characters of a token in an address of ours: the longest link sealed with its ids, in base64.
MAX_TOKEN = 2_900
#: Bytes of a push's words and links: Web Push carries 3,993 in all, and ids, type and JSON need the rest.
MAX_PUSH_BYTES = 3_200

#: The process that tries a new version out: seconds of CPU, seconds on the clock, bytes beyond what it started with.
TRIAL_CPU_SECONDS = 5
TRIAL_SECONDS = 15
TRIAL_MEMORY = 128 * 1024 * 1024

#: How long a call that erases somebody may clear the log of them; housekeeping goes on where it stopped.
ERASE_BUDGET = timedelta(seconds=2)
#: After an erasure, what was on its way has come to rest: leases end after 45 s, retries find the status.
ERASURE_SETTLES = timedelta(minutes=5)
#: People of whom one run of housekeeping clears the last traces.
ERASED_AT_ONCE = 1_000
#: Notifications whose traces are cleared in one transaction.
TRACES_PAGE = 500
#: Mails that ask people to confirm marketing, accepted in one transaction.
CONFIRMATIONS_PAGE = 100
#: Notifications looked through in one transaction for words that are kept too long: some 100 ms.
OLD_WORDS_SCAN = 20_000
#: Notifications, entries of inbox or ledger that an export holds in hand: some hundred kilobytes.
EXPORT_PAGE = 200

#: Broadcasts of one topic that stand in an inbox untouched: the newest. A reader of many topics asks for all of them.
BROADCASTS_OF_TOPIC = 200
#: Untouched entries that `read-all` gives rows, the newest: their words are made while the reader waits.
TOUCHED_AT_ONCE = 1_000
#: Untouched entries that a listener who comes back is told of, the newest: as many as of those that have rows.
BROADCAST_NEWS = 100

#: Share of errors among providers' answers from which the system spares itself, and under which it recovers (R342).
SPARED_ERRORS, RECOVERED_ERRORS = 0.2, 0.05
#: Answers below which a share says nothing.
SPARED_LEAST_ANSWERS = 100
#: How long a mode that the system chose stands before it is eased: what it held back comes at once then.
EASED_AFTER = timedelta(minutes=1)
#: How long the system leaves an operator's "normal" alone. Any other word of an operator stands until the next.
OPERATOR_STANDS = timedelta(hours=1)
