"""The one seam to Celery: a page's next step, published by name and bounded in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import structlog
from celery import signature
from django.db import transaction
from kombu.exceptions import KombuError, OperationalError

from notify.policy import BROKER_REST
from notify.rules.routing import queue_for
from notify.vocabulary import PageRef, Step

log = structlog.get_logger(__name__)


class _Broker:
    """What this process knows of the broker: after a failed publish it rests instead of waiting each time."""

    resting_until = 0.0


def enqueue(step: Step, pages: Sequence[PageRef], sealed: str | None = None) -> None:
    """Publish a message per page once the running transaction has committed.

    The message names the page and holds no personal data in clear (`sealed` is rendered content under our key).
    A failure is logged and forgotten: the sweeper finds the rows.
    """
    transaction.on_commit(partial(_publish_all, step, pages, sealed))


def _publish_all(step: Step, pages: Sequence[PageRef], sealed: str | None) -> None:
    for page in pages:
        if time.monotonic() < _Broker.resting_until:
            return
        _publish(step, page, sealed)


def _publish(step: Step, page: PageRef, sealed: str | None) -> None:
    args = [str(page.page_id)] if sealed is None else [str(page.page_id), sealed]
    try:
        signature(step.value, args=args).apply_async(queue=queue_for(step, page.priority, page.channel))
    except (OperationalError, KombuError, OSError, ValueError) as error:
        _Broker.resting_until = time.monotonic() + BROKER_REST.total_seconds()
        log.warning("broker.away", step=step.value, error=type(error).__name__)
