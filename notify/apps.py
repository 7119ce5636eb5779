"""Django's view of this app."""

from django.apps import AppConfig


class NotifyConfig(AppConfig):
    """The pipeline. Importing its tasks here registers them, so that steps can be enqueued by name."""

    name = "notify"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the tasks and the start-up checks."""
        from notify import checks, tasks  # noqa: F401 - the app registry must be ready first
