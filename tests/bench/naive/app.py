"""Its Celery app: `celery -A tests.bench.naive.app worker -c 2`."""

# mypy: ignore-errors
# Another Django project: the plugin of the type checker knows one settings module.

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.bench.naive.settings")

app = Celery("naive")
app.config_from_object("django.conf:settings", namespace="CELERY")
if settings.KEPT:
    app.conf.CELERY_DB_REUSE_MAX = 1_000_000
app.autodiscover_tasks()
