"""The app."""

from __future__ import annotations

from django.apps import AppConfig


class NaiveConfig(AppConfig):
    """Its tables are called `naive_…`."""

    name = "tests.bench.naive"
    label = "naive"
