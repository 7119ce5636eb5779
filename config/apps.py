"""Django's view of the composition root: it holds the commands that concern the whole program."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Commands, logging, metrics and health of the whole program."""

    name = "config"

    def ready(self) -> None:
        """Make the Celery app the one that tasks and publishers of this process use."""
        from config import celery  # noqa: F401 - settings must be complete first
