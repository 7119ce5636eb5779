"""`manage.py declare_topology`: queues and dead-letter exchange, before the first worker starts."""

from typing import Any

from django.core.management.base import BaseCommand

from config.celery import declare_topology


class Command(BaseCommand):
    """Declare the broker's queues."""

    help = "Declares every queue of celeryconfig.POOLS (on RabbitMQ as quorum queues with a dead-letter exchange)."

    def handle(self, *_: Any, **__: Any) -> None:
        for name in declare_topology():
            self.stdout.write(name)
