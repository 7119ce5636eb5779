"""The pipeline's Celery tasks: each names a verb, and says what comes after it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from celery import shared_task
from structlog.contextvars import bound_contextvars

from channels import redis_state
from notify import dispatch, plan, queue, render, sweep
from notify.vocabulary import PageRef, Step


@shared_task(name=Step.PLAN.value)
def plan_page(page_id: str) -> None:
    """Plan a page, then render its deliveries."""
    with bound_contextvars(page=page_id, trace_id=""):
        _onward_to_render(plan.plan_page(UUID(page_id)))


@shared_task(name=Step.RENDER.value)
def render_page(page_id: str) -> None:
    """Render a page, then dispatch it."""
    with bound_contextvars(page=page_id, trace_id=""):
        rendered = render.render_page(UUID(page_id))
        if rendered is None:
            return
        if rendered.page.priority.is_urgent:
            dispatch_page(page_id, rendered.sealed)
        else:
            queue.enqueue(Step.DISPATCH, [rendered.page], rendered.sealed)


@shared_task(name=Step.DISPATCH.value)
def dispatch_page(page_id: str, sealed: str) -> None:
    """Send a page, then plan the fallback channels of what failed."""
    with bound_contextvars(page=page_id, trace_id=""):
        queue.enqueue(Step.PLAN, dispatch.dispatch_page(UUID(page_id), sealed))


@shared_task(name=Step.SWEEP.value)
def sweep_pages() -> None:
    """Publish what is due or stuck."""
    sweep.sweep()


@shared_task(name=Step.COLLECT_DUE.value)
def collect_due() -> None:
    """Take up deliveries whose waiting is over."""
    sweep.collect_due()


@shared_task(name=Step.MAINTAIN.value)
def maintain() -> None:
    """Partitions, retention, forgotten rows."""
    sweep.maintain()


@shared_task(name=Step.HEARTBEAT.value)
def heartbeat(pool: str) -> None:
    """Say that this pool takes work: readiness is progress, not a process."""
    redis_state.beat(pool)


def _onward_to_render(pages: Sequence[PageRef]) -> None:
    """Urgent pages go on in this process; others wait in the queue of their priority."""
    for page in pages:
        if page.priority.is_urgent:
            render_page(str(page.page_id))
        else:
            queue.enqueue(Step.RENDER, [page])
