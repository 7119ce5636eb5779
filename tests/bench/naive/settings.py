"""Django's settings as `startproject` leaves them, as far as a worker needs them."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

_url = urlsplit(os.environ["NAIVE_DATABASE_URL"])

KEPT = os.environ.get("NAIVE_KEPT") == "1"
SECRET_KEY = "naive"
USE_TZ = True
INSTALLED_APPS = ["tests.bench.naive.apps.NaiveConfig"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path.lstrip("/"),
        "USER": _url.username,
        "PASSWORD": _url.password,
        "HOST": _url.hostname,
        "PORT": _url.port,
        # Left alone, Django and Celery open a connection for every task; the bench also measures them kept.
        "CONN_MAX_AGE": None if KEPT else 0,
    }
}
CELERY_BROKER_URL = os.environ["NAIVE_BROKER_URL"]
FCM_SEND_URL = os.environ["NAIVE_SEND_URL"]
FCM_TOKEN = os.environ["NAIVE_TOKEN"]
#: Which certificates `requests` trusts.
FCM_CA_FILE = os.environ["NAIVE_CA_FILE"]
