"""Numbers of a run as they are shown: words, parts of a bar, and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from campaigns.report import Numbers
from notify.vocabulary import NotificationStatus as N

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


class Share(NamedTuple):
    """A part of a bar of a hundred."""

    meaning: str
    start: float
    width: float


class Figure(NamedTuple):
    """A number, its word, and the status by which its notifications are found."""

    label: str
    number: int
    status: str
    #: What the number means, for whoever wonders.
    about: str


def figures_of(numbers: Numbers) -> list[Figure]:
    """The people of a run by what became of them; what is nobody is left out but for the main words."""
    rows = [
        Figure("sent", numbers.sent, "", "handed over to a provider, delivered ones among them"),
        Figure("delivered", numbers.delivered, N.DELIVERED, "a provider said that it arrived"),
        Figure("suppressed", numbers.suppressed, N.SUPPRESSED, "not told, for a reason of theirs or ours"),
        Figure("failed", numbers.failed, N.FAILED, "nobody could deliver it"),
        Figure("on their way", numbers.open, N.PROCESSING, "planned, being sent, or tried again"),
        Figure("waiting", numbers.waiting, N.DEFERRED, "for a morning, a digest, or until it goes on"),
    ]
    others = [
        Figure("expired", numbers.expired, N.EXPIRED, "too late to be told"),
        Figure("cancelled", numbers.cancelled, N.CANCELLED, "not told, because it was cancelled"),
        Figure("complaints", numbers.complaints, "", "marked it as spam"),
        Figure("held out", numbers.held_out, "", "told nothing, as a control group"),
    ]
    return [*rows, *(one for one in others if one.number)]


def shares_of(numbers: Numbers) -> list[Share]:
    """Who has an outcome, as parts of everybody; what is left of the bar is still to come."""
    parts = [
        ("good", numbers.sent),
        ("calm", numbers.open),
        ("warn", numbers.waiting),
        ("bad", numbers.failed + numbers.expired),
        ("mute", numbers.suppressed + numbers.cancelled),
    ]
    return _laid_out(parts, max(numbers.total_recipients, sum(count for _, count in parts)))


def percent_of(numbers: Numbers) -> int:
    """How much of the audience was told or refused; 100 only at the end."""
    if not numbers.total_recipients:
        return 0
    return min(100, 100 * numbers.processed // numbers.total_recipients)


def lasting(seconds: float) -> str:
    """A duration as people say it, by its two largest units."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def _laid_out(parts: Sequence[tuple[str, int]], whole: int) -> list[Share]:
    shares, start = [], 0.0
    for meaning, count in parts:
        if count:
            width = 100 * count / whole
            shares.append(Share(meaning, round(start, 2), round(width, 2)))
            start += width
    return shares
