"""The one seam to Celery: a page's next step, published by name and bounded in time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import structlog
from celery import signature
from django.db import transaction
from kombu.exceptions import KombuError, OperationalError

from notify.policy import BROKER_REST, NUDGE_EVERY
from notify.rules.routing import queue_for
from notify.vocabulary import PageRef, Step

log = structlog.get_logger(__name__)


class _Broker:
    """What this process knows of the broker: after a failed publish it rests instead of waiting each time."""

    resting_until = 0.0
    nudged_at: dict[Step, float] = {}


def enqueue(step: Step, pages: Sequence[PageRef], sealed: str | None = None) -> None:
    """Publish a message per page once the running transaction has committed.

    The message names the page and holds no personal data in clear (`sealed` is rendered content under our key).
    A failure is logged and forgotten: the sweeper finds the rows.
    """
    transaction.on_commit(partial(_publish_all, step, pages, sealed))


def publish(task: str, args: Sequence[str], queue: str, *, life: timedelta | None = None) -> None:
    """Name a task of an app above us to a queue, once the running transaction has committed.

    A message that waited longer than `life` is dropped: whoever says it again and again needs no second one.
    """
    transaction.on_commit(partial(_publish_task, task, list(args), queue, life))


def _publish_task(task: str, args: list[str], queue: str, life: timedelta | None) -> None:
    if time.monotonic() >= _Broker.resting_until:
        _send(task, args, queue, expires=life.total_seconds() if life is not None else None)


def nudge(step: Step) -> None:
    """Say after the commit that rows wait for a step that takes them itself; as seldom as it does any good."""
    transaction.on_commit(partial(_nudge, step))


def _nudge(step: Step) -> None:
    now = time.monotonic()
    if now < max(_Broker.resting_until, _Broker.nudged_at.get(step, -1e9) + NUDGE_EVERY.total_seconds()):
        return
    _Broker.nudged_at[step] = now
    _send(step.value, [], queue_for(step))


def _publish_all(step: Step, pages: Sequence[PageRef], sealed: str | None) -> None:
    for page in pages:
        if time.monotonic() < _Broker.resting_until:
            return
        _publish(step, page, sealed)


def _publish(step: Step, page: PageRef, sealed: str | None) -> None:
    args = [str(page.page_id)] if sealed is None else [str(page.page_id), sealed]
    _send(step.value, args, queue_for(step, page.priority, page.channel))


def _send(task: str, args: list[str], queue: str, expires: float | None = None) -> None:
    try:
        told = signature(task, args=args)
        told.apply_async(queue=queue) if expires is None else told.apply_async(queue=queue, expires=expires)
    except (OperationalError, KombuError, OSError, ValueError) as error:
        _Broker.resting_until = time.monotonic() + BROKER_REST.total_seconds()
        log.warning("broker.away", step=task, error=type(error).__name__)
