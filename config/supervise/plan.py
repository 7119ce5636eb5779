"""Which processes make up the platform: a pure function of the pool table and a few numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

#: Seconds a worker may take to finish the pages at hand; what is cut off then comes back by its lease.
WORKER_GRACE = 25.0
#: Seconds for everything else.
GRACE = 10.0


class PoolLike(Protocol):
    """A row of the pool table in celeryconfig.py."""

    @property
    def name(self) -> str:
        """The name of the pool, one word."""

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues it serves, the most urgent first."""

    @property
    def concurrency(self) -> int:
        """Child processes by default."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process to be kept running; with `grace` seconds from the request to stop until it is forced."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    grace: float = GRACE


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the environment may change."""

    port: int = 8000
    stream_port: int = 8001
    web_workers: int = 4
    #: Child processes by pool, where they differ from the table.
    concurrency: Mapping[str, int] = field(default_factory=dict)


MIGRATE = Child("migrate", (sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"))


def children(pools: Iterable[PoolLike], sizes: Sizes) -> tuple[Child, ...]:
    """The table: web, the live streams, one worker per pool, beat."""
    workers = (_worker(pool, sizes.concurrency.get(pool.name, pool.concurrency)) for pool in pools)
    return (_web(sizes), _stream(sizes), *workers, _beat())


def _web(sizes: Sizes) -> Child:
    words = [
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--no-ws",
        "--host",
        "127.0.0.1",
        "--port",
        str(sizes.port),
    ]
    words += ["--workers", str(sizes.web_workers), "--blocking-threads", "1", "--backpressure", "128"]
    words += ["--respawn-failed-workers", "--respawn-interval", "0.2", "--workers-kill-timeout", "8"]
    web = _python("web", [*words, "--log-level", "warning", "config.wsgi:application"])
    return replace(web, environment={**web.environment, "CARILLON_STREAM_PORT": str(sizes.stream_port)})


def _stream(sizes: Sizes) -> Child:
    """One process holds thousands of listeners; each counts as a call under way, hence the backpressure."""
    words = ["-m", "granian", "--interface", "asgi", "--no-ws", "--host", "127.0.0.1"]
    words += ["--port", str(sizes.stream_port), "--workers", "1", "--backlog", "1024", "--backpressure", "8192"]
    words += ["--respawn-failed-workers", "--respawn-interval", "0.2", "--workers-kill-timeout", "3"]
    return _python("stream", [*words, "--log-level", "warning", "config.asgi:application"])


def _worker(pool: PoolLike, concurrency: int) -> Child:
    words = ["-m", "celery", "-q", "-A", "config", "worker", "-Q", ",".join(pool.queues), "-c", str(concurrency)]
    words += ["-n", f"{pool.name}@%h", "--pool", "prefork"]
    # Workers have nothing to tell each other: state is in rows.
    words += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    # SIGTERM is Celery's warm shutdown: take nothing more, finish the pages at hand, leave. Its soft shutdown
    # (REMAP_SIGTERM=SIGQUIT) sleeps its whole time-out in the signal handler however early the pages are done.
    return _python(f"worker-{pool.name}", words, grace=WORKER_GRACE)


def _beat() -> Child:
    return _python("beat", ["-m", "celery", "-q", "-A", "config", "beat"])


def _python(name: str, words: list[str], *, grace: float = GRACE) -> Child:
    # `migrate` has run Django's checks and stops at the first error; Celery would run them in every process, a quarter
    # of a second each, and throw the answers away.
    own = {"CARILLON_PROCESS": name, "PYTHONUNBUFFERED": "1", "CELERY_SKIP_CHECKS": "1"}
    return Child(name, (sys.executable, *words), own, grace)
