"""Django's view of the composition root: it holds the commands that concern the whole program."""

from django.apps import AppConfig

from config.celery import app as celery_app

__all__ = ["ConfigConfig", "celery_app"]  # with the app loaded, `shared_task` and signatures know their broker


class ConfigConfig(AppConfig):
    """Commands, logging, metrics and health of the whole program."""

    name = "config"
