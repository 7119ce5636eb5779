"""`manage.py write_docs`: the pages of docs/ that are written from the code."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.reference import write_pages


class Command(BaseCommand):
    help = "Write docs/settings.md, docs/openapi.json and the tables of docs/capacity.md from the code."

    def handle(self, *_args: Any, **_options: Any) -> None:
        changed = write_pages(settings.BASE_DIR / "docs")
        self.stdout.write("\n".join(str(file) for file in changed) or "Nothing has changed.")
