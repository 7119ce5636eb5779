"""The trace of the API as people read it: the same entries in the same order, each with a colour and its facts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from notify.rules.history import History
from notify.rules.trace import TraceEntry, compose

_GOOD = frozenset({"accepted", "sent", "delivered", "receipt"})
_BAD = frozenset({"failed", "bounced", "dead", "bad_recipient", "bad_message", "misconfigured", "device_deactivated"})
_WARN = frozenset(
    {
        "suppressed",
        "expired",
        "cancelled",
        "retry",
        "snoozed",
        "rescued",
        "refused_at_claim",
        "throttled",
        "transient",
        "ambiguous",
        "partially_delivered",
    }
)


class Moment(msgspec.Struct, frozen=True):
    """One entry of the timeline."""

    at: datetime
    step: str
    decision: str
    channel: str
    reason: str
    #: Name and value, for what there is to say.
    facts: list[tuple[str, str]]
    #: good, bad, warn or empty.
    tone: str


def moments_of(history: History) -> list[Moment]:
    """The timeline, oldest first."""
    return [_moment(entry) for entry in compose(history)]


def _moment(entry: TraceEntry) -> Moment:
    return Moment(
        entry.at,
        entry.step,
        entry.decision.replace("_", " "),
        entry.channel or "",
        entry.reason_code or "",
        [(name.replace("_", " "), text) for name, value in entry.detail.items() if (text := _words(value))],
        _tone(entry.decision),
    )


def _tone(decision: str) -> str:
    groups = {"good": _GOOD, "bad": _BAD, "warn": _WARN}
    return next((tone for tone, words in groups.items() if decision in words), "")


def _words(value: Any) -> str:
    """A value in a line of text; what says nothing is left out."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S UTC")
    if isinstance(value, list):
        return ", ".join(_words(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(one)}" for name, one in value.items())
    if value is True:
        return "yes"
    return "" if value is None or value is False else str(value)
