"""`python -m tests.week --people 2000 --seed 7 --json docs/week.json`: live a week, and have it checked.

Needs `redis-server` and PostgreSQL (DATABASE_URL, else the embedded one); both are used apart from everything else.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.private_redis import PrivateRedis
from tests.week import kinds, report
from tests.week.checker import Checker
from tests.week.clock import Clock
from tests.week.gateway import Gateway

#: Europe and others set their clocks forward in the one, Australia and Chile back; in the other it is the other way
#: about, with America.
WEEKS = {"spring": "2026-03-28", "autumn": "2026-10-24"}
DAYS, TAIL_DAYS, DAY = 9, 9, 86_400.0


def main() -> int:
    """Play, check, tell; 1 where the checker found something."""
    wanted = _arguments()
    began = time.monotonic()
    if wanted.check is not None:
        record = json.loads(wanted.check.read_text())
    else:
        with tempfile.TemporaryDirectory(prefix="week-") as name:
            record = _play(wanted, Path(name))
        record["lived"] = {name: getattr(wanted, name) for name in ("season", "seed", "pace")}
        record["lived"]["wall_seconds"] = round(time.monotonic() - began, 1)
    if wanted.keep is not None:
        wanted.keep.write_text(json.dumps(record))
    found = _checked(record)
    _tell(found, wanted)
    return 1 if found["violations"] else 0


def _checked(record: dict[str, Any]) -> dict[str, Any]:
    checker = Checker(record)
    violations = checker.check()
    return {
        "violations": violations,
        "checks": dict(sorted(checker.checks.items())),
        "figures": checker.figures(),
        **record["lived"],
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.week", description=__doc__)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=1.0, help="how much happens to each of them")
    parser.add_argument("--season", choices=sorted(WEEKS), default="spring")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--write", type=Path, help="the document whose figures are renewed")
    parser.add_argument("--check", type=Path, help="check what --keep wrote down, and live nothing")
    parser.add_argument("--keep", type=Path, help="where the journal and the ledger go, to look at")
    return parser.parse_args()


def _play(wanted: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The servers of this week alone, then the program on them."""
    redis = PrivateRedis(folder)
    start = datetime.fromisoformat(WEEKS[wanted.season]).replace(tzinfo=UTC).timestamp()
    clock = Clock(start - 60.0)
    chance = random.Random(wanted.seed)  # noqa: S311 - the week is to be lived again
    try:
        with Gateway(lambda: clock.at, chance, faults=0.03) as gateway:
            os.environ |= {
                "DJANGO_SETTINGS_MODULE": "config.settings_test",
                "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
                "CELERY_BROKER_URL": f"redis://127.0.0.1:{redis.port}/1",
                "CARILLON_PROVIDERS_FILE": str(gateway.declare(folder)),
                "CARILLON_CAPS": kinds.CAPS,
                "CARILLON_CAPS_SECURITY": kinds.CAPS_SECURITY,
                "CARILLON_LOG_LEVEL": "ERROR",
            }
            from tests.week.play import Span, play  # settings are read when it is imported

            span = Span(start, start + DAYS * DAY, start + (DAYS + TAIL_DAYS) * DAY)
            return play(clock, gateway, span, people=wanted.people, pace=wanted.pace, seed=wanted.seed)
    finally:
        redis.stop()


def _tell(found: dict[str, Any], wanted: argparse.Namespace) -> None:
    written = json.dumps(found, indent=2)
    if wanted.json is not None:
        wanted.json.write_text(written + "\n")
    if wanted.write is not None:
        report.write(found, wanted.write)
    print(written)


if __name__ == "__main__":
    sys.exit(main())
