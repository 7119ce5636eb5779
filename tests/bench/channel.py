"""(f) once more without the pipeline: pages straight into `channels.send`, through gate and adapter to the stand-in.

What the whole product takes for a notification hides what its provider's protocol takes; here only that is left.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec

from channels.vocabulary import Channel, EmailMessage, Message, Platform, PushMessage, SendOutcome
from notify.rules.ids import ENTROPY, new_ids
from tests.bench.companion import Companion, cpu_seconds, work_for
from tests.bench.lab import Lab
from tests.bench.processes import Meter
from tests.bench.results import ChannelResult
from tests.bench.stack import Stack
from tests.bench.ways import ROUTES, Route
from tests.bench.workload import expected_of

_PAGE = 500
_PATIENCE = 60.0
#: As many as the pool of the product has.
_SENDERS = 2
#: Messages of each sender before the clock runs: connections, tokens, scripts.
_WARM_UP = 1_000


class Job(msgspec.Struct, kw_only=True):
    """Which route, and how much of it is this process's."""

    word: str
    total: int
    first: int


class Report(msgspec.Struct, kw_only=True):
    """What came of it; instants are epoch seconds."""

    started: float
    ended: float
    cpu_seconds: float
    accepted: int


def measure_channel(stack: Stack, lab: Lab, route: Route, total: int, latency_ms: int) -> ChannelResult:
    """Send `total` messages from two processes of the product's environment."""
    share = total // _SENDERS
    before = lab.accepted(route.way.stand_in)
    with ExitStack() as running:
        senders = [
            running.enter_context(
                Companion(
                    "tests.bench.channel",
                    Job(word=route.word, total=share, first=number * (share + _WARM_UP)),
                    Report,
                    stack.environment,
                )
            )
            for number in range(_SENDERS)
        ]
        with Meter({"stand-in": lab.pid}) as meter:
            for sender in senders:
                sender.start()
            reports = [sender.finish() for sender in senders]
    seconds = max(report.ended for report in reports) - min(report.started for report in reports)
    sent = share * _SENDERS
    arrived = lab.accepted(route.way.stand_in) - before
    assert sum(report.accepted for report in reports) == sent, "the channel held messages back"
    assert arrived == sent + _SENDERS * _WARM_UP, "the stand-in counted otherwise"
    return ChannelResult(
        way=route.title,
        latency_ms=latency_ms,
        messages=sent,
        per_second=sent / seconds,
        cpu_us=sum(report.cpu_seconds for report in reports) / sent * 1e6,
        strangers=meter.strangers,
    )


def prepare(job: Job) -> Callable[[], Report]:
    """Build the messages and warm everything up; the answer sends the rest."""
    sys.__stdout__ = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the log goes there as long as this process lives
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from channels.send import send_page

    route = next(one for one in ROUTES if one.word == job.word)
    messages = _messages(route, job.total + _WARM_UP, job.first)
    channel = Channel.PUSH if isinstance(messages[0], PushMessage) else Channel.EMAIL

    def send(some: list[Message]) -> int:
        accepted = 0
        for at in range(0, len(some), _PAGE):
            answers = send_page(channel, some[at : at + _PAGE], deadline=time.monotonic() + _PATIENCE)
            accepted += sum(answer.outcome is SendOutcome.ACCEPTED for answer in answers)
        return accepted

    send(messages[:_WARM_UP])

    def work() -> Report:
        used, started = cpu_seconds(), time.time()
        accepted = send(messages[_WARM_UP:])
        return Report(started=started, ended=time.time(), cpu_seconds=cpu_seconds() - used, accepted=accepted)

    return work


def _messages(route: Route, total: int, first: int) -> list[Message]:
    ids = new_ids(total, now=datetime.now(UTC), entropy=os.urandom(total * ENTROPY))
    messages: list[Message] = []
    for serial, name in enumerate(ids, start=first):
        address, top, text = expected_of("channel", serial, first + total, route.way)
        if route.way.stand_in == "apns":
            messages.append(PushMessage(id=name, token=address, platform=Platform.IOS, title=top, body=text))
        else:
            messages.append(EmailMessage(id=name, to=address, subject=top, text=text))
    return messages


if __name__ == "__main__":
    work_for(Job, prepare)
