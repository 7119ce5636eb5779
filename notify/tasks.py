"""The pipeline's Celery tasks: each names a verb, and says what comes after it."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from channels import redis_state
from notify import accept, confirm, digest, dispatch, govern, plan, queue, receive, render, sweep
from notify.render import RenderedPage
from notify.vocabulary import PageRef, Step


@shared_task(name=Step.PLAN.value)
def plan_page(page_id: str) -> None:
    """Plan a page, and render at once what was planned: the facts are at hand."""
    with bound_contextvars(page=page_id, trace_id=""):
        for planned in plan.plan_page(UUID(page_id)):
            _onward(render.render_claimed(planned.page, planned.known))


@shared_task(name=Step.RENDER.value)
def render_page(page_id: str) -> None:
    """Render a page that waited: retried, deferred, or found again by the sweeper."""
    with bound_contextvars(page=page_id, trace_id=""):
        _onward(render.render_page(UUID(page_id)))


@shared_task(name=Step.DISPATCH.value)
def dispatch_page(page_id: str, sealed: str) -> None:
    """Send a page, then plan the fallback channels of what failed."""
    with bound_contextvars(page=page_id, trace_id=""):
        queue.enqueue(Step.PLAN, dispatch.dispatch_page(UUID(page_id), sealed))


@shared_task(name=Step.RECEIVE.value)
def receive_receipts() -> None:
    """Apply what providers have told."""
    receive.receive()


@shared_task(name=Step.SWEEP.value)
def sweep_pages() -> None:
    """Publish what is due or stuck."""
    sweep.sweep()


@shared_task(name=Step.COLLECT_DUE.value)
def collect_due() -> None:
    """Take up deliveries whose waiting is over, and people who are to confirm what they asked for."""
    sweep.collect_due()
    confirm.ask_people(accept.accept)


@shared_task(name=Step.DIGEST.value)
def make_digests() -> None:
    """Tell in one what was gathered for a person."""
    digest.make_digests()


@shared_task(name=Step.MAINTAIN.value)
def maintain() -> None:
    """Partitions, retention, forgotten rows."""
    sweep.maintain()


@shared_task(name=Step.HEARTBEAT.value)
def heartbeat(pool: str) -> None:
    """Say that this pool takes work: readiness is progress, not a process."""
    redis_state.beat(pool)


@shared_task(name=Step.WATCH_LOAD.value)
def watch_load() -> None:
    """Spare the system while too much waits or fails."""
    govern.watch_load(timezone.now())


def _onward(rendered: RenderedPage | None) -> None:
    """Urgent pages are sent in this process; others wait in the queue of their channel and priority."""
    if rendered is None:
        return
    page = rendered.page
    if page.priority.is_urgent:
        queue.enqueue(Step.PLAN, dispatch.dispatch_claimed(page, rendered.ready))
    else:
        ref = PageRef(page_id=page.page_id, priority=page.priority, channel=page.channel)
        queue.enqueue(Step.DISPATCH, [ref], render.hand_on(rendered))
