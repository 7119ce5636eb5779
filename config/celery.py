"""The Celery app: settings by broker, connections that survive a database restart, clean children."""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from celery import Celery
from celery.signals import celeryd_after_setup, task_postrun, task_prerun
from django.conf import settings
from django.db import close_old_connections
from kombu import Exchange, Queue

import celeryconfig
from config import precedence

#: Celery's Django fixup closes the connection around every task unless told to keep it for so many closings.
_KEEP_CONNECTION_FOR = 1000


def _is_worker() -> bool:
    """Whether this process consumes (`celery … worker`); all others publish, and must not wait on a sick broker."""
    return "worker" in sys.argv[1:]


def broker_settings(url: str, *, worker: bool) -> dict[str, Any]:
    """The profile of `reliability.md` section 1.3 for Redis or RabbitMQ."""
    rabbitmq = url.startswith(("amqp", "pyamqp"))
    profile = dict(celeryconfig.RABBITMQ if rabbitmq else celeryconfig.REDIS)
    options = dict(profile["broker_transport_options"])  # type: ignore[call-overload]  # the profiles are typed as plain data
    if not worker:
        options |= {name: value for name, value in celeryconfig.PUBLISHER_TIMEOUTS.items() if name in options}
    queues = celeryconfig.rabbitmq_queues() if rabbitmq else celeryconfig.redis_queues()
    return {
        **celeryconfig.COMMON,
        **profile,
        "broker_url": url,
        "broker_transport_options": options,
        "task_queues": queues,
    }


def beat_schedule() -> dict[str, dict[str, Any]]:
    """What beat runs; a tick nobody took within two periods is dropped."""
    return {
        name: {
            "task": tick.step.value,
            "schedule": tick.seconds,
            "args": tick.args,
            "options": {"queue": tick.queue, "expires": max(2 * tick.seconds, 10)},
        }
        for name, tick in celeryconfig.SCHEDULE.items()
    }


app = Celery("carillon")
app.config_from_object(
    {
        **broker_settings(settings.CARILLON["BROKER_URL"], worker=_is_worker()),
        "beat_schedule": beat_schedule(),
        "CELERY_DB_REUSE_MAX": _KEEP_CONNECTION_FOR,
    }
)
app.autodiscover_tasks()


def declare_topology() -> list[str]:
    """Declare every queue, and on RabbitMQ the dead-letter exchange that Celery would not; answers the names.

    Safe to repeat. Runs when a worker starts, and as `manage.py declare_topology` at deployment.
    """
    queues = list(app.conf.task_queues)
    if app.conf.broker_url.startswith(("amqp", "pyamqp")):
        exchange = Exchange(celeryconfig.DEAD_EXCHANGE, type="direct", durable=True)
        arguments = {"x-queue-type": "quorum"}
        routing_key = celeryconfig.DEAD_QUEUE
        queues.append(Queue(routing_key, exchange, routing_key=routing_key, queue_arguments=arguments))
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        for queue in queues:
            queue(channel).declare()
    return [queue.name for queue in queues]


@celeryd_after_setup.connect
def _prepare_worker(sender: str, **_: Any) -> None:
    """Declare what will be consumed, and step back behind more urgent pools; the children inherit it."""
    declare_topology()
    name = sender.partition("@")[0]
    precedence.step_back(next((pool.niceness for pool in celeryconfig.POOLS if pool.name == name), 0))


@task_prerun.connect
@task_postrun.connect
def _drop_broken_connections(**_: Any) -> None:
    """A kept connection that PostgreSQL has closed is replaced here, not discovered by the next forty tasks."""
    close_old_connections()
