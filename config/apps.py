"""Django's view of the composition root: it holds the commands that concern the whole program."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Commands, logging, metrics and health of the whole program."""

    name = "config"
