"""What came out: whether all is as it should be, and how long it took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from statistics import median

import msgspec

from channels.vocabulary import SendOutcome
from config.demo.client import Delivery
from config.demo.people import Person
from config.demo.providers import DOWN, STANDING_BY
from config.demo.watching import Followed
from config.demo.wording import channel_in_words, status_of
from notify.vocabulary import DeliveryStatus, NotificationStatus, Priority


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds from acceptance to the provider's acceptance."""

    priority: str
    deliveries: int
    p50: float
    slowest: float


def mismatches(followed: Sequence[Followed], mails: int) -> list[tuple[Person | None, str]]:
    """Everything that is not as it should be, each as a sentence, with the person it concerns."""
    found: list[tuple[Person | None, str]] = []
    for one in followed:
        found += [(one.person, f"{one.person.name}, {one.telling.type}: {fault}") for fault in _faults(one)]
    everything = [delivery for one in followed for delivery in _deliveries(one)]
    sent = sum(each.provider == "smtp" and each.status == DeliveryStatus.SENT for each in everything)
    if mails != sent:
        found.append((None, f"Mails that were sent by SMTP: {sent}. Mails in the folder: {mails}."))
    if any(each.channel == "sms" and each.provider != STANDING_BY for each in everything):
        found.append((None, f"Not every SMS went through {STANDING_BY}, though {DOWN} was down."))
    return found


def latencies(followed: Sequence[Followed]) -> list[Latency]:
    """By priority, the most urgent first; what was scheduled is left out, for it waited on purpose."""
    taken: dict[str, list[float]] = {}
    for one in followed:
        if one.seen is not None and one.telling.ahead is None:
            taken.setdefault(one.seen.priority, []).extend(_milliseconds(one))
    return [
        Latency(priority, len(times), median(times), max(times))
        for priority in Priority
        if (times := taken.get(priority, []))
    ]


def _milliseconds(one: Followed) -> Iterator[float]:
    if one.seen is not None:
        for attempt in one.seen.attempts:
            if attempt.outcome == SendOutcome.ACCEPTED:
                yield (attempt.started_at - one.seen.created_at) / timedelta(milliseconds=1) + attempt.latency_ms


def _faults(one: Followed) -> Iterator[str]:
    if one.telling.is_cancelled:
        if status_of(one) != NotificationStatus.CANCELLED:
            yield f"it should be cancelled, and is {status_of(one)}."
        return
    if one.lateness is not None and one.lateness < timedelta(0):
        yield f"it left {-one.lateness.total_seconds():.1f} s before its time."
    for channel, allowed in one.expected.items():
        words = " or ".join(str(each) for each in allowed)
        ends = [delivery for delivery in _deliveries(one) if delivery.channel == channel]
        if not ends:
            yield f"{channel_in_words(channel)} should be {words}, and was not planned."
        for end in ends:
            if not any(each.fits(end.status, end.reason_code) for each in allowed):
                is_so = f"{end.status} ({end.reason_code})" if end.reason_code else end.status
                yield f"{channel_in_words(channel)} should be {words}, and is {is_so}."


def _deliveries(one: Followed) -> list[Delivery]:
    return [] if one.seen is None else one.seen.deliveries
