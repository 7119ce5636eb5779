"""(g): what stands before every adapter, measured with one that does nothing: order, breaker, limiter, scores, log.

The page is handed to `channels.send` as dispatch hands it over, with an account that has a rate, on the product's own
Redis; what the idle adapter takes itself is taken off.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import msgspec

from channels.provider import Capabilities
from channels.rules.accounts import Account
from channels.vocabulary import Channel, Platform, PushMessage, SendOutcome, SendResult
from notify.rules.ids import ENTROPY, new_ids
from tests.bench.companion import Companion, work_for
from tests.bench.processes import Meter
from tests.bench.results import GateResult
from tests.bench.stack import Stack

_PAGE = 500
#: Pages before the clock runs: connections are opened, scripts loaded.
_WARM_UP = 5
_PATIENCE = 60.0
#: Its adapter is never asked: an idle one stands in its place.
_ACCOUNT = """
[[provider]]
name = "bench-gate"
adapter = "sandbox"
channel = "push"
rate_per_second = 1000000
"""


class Job(msgspec.Struct, kw_only=True):
    """How many pages."""

    pages: int


class Report(msgspec.Struct, kw_only=True):
    """Seconds on the clock and of CPU, of all pages together."""

    pages: int
    seconds: float
    cpu_seconds: float


class Idle:
    """An adapter that accepts everything at once, and knows how long that took it."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.PUSH}), platforms=frozenset({Platform.ANDROID})
    )

    def __init__(self, account: Account) -> None:
        self._name = account.name
        self.seconds = self.cpu_seconds = 0.0

    def send_many(self, messages: Sequence[PushMessage], *, deadline: float) -> list[SendResult]:
        """All accepted."""
        del deadline
        began, used, now = time.perf_counter(), time.process_time(), time.time()
        answers = [
            SendResult(id=one.id, outcome=SendOutcome.ACCEPTED, provider=self._name, started_at=now, latency_ms=1.0)
            for one in messages
        ]
        self.seconds += time.perf_counter() - began
        self.cpu_seconds += time.process_time() - used
        return answers

    def close(self) -> None:
        """Nothing is open."""


def measure_gate(stack: Stack, pages: int) -> GateResult:
    """So many pages of 500 through the gate, one after another, in a process of the product's environment."""
    providers = Path(stack.environment["CARILLON_PROVIDERS_FILE"]).with_name("gate.toml")
    providers.write_text(_ACCOUNT, encoding="utf-8")
    environment = stack.environment | {"CARILLON_PROVIDERS_FILE": str(providers)}
    with (
        Companion("tests.bench.gate", Job(pages=pages), Report, environment) as sender,
        Meter(stack.roots() | {"sender": sender.pid}) as meter,
    ):
        sender.start()
        report = sender.finish()
    redis = meter.costs["valkey"].cpu_seconds
    return GateResult(
        page=_PAGE,
        pages=report.pages,
        us_per_page=report.seconds / report.pages * 1e6,
        cpu_us_per_page=report.cpu_seconds / report.pages * 1e6,
        redis_cpu_us_per_page=redis / report.pages * 1e6,
        us_per_message=report.seconds / report.pages / _PAGE * 1e6,
        strangers=meter.strangers,
    )


def prepare(job: Job) -> Callable[[], Report]:
    """Build the page and send some; the answer sends the rest."""
    sys.__stdout__ = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the log goes there as long as this process lives
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from channels import conf, registry
    from channels.send import send_page

    account = next(one for one in conf.accounts() if one.channel is Channel.PUSH)
    registry.adapter_of(account)  # builds it
    idle, page = Idle(account), _page()
    registry._workshop.built[account.name].adapter = idle
    send = Sender(lambda: send_page(Channel.PUSH, page, deadline=time.monotonic() + _PATIENCE), idle)
    send.pages(_WARM_UP)
    return lambda: send.pages(job.pages)


class Sender:
    """Sends the same page again and again, to the idle adapter alone."""

    def __init__(self, send: Callable[[], list[SendResult]], idle: Idle) -> None:
        self._send, self._idle = send, idle

    def pages(self, count: int) -> Report:
        """What the gate took for so many."""
        idle = self._idle
        idle.seconds = idle.cpu_seconds = 0.0
        began, used = time.perf_counter(), time.process_time()
        for _ in range(count):
            answers = self._send()
            assert all(answer.outcome is SendOutcome.ACCEPTED for answer in answers), "the gate held something back"
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
        return Report(pages=count, seconds=seconds - idle.seconds, cpu_seconds=cpu_seconds - idle.cpu_seconds)


def _page() -> list[PushMessage]:
    names = new_ids(_PAGE, now=datetime.now(UTC), entropy=os.urandom(_PAGE * ENTROPY))
    return [
        PushMessage(id=name, token=f"token-{name}", platform=Platform.ANDROID, title="t", body="b") for name in names
    ]


if __name__ == "__main__":
    work_for(Job, prepare)
