"""`GET /metrics`: the counters of all processes, and what is read from PostgreSQL and the broker at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import ClassVar

import structlog
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.views import APIView

from channels import costs, scorecard
from channels.errors import ConfigurationFault
from channels.rules.breaker import State
from channels.rules.rates import MICROS
from channels.scorecard import Card
from config.broker import BrokerAwayError, queue_depths
from config.slots import DIRECTORY, drop_broken_files
from notify.store.backlog import backlog
from notify.vocabulary import Scope

log = structlog.get_logger(__name__)

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

_REQUESTS = Counter("http_requests", "Calls answered", ["method", "route", "status"])
_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time to answer a call",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


def request_observed(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered call; a method nobody knows does not make a series of its own."""
    known = method if method in _METHODS else "OTHER"
    _REQUESTS.labels(known, route, str(status)).inc()
    _SECONDS.labels(known, route).observe(seconds)


class Now(Collector):
    """What is asked for at each scrape: backlog, dead letters, queues. What cannot be asked is left out."""

    def collect(self) -> Iterator[Metric]:
        """A few statements on PostgreSQL, one look at the accounts, one passive look at each queue."""
        yield from _from_database()
        yield from _from_accounts()
        yield from _from_budgets()
        yield from _from_broker()


class MetricsView(APIView):
    """The same for those who are not on this machine: it needs a key with the scope `operate`."""

    scopes: ClassVar[dict[str, str]] = {"GET": Scope.OPERATE.value}

    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002 - DRF's signature
        """Everything there is to know, at this moment."""
        return _exposition()


_guarded = MetricsView.as_view()


def metrics(request: HttpRequest) -> HttpResponseBase:
    """Prometheus' text format; open on loopback."""
    return _exposition() if is_loopback(request) else _guarded(request)


def _exposition() -> HttpResponse:
    try:
        text = _text()
    except Exception as error:  # noqa: BLE001 - a process died while it wrote; its file is given up, ours are whole
        log.warning("metrics.broken_file", error=type(error).__name__)
        drop_broken_files()
        text = _text()
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _text() -> bytes:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(DIRECTORY))  # type: ignore[no-untyped-call]
    registry.register(Now())
    return generate_latest(registry)


def is_loopback(request: HttpRequest) -> bool:
    """Whether the call comes from this machine itself, and not through a proxy on it."""
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _from_database() -> Iterator[Metric]:
    try:
        now = backlog()
    except DatabaseError as error:
        log.warning("metrics.database_away", error=type(error).__name__)
        return
    pages = GaugeMetricFamily("notification_backlog_pages", "Pages of work not finished", labels=["step", "priority"])
    oldest = GaugeMetricFamily(
        "notification_backlog_oldest_seconds",
        "Age of the oldest page that is due and not claimed",
        labels=["step", "priority"],
    )
    for one in now.pages:
        pages.add_metric([one.step, one.priority], one.count)
        oldest.add_metric([one.step, one.priority], one.oldest_seconds)
    yield pages
    yield oldest
    yield GaugeMetricFamily("notification_dlq_depth", "Dead letters not replayed", value=now.dead_letters)


def _from_accounts() -> Iterator[Metric]:
    try:
        cards = scorecard.cards()
    except (DatabaseError, ConfigurationFault) as error:
        log.warning("metrics.accounts_unknown", error=type(error).__name__)
        return
    for name, meaning, value_of in _OF_ACCOUNTS:
        gauge = GaugeMetricFamily(name, meaning, labels=["provider", "channel"])
        for card in cards:
            value = value_of(card)
            if value is not None:
                gauge.add_metric([card.name, card.channel.value], value)
        yield gauge


#: Gauges of provider accounts; a value that is not known is left out.
_OF_ACCOUNTS: tuple[tuple[str, str, Callable[[Card], float | None]], ...] = (
    (
        "provider_circuit_state",
        "Circuit of an account: 0 closed, 1 half open, 2 open",
        lambda card: {State.CLOSED: 0, State.HALF_OPEN: 1, State.OPEN: 2}[card.breaker_state],
    ),
    ("provider_stopped", "1: the provider refuses our credentials or settings", lambda card: card.stopped is not None),
    ("provider_backing_off", "1: the provider asked to be left alone", lambda card: card.backoff_until is not None),
    ("provider_success_ratio", "Of the last 15 minutes", lambda card: card.recent.success_rate),
    ("provider_effective_weight", "Less what errors and slowness take away", lambda card: card.effective_weight),
    ("provider_daily_left", "Messages that may still go today", lambda card: card.daily_left),
)


def _from_budgets() -> Iterator[Metric]:
    spend = GaugeMetricFamily(
        "notification_spend", "Cost of this month, in the currency of the card", labels=["channel"]
    )
    budget = GaugeMetricFamily("notification_budget", "What a month may cost", labels=["channel", "limit"])
    try:
        standing = costs.standing(datetime.now(UTC).date())
    except DatabaseError as error:
        log.warning("metrics.budgets_unknown", error=type(error).__name__)
        return
    for one in standing:
        spend.add_metric([one.channel], one.spent_micros / MICROS)
        for limit, micros in (("soft", one.soft_micros), ("hard", one.hard_micros)):
            if micros is not None:
                budget.add_metric([one.channel, limit], micros / MICROS)
    yield spend
    yield budget


def _from_broker() -> Iterator[Metric]:
    depth = GaugeMetricFamily("queue_depth", "Messages waiting in a queue of the broker", labels=["queue"])
    try:
        for queue, count in queue_depths().items():
            depth.add_metric([queue], count)
    except BrokerAwayError as error:
        log.warning("metrics.broker_away", error=str(error))
        return
    yield depth
