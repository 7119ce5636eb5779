"""The numbers of this app, each with its unit and its reason."""

from __future__ import annotations

#: Seconds to reach a provider (DNS, TCP, TLS): a healthy one takes 0.2, longer is down, and nothing was sent.
CONNECT_TIMEOUT_SECONDS = 2.0

#: Seconds for a whole request. Shorter turns slow successes into ambiguous ones (reliability.md 2.3, item 7).
REQUEST_TIMEOUT_SECONDS = 10.0

#: Requests in flight over HTTP/2 connections: rate = in flight / latency, so 500 at 50 ms is 10,000 a second.
HTTP2_CONCURRENCY = 500

#: Requests in flight over HTTP/1.1, where each needs a connection of its own.
HTTP1_CONCURRENCY = 64

#: SMTP connections of one process: greeting delays are waited out side by side; few servers allow fewer.
SMTP_CONCURRENCY = 4

#: Bytes of an answer that are read; the largest honest one (an FCM error) is 2 KB.
ANSWER_LIMIT_BYTES = 65_536

#: How often one request is started again after a definite "not processed" of the connection.
RESTARTS = 2

#: Accounts one message is offered to within one call; a fourth would outlive the page's lease.
ACCOUNTS_PER_CALL = 3

#: Seconds a process trusts what it read of the operators' switches.
SWITCH_AGE_SECONDS = 2.0

#: Seconds between two tries to build an adapter that could not be built, or whose credentials were refused.
REBUILD_AFTER_SECONDS = 5.0

#: Seconds to wait after a 429 that names no time (R249; Google documents the same for FCM).
THROTTLED_SECONDS = 60.0

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

#: Tokens of another sender in one page, in number and as a share of it, from which the account is taken to be
#: mixed up: by themselves they are rare (a few apps merged), together they are a wrong project.
MISMATCHES = 10
MISMATCH_SHARE = 0.5
