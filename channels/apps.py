"""Django's name for this app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    """How a message leaves: providers and their accounts."""

    name = "channels"
    verbose_name = "Channels"

    def ready(self) -> None:
        """Register the checks that hold the providers file against the adapters."""
        import_module("channels.checks")
