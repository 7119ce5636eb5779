"""The numbers of this app, each with its unit and its reason."""

from __future__ import annotations

#: Seconds to reach a provider (DNS, TCP, TLS): a healthy one takes 0.2, longer is down, and nothing was sent.
CONNECT_TIMEOUT_SECONDS = 2.0

#: Seconds for a whole request. Shorter turns slow successes into ambiguous ones (reliability.md 2.3, item 7).
REQUEST_TIMEOUT_SECONDS = 10.0

#: Requests in flight over HTTP/2 connections: rate = in flight / latency, so 500 at 50 ms is 10,000 a second.
HTTP2_CONCURRENCY = 500

#: Seconds without a page after which a single connection is tried by one request alone before many go out on it.
PROVEN_SECONDS = 30.0

#: Seconds a single connection is kept without use: Apple asks to keep them for hours, and takes many new for an attack.
KEPT_CONNECTION_SECONDS = 3600

#: Requests in flight over HTTP/1.1, where each needs a connection of its own.
HTTP1_CONCURRENCY = 64

#: Requests in flight at a provider of text messages: Twilio refuses more than some fifty at once (R247), and none sends
#: faster than that is answered.
SMS_CONCURRENCY = 50

#: SMTP connections of one process: greeting delays are waited out side by side; few servers allow fewer.
SMTP_CONCURRENCY = 4

#: Bytes of an answer that are read; the largest honest one (an FCM error) is 2 KB.
ANSWER_LIMIT_BYTES = 65_536

#: How often one request is started again after a definite "not processed" of the connection.
RESTARTS = 2

#: Accounts one message is offered to within one call; a fourth would outlive the page's lease.
ACCOUNTS_PER_CALL = 3

#: Of an account; beyond this a weight says nothing more.
MAX_WEIGHT = 1_000_000

#: Seconds a process trusts what it read of the operators' switches.
SWITCH_AGE_SECONDS = 2.0

#: Seconds between two tries to build an adapter that could not be built, or whose credentials were refused.
REBUILD_AFTER_SECONDS = 5.0

#: Seconds to wait after a 429 that names no time (R249; Google documents the same for FCM).
THROTTLED_SECONDS = 60.0

#: Seconds beyond which the instant a provider names for its limit's end is taken for a mistake.
LONGEST_WAIT_SECONDS = 3600.0

#: Seconds an account is left alone at most, whatever a Retry-After says: after that one page asks again.
BACKOFF_CAP_SECONDS = 900.0

#: Faults in a row after which a circuit opens; also those after which a page in flight is given up (C15).
BREAKER_FAILURES = 5

#: Seconds a circuit stays open before probes may go (C15).
BREAKER_OPEN_SECONDS = 30.0

#: Probes under way at a time while a circuit is half open, and sound answers after which it closes (C15).
BREAKER_PROBES = 3
BREAKER_SUCCESSES = 3

#: A brown-out: in so many seconds at least so many requests were decided, and this share of them by faults.
BREAKER_WINDOW_SECONDS = 10.0
BREAKER_WINDOW_REQUESTS = 20
BREAKER_WINDOW_SHARE = 0.5

#: Seconds after which what waits for a free probe asks again: a healthy provider answers in less.
PROBE_WAIT_SECONDS = 1.0

#: Seconds a probe's slot is held beyond the request's own time-outs, for a worker that died with it.
PROBE_LEASE_SECONDS = 10.0

#: Seconds over which what an open circuit held back comes again, so that it does not come at once.
REOPEN_SPREAD_SECONDS = 2.0

#: Seconds between two messages that try whether a stopped account is taken again.
STOP_RETRY_SECONDS = 30.0

#: Seconds between two looks at the secrets of a stopped account.
SECRETS_AGE_SECONDS = 2.0

#: A refusal stops the account unless more than this share of what was answered after it was accepted.
STOP_ACCEPTED_SHARE = 0.1

#: Seconds a process takes an account's day for used up before it asks PostgreSQL again: failures give some back.
DAY_SPENT_SECONDS = 30.0

#: Seconds what is known of an account outlives its last page: circuits, back-off and stops are shorter.
GATE_SECONDS = 86_400

#: Minutes of the scorecard.
SCORECARD_MINUTES = 15

#: Seconds a process trusts what it read of the accounts' health.
HEALTH_AGE_SECONDS = 2.0

#: Minutes in which an error counts half as much for the weights: after ten quiet ones 3 % of it are left.
HEALTH_HALF_LIFE_MINUTES = 2.0

#: Sound requests every account is credited with, so that one error among few requests moves little.
HEALTH_CREDIT = 20.0

#: A mean latency is slow from this many milliseconds and this many times the fastest equal's.
SLOW_MS = 500.0
SLOW_TIMES = 2.0

#: Share of its weight that an account keeps, however badly it does: it must be seen to recover.
LEAST_HEALTH = 0.1

#: Seconds of its rate that an account may spend at once.
BURST_SECONDS = 1.0

#: Share of an access token's life after which it is renewed, long before anyone refuses it.
TOKEN_RENEWAL_SHARE = 0.8

#: Seconds for one call to a token endpoint, and how often it is tried.
TOKEN_TIMEOUT_SECONDS = 3.0
TOKEN_TRIES = 3

#: Seconds Redis may take to connect or answer; a page waits for it, an OTP too.
REDIS_TIMEOUT_SECONDS = 1.0

#: Seconds a process goes without Redis after it failed, rather than wait a time-out for every page.
REDIS_AWAY_SECONDS = 3.0

#: Bytes of a sandbox file before it is put aside as `.1`: a look at it stays quick, the disk stays free.
SANDBOX_FILE_BYTES = 64 * 1024 * 1024

#: Seconds the sandbox's slow address takes.
SANDBOX_SLOW_SECONDS = 2.0

#: Refused tokens among the answers of late, in number and as a share, from which the account is taken to be mixed up.
#: Of another sender (FCM): a few are apps that were merged, most of them are a wrong project.
MISMATCHES = 10
MISMATCH_SHARE = 0.5
#: Of the other environment (APNs): a device that is gone is told otherwise, so a twentieth is a lot (providers.md 3.1).
BAD_TOKEN_SHARE = 0.05
#: Answers after which what was before counts half.
MISMATCH_WINDOW = 2000

#: Seconds an APNs provider token is used: Apple takes them for 60 minutes, and wants at least 20 between two.
APNS_TOKEN_SECONDS = 2700
#: Seconds by which the clocks of our machines and Apple's may differ without a token being from the future.
CLOCK_SLACK_SECONDS = 60
#: Seconds to send nothing after Apple complained about tokens that change too often.
APNS_TOKEN_PAUSE_SECONDS = 1200.0

#: Seconds between two VAPID tokens for one push service; each is good for twice as long, and at most 24 hours.
VAPID_TOKEN_SECONDS = 21_600

#: Of a page of e-mail: rounds in which what a refused call held is sent again without the mail that was to blame
#: (halving a thousand takes ten), and calls in all of these rounds.
REFUSAL_ROUNDS = 12
REFUSAL_CALLS = 64

#: Events one callback may bring; SendGrid posts at most some thousands at once.
RECEIPT_EVENTS = 20_000

#: Seconds after which a signed callback is too old; SendGrid tries for 24 hours, and may keep the signature.
SENDGRID_RECEIPT_SECONDS = 25 * 3600.0
SNS_RECEIPT_SECONDS = 3600.0
#: Vonage tries for 24 hours too, and does not say whether it signs each try anew.
VONAGE_RECEIPT_SECONDS = 25 * 3600.0
#: Seconds a provider's clock may be ahead of ours.
CLOCK_SKEW_SECONDS = 300.0

#: Seconds for one call to SNS: for a signing certificate, or to confirm a subscription.
SNS_TIMEOUT_SECONDS = 3.0
#: Certificates of SNS that are kept; it has one for each region and year.
SNS_CERTIFICATES = 16

#: Unread entries are counted up to here: who has more sees "999+", and a count never reads more of an index than that.
UNREAD_COUNTED_TO = 1_000
#: Newest entries of an inbox among which a listener is told of changes; who was away for longer reads the list.
INBOX_NEWS = 100
