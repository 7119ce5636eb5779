"""The Celery tasks of campaigns: each names a verb, and says what comes after it."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from campaigns import fan_out, freeze, import_people, launch, queue, watch
from campaigns.vocabulary import CampaignStep


@shared_task(name=CampaignStep.LAUNCH.value)
def launch_due() -> None:
    """Launch what is due, and call workers to runs that have something to do."""
    launch.launch(timezone.now())


@shared_task(name=CampaignStep.FREEZE.value)
def freeze_run(run_id: str) -> None:
    """Read a run's audience."""
    with bound_contextvars(run=run_id):
        freeze.freeze(UUID(run_id))


@shared_task(name=CampaignStep.FAN_OUT.value)
def fan_out_run(run_id: str) -> None:
    """Tell slices of a run."""
    with bound_contextvars(run=run_id):
        for _ in fan_out.fan_out(UUID(run_id)):
            pass


@shared_task(name=CampaignStep.WATCH.value)
def watch_runs() -> None:
    """Count, judge and end runs."""
    watch.watch(timezone.now())


@shared_task(name=CampaignStep.IMPORT_PEOPLE.value)
def import_rows() -> None:
    """Write pages of uploaded files, and come back while there are more."""
    if import_people.work():
        queue.call_importer()
