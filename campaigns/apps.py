"""Django's view of this app."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """Many recipients, on a schedule. Importing its tasks here registers them, so that steps can be named."""

    name = "campaigns"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the tasks."""
        from campaigns import tasks  # noqa: F401 - the app registry must be ready first
