"""The broker as an onlooker sees it: is it there, and how long are its queues."""

from __future__ import annotations

from typing import Any

from celery import current_app
from kombu import Connection
from kombu.exceptions import KombuError, OperationalError

from celeryconfig import queue_names

#: Seconds an onlooker waits: a health check has to answer while the broker does not.
_PATIENCE = 1


class BrokerAwayError(Exception):
    """The broker does not answer; the message names the kind of error."""


def check_broker() -> None:
    """Raises `BrokerAwayError` unless a connection can be opened now."""
    try:
        with _connection() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=_PATIENCE)
    except (KombuError, OperationalError, OSError) as error:
        raise BrokerAwayError(type(error).__name__) from None


def queue_depths() -> dict[str, int]:
    """Messages ready in each queue; a queue nobody has declared yet is empty."""
    try:
        with _connection() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=_PATIENCE)
            return _depths(connection)
    except (KombuError, OperationalError, OSError) as error:
        raise BrokerAwayError(type(error).__name__) from None


def _connection() -> Connection:
    return current_app.connection_for_read(connect_timeout=_PATIENCE)


def _depths(connection: Connection) -> dict[str, int]:
    """A passive look at each. RabbitMQ closes the channel on one that is missing: the next look opens another."""
    depths = dict.fromkeys(queue_names(), 0)
    channel: Any = connection.channel()
    for queue in depths:
        try:
            depths[queue] = int(channel.queue_declare(queue=queue, passive=True).message_count)
        except connection.channel_errors:
            channel = connection.channel()
    return depths
