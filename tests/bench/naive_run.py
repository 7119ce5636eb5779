"""(c): runs the naive app on the product's own embedded servers, after the product has stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from channels.conf import Secret
from channels.oauth import AccessTokens
from channels.providers.push.fcm import _SCOPE
from tests.bench.companion import Companion
from tests.bench.flow import APART, grouped
from tests.bench.lab import Lab
from tests.bench.naive.jobs import Job, Report
from tests.bench.processes import Meter
from tests.bench.results import FlowResult
from tests.bench.stack import Servers

#: Neither the product's state nor its broker.
_VALKEY_NUMBER = 5


def measure_naive(servers: Servers, lab: Lab, run: str, total: int, *, kept: bool) -> FlowResult:
    """One task per notification, from the first one asked for to the last one on record as sent.

    `kept`: a second version that keeps its connections to PostgreSQL and to the provider between tasks.
    """
    environment = _environment(servers, lab) | {"NAIVE_KEPT": str(int(kept))}
    with _worker(environment) as worker:
        job = Job(run=run, total=total)
        with Companion("tests.bench.naive.produce", job, Report, environment) as producer:
            roots = servers.roots() | {"workers": worker, "producer": producer.pid, "stand-in": lab.pid}
            with Meter(roots) as meter:
                producer.start()
                report = producer.finish()
    groups = grouped(meter.costs, total)
    apart = {name: groups.pop(name) for name in APART}
    return FlowResult(
        notifications=total,
        seconds=report.ended - report.started,
        per_second=total / (report.ended - report.started),
        accept_seconds=report.asked - report.started,
        cpu_us=sum(group.cpu_us for group in groups.values()),
        groups=groups,
        apart=apart,
        strangers=meter.strangers,
    )


@contextmanager
def _worker(environment: dict[str, str]) -> Iterator[int]:
    """A worker as the documentation starts it, with two processes; its pid."""
    words = ["-m", "celery", "-A", "tests.bench.naive.app", "worker", "-c", "2", "--loglevel", "ERROR"]
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen([sys.executable, *words], env=environment, stdout=nowhere)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _environment(servers: Servers, lab: Lab) -> dict[str, str]:
    account = Secret(Path(lab.fcm["service_account_file"]).read_text(encoding="utf-8"))
    token = AccessTokens(account, scopes=[_SCOPE], ca_file=lab.ca_file).token()
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.bench.naive.settings",
        "NAIVE_DATABASE_URL": servers.database_url(),
        "NAIVE_BROKER_URL": servers.valkey_url(_VALKEY_NUMBER),
        "NAIVE_SEND_URL": lab.send_url,
        "NAIVE_CA_FILE": lab.ca_file,
        "NAIVE_TOKEN": token,
    }
