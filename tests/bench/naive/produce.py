"""Its callers: a companion that makes the tables and the people, then asks for one task per notification."""

# mypy: ignore-errors
# Another Django project: the plugin of the type checker knows one settings module.

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Event

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.bench.naive.settings")

import django

django.setup()  # before anything that imports models

# ruff: noqa: E402
from django.db import connection

from tests.bench.companion import work_for
from tests.bench.naive.app import app
from tests.bench.naive.jobs import WARM_UP, Job, Report
from tests.bench.naive.models import Notification, Person, Wording
from tests.bench.naive.tasks import send_push
from tests.bench.workload import BULK_TYPE, WORDINGS, person, variables_of

#: Seconds in which all must have been sent.
_PATIENCE = 180.0


def prepare(job: Job) -> Callable[[], Report]:
    """Make everything; the answer asks for the tasks."""
    _make_tables()
    people = range(max(job.total, WARM_UP))
    Person.objects.bulk_create(
        Person(user_id=one.user_id, locale=one.locale, token=one.token) for one in map(person, people)
    )
    Wording.objects.bulk_create(
        Wording(kind=BULK_TYPE, language=language, **wording) for language, wording in WORDINGS.items()
    )
    app.set_current()
    _ask(f"{job.run}warm", WARM_UP)
    _wait_for(WARM_UP)

    def work() -> Report:
        started = time.time()
        _ask(job.run, job.total)
        asked = time.time()
        _wait_for(WARM_UP + job.total)
        return Report(started=started, asked=asked, ended=time.time())

    return work


def _ask(run: str, total: int) -> None:
    for serial in range(total):
        send_push.delay(person(serial).user_id, BULK_TYPE, variables_of(run, serial))


def _wait_for(total: int) -> None:
    """Wait until so many are on record as sent."""
    pause, end = Event(), time.monotonic() + _PATIENCE
    while Notification.objects.filter(status="sent").count() < total:
        if time.monotonic() > end:
            raise SystemExit(f"bench: the naive app did not send {total} within {_PATIENCE:.0f} s")
        pause.wait(0.1)


def _make_tables() -> None:
    """Fresh ones for every run."""
    with connection.schema_editor() as editor:
        present = connection.introspection.table_names()
        for model in (Notification, Wording, Person):
            if model._meta.db_table in present:
                editor.delete_model(model)
        for model in (Person, Wording, Notification):
            editor.create_model(model)


if __name__ == "__main__":
    work_for(Job, prepare)
