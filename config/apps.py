"""Django's view of the composition root: it holds the commands that concern the whole program."""

from django.apps import AppConfig
from django.conf import settings

from config import sentry
from config import slots as slots  # noqa: PLC0414 - says where counters are kept, before any module defines one


class ConfigConfig(AppConfig):
    """Commands, logging, metrics and health of the whole program."""

    name = "config"

    def ready(self) -> None:
        """Make the Celery app the one that tasks and publishers of this process use; begin to report errors."""
        from config import celery  # noqa: F401 - settings must be complete first

        sentry.start(settings.SENTRY_DSN, release=settings.SENTRY_RELEASE)
