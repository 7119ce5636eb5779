"""The load that is asked about: numbers of R025 and what sizing needs besides, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from channels.vocabulary import Channel
from notify.vocabulary import Priority

#: Beyond this a number is a slip of the hand: more than anybody sends, has or waits.
_LARGEST = 1e15
#: Shares are written with a few digits; their sum may miss the whole by this.
_SLACK = 1e-6


#: What is sent on which channel (R005).
MIX = {Channel.PUSH: 0.6, Channel.EMAIL: 0.3, Channel.SMS: 0.1}
#: Codes and alarms are few, news and marketing are most.
PRIORITIES = {Priority.CRITICAL: 0.01, Priority.HIGH: 0.09, Priority.MEDIUM: 0.2, Priority.LOW: 0.7}
#: Milliseconds; what is told in the app is a row of ours.
LATENCY_MS = {Channel.PUSH: 50.0, Channel.EMAIL: 100.0, Channel.SMS: 200.0, Channel.IN_APP: 0.0}


class CapacityFault(ValueError):
    """A number that cannot be meant: names the option, what is wrong, and the cure."""

    def __init__(self, option: str, problem: str, cure: str) -> None:
        super().__init__(f"--{option}: {problem}. {cure}.")
        self.option = option


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, to whom, and on what machines; shares add up to 1."""

    events_per_day: float = 10_000_000
    #: The fan-out multiplier.
    recipients_per_event: float = 10
    #: Of one row of the log, as estimates have it; beside it stands what the bench measured.
    record_bytes: float = 500
    retention_days: float = 90
    users: float = 10_000_000
    #: The busiest second, in times of the mean one.
    peak: float = 10
    #: Of deliveries, one for each notification.
    mix: Mapping[Channel, float] = msgspec.field(default_factory=lambda: MIX)
    #: Of notifications.
    priorities: Mapping[Priority, float] = msgspec.field(default_factory=lambda: PRIORITIES)
    #: Until a provider answers.
    latency_ms: Mapping[Channel, float] = msgspec.field(default_factory=lambda: LATENCY_MS)
    #: Of a notification on its way in, and about as many on its way out (R023).
    payload_bytes: float = 1_000
    #: Of one machine.
    cores: float = 16
    #: How far a machine is filled at the peak.
    utilisation: float = 0.6
    #: Instead of the bench's figure: all that one notification costs; its parts stay in proportion.
    cpu_us: float | None = None


def checked(load: Load) -> Load:
    """The load itself; a `CapacityFault` for what cannot be computed with."""
    for name in ("events_per_day", "users", "record_bytes", "retention_days", "payload_bytes", "cores"):
        _between(name, getattr(load, name), 0, above=True)
    for name in ("recipients_per_event", "peak"):
        _between(name, getattr(load, name), 1)
    _between("utilisation", load.utilisation, 0, 1, above=True)
    if load.cpu_us is not None:
        _between("cpu_us", load.cpu_us, 0, above=True)
    _whole("mix", load.mix)
    _whole("priorities", load.priorities)
    for latency in load.latency_ms.values():
        _between("latency_ms", latency, 0)
    return load


def _between(name: str, value: float, low: float, high: float = _LARGEST, *, above: bool = False) -> None:
    option = name.replace("_", "-")
    if not math.isfinite(value) or value > high or value < low or (above and value == low):
        bounds = f"{'above' if above else 'from'} {low:g} up to {high:g}"
        raise CapacityFault(option, f"{value:g} is not possible", f"Give a number {bounds}")


def _whole(option: str, shares: Mapping[Any, float]) -> None:
    if any(not math.isfinite(share) or share < 0 for share in shares.values()):
        raise CapacityFault(option, "a share is below 0 or no number", "Give each part as a percentage")
    total = sum(shares.values())
    if abs(total - 1) > _SLACK:
        raise CapacityFault(option, f"the shares add up to {100 * total:g} %", "Let them add up to 100")
