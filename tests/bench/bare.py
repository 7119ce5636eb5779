"""(a) The transport alone: the bytes the product sends, to the same stand-in, without a pipeline around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from os import urandom
from pathlib import Path

import msgspec
import orjson

from channels.conf import Secret
from channels.oauth import AccessTokens
from channels.providers.push.fcm import _SCOPE
from channels.rules.fcm import Look, body_of
from channels.transport import Fate, Request, Transport
from channels.vocabulary import Platform, PushMessage
from notify.rules.ids import ENTROPY, new_ids
from tests.bench.companion import Companion, cpu_seconds, work_for
from tests.bench.lab import Lab
from tests.bench.processes import Meter
from tests.bench.results import BareResult
from tests.bench.workload import expected_of

#: Messages handed over at once, as the product does.
_PAGE = 500
#: Seconds in which a page must have been sent.
_PATIENCE = 60.0


class Job(msgspec.Struct, kw_only=True):
    """How much to send, and where."""

    send_url: str
    ca_file: str
    service_account_file: str
    total: int
    first: int


class Report(msgspec.Struct, kw_only=True):
    """What came of it; instants are epoch seconds."""

    started: float
    ended: float
    cpu_seconds: float
    accepted: int


def measure_bare(lab: Lab, total: int, processes: int) -> BareResult:
    """Send `total` messages from so many processes side by side."""
    lab.reset()
    share = total // processes
    with ExitStack() as stack:
        senders = [
            stack.enter_context(Companion("tests.bench.bare", _job(lab, share, number * share), Report))
            for number in range(processes)
        ]
        with Meter({"stand-in": lab.pid}) as meter:
            for sender in senders:
                sender.start()
            reports = [sender.finish() for sender in senders]
    seconds = max(report.ended for report in reports) - min(report.started for report in reports)
    sent = share * processes
    assert sum(report.accepted for report in reports) == lab.accepted() == sent, "the stand-in refused messages"
    return BareResult(
        processes=processes,
        notifications=sent,
        per_second=sent / seconds,
        cpu_us=sum(report.cpu_seconds for report in reports) / sent * 1e6,
        strangers=meter.strangers,
    )


def prepare(job: Job) -> Callable[[], Report]:
    """Encode everything and open the connection; the answer sends."""
    bodies = _bodies(job)
    account = Secret(Path(job.service_account_file).read_text(encoding="utf-8"))
    token = AccessTokens(account, scopes=[_SCOPE], ca_file=job.ca_file).token()
    headers = ("Content-Type: application/json", f"Authorization: Bearer {token}")
    transport = Transport(job.send_url, ca_file=job.ca_file)

    def work() -> Report:
        before, started, accepted = cpu_seconds(), time.time(), 0
        for at in range(0, len(bodies), _PAGE):
            requests = [Request(body) for body in bodies[at : at + _PAGE]]
            answers = transport.send_all(requests, headers=headers, deadline=time.monotonic() + _PATIENCE)
            accepted += sum(answer.fate is Fate.ANSWERED and answer.status == 200 for answer in answers)
        ended, used = time.time(), cpu_seconds() - before
        return Report(started=started, ended=ended, cpu_seconds=used, accepted=accepted)

    return work


def _bodies(job: Job) -> list[bytes]:
    ids = new_ids(job.total, now=datetime.now(UTC), entropy=urandom(job.total * ENTROPY))
    messages = []
    for serial, name in enumerate(ids, start=job.first):
        token, title, body = expected_of("bare", serial, serial + 1)
        messages.append(PushMessage(id=name, token=token, platform=Platform.ANDROID, title=title, body=body))
    return [orjson.dumps({"message": body_of(message, look=Look(), now=time.time())}) for message in messages]


def _job(lab: Lab, total: int, first: int) -> Job:
    return Job(
        send_url=lab.send_url,
        ca_file=lab.ca_file,
        service_account_file=lab.fcm["service_account_file"],
        total=total,
        first=first,
    )


if __name__ == "__main__":
    work_for(Job, prepare)
