"""Django's view of this app."""

from django.apps import AppConfig


class PreferencesConfig(AppConfig):
    """What recipients allow, and how they can be reached."""

    name = "preferences"
    default_auto_field = "django.db.models.BigAutoField"
