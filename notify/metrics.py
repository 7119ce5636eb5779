"""What the pipeline counts, as Prometheus definitions: a few writes per page, none per notification.

The names are those the alerts are written against. config/metrics.py decides where the values are kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Mapping, Sequence

from prometheus_client import Counter, Histogram

#: Seconds from acceptance to the provider's yes. Each objective of architecture.md section 1 (1 s, 5 s, 30 s,
#: 5 min) is an edge, so that "within the objective" is read and not interpolated.
LATENCY_EDGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200)

_DELIVERIES = Counter("notification_delivery", "Deliveries that reached a status", ["channel", "status"])
_LATENCY = Histogram(
    "notification_latency_seconds",
    "From acceptance to the provider's acceptance",
    ["channel", "priority"],
    buckets=LATENCY_EDGES,
)
#: Nobody's call holds more than 1,000; a campaign is one event, however many it reaches.
_EVENT_SIZES = (1, 2, 5, 10, 20, 50, 100, 500, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_EVENTS = Histogram(
    "notification_recipients_per_event",
    "Who is told of one accepted call or one campaign's run: what capacity depends on most",
    buckets=_EVENT_SIZES,
)
_CALLS = Counter("notification_api_calls", "Calls with a valid credential, by its tier", ["tier"])
_RECEIPTS = Counter("notification_receipt", "Receipts that came in, repeats among them", ["provider", "kind"])
_RATE_LIMITED = Counter("notification_rate_limited", "What a rate limit held back", ["user_type", "channel"])


def event_accepted(recipients: int) -> None:
    """Note how many are told of one event; a repeated call is none."""
    _EVENTS.observe(recipients)


def deliveries_recorded(channel: str, status: str, count: int) -> None:
    """Count deliveries of a page that reached `status`."""
    if count:
        _DELIVERIES.labels(str(channel), str(status)).inc(count)


def latency_observed(channel: str, priority: str, seconds: Sequence[float]) -> None:
    """Note how long each delivery of a page took: one write per bucket met, not two per delivery."""
    if not seconds:
        return
    child = _LATENCY.labels(str(channel), str(priority))
    for bucket, count in Tally(bisect_left(LATENCY_EDGES, one) for one in seconds).items():
        child._buckets[bucket].inc(count)  # noqa: SLF001 - the client has no bulk door; a test holds it to `observe`
    child._sum.inc(sum(max(one, 0.0) for one in seconds))  # noqa: SLF001


def receipts_came(account: str, kinds: Mapping[str, int]) -> None:
    """Count the receipts of one callback by what they told."""
    for kind, count in kinds.items():
        _RECEIPTS.labels(account, kind).inc(count)


def call_metered(tier: str) -> None:
    """Count a call: the internal tier is never refused, and this is where it shows."""
    _CALLS.labels(tier).inc()


def rate_limited(user_type: str, channel: str, count: int = 1) -> None:
    """Count what was held back: calls by the tier of their key (channel `api`), messages by their channel."""
    _RATE_LIMITED.labels(user_type, str(channel)).inc(count)
