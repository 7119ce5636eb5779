"""`manage.py check_progress [pool]`: the health check of a container, by progress and not by process."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from celeryconfig import POOLS
from channels import redis_state
from config.health import STALE_AFTER_SECONDS


class Command(BaseCommand):
    """Exit with 1 unless a heartbeat was answered lately."""

    help = "Fails unless the pool has run a task to its end within the last minute; without a pool: any of them."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("pool", nargs="?", choices=[pool.name for pool in POOLS])

    def handle(self, *_: Any, pool: str | None, **__: Any) -> None:
        beats = redis_state.beat_ages()
        if beats is None:
            raise CommandError("Redis does not answer")
        age = beats.get(pool) if pool else min(beats.values(), default=None)
        if age is None or age > STALE_AFTER_SECONDS:
            raise CommandError(f"{pool or 'no pool'}: last progress {'never' if age is None else f'{age:.0f} s ago'}")
        self.stdout.write(f"progress {age:.1f} s ago")
