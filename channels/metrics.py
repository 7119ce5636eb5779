"""What is counted of provider accounts, as Prometheus definitions: a few writes per page, none per message."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter

_ANSWERS = Counter("provider_answers", "What became of messages offered to an account", ["provider", "outcome"])
_HELD = Counter("provider_held", "Messages an account was not asked for, by reason", ["provider", "reason"])
_CHANGES = Counter(
    "provider_changes", "Circuits opened, half opened, closed; accounts stopped, resumed", ["provider", "change"]
)


def answered(provider: str, outcomes: Mapping[str, int]) -> None:
    """Count the answers of a page by outcome."""
    for outcome, count in outcomes.items():
        _ANSWERS.labels(provider, outcome).inc(count)


def held(provider: str, reason: str, count: int) -> None:
    """Count messages of a page that an account was not asked for."""
    if count:
        _HELD.labels(provider, reason).inc(count)


def changed(provider: str, change: str) -> None:
    """Count what happened to an account's circuit or stop."""
    _CHANGES.labels(provider, change).inc()
