"""`manage.py demo`: the main job on sample people, from nothing to the table of what became of each."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.demo.command import run
from config.embedded.home import Home


class Command(BaseCommand):
    help = "Start everything, send to sample people on every channel through stand-ins, and say what became of each."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--stay",
            action=BooleanOptionalAction,
            default=None,
            help="stay up afterwards until Ctrl-C (the default on a terminal)",
        )

    def handle(self, *_args: Any, stay: bool | None, **_options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo makes sample people and an administrator: not with CARILLON_ENV=production.")
        raise SystemExit(run(Home(settings.HOME), stay=stay))
