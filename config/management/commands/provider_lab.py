"""Local stand-ins of the providers: build against Carillon without accounts."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.lab.options import add_arguments, options_of
from config.lab.serving import serve


class Command(BaseCommand):
    help = "Start FCM and SMTP stand-ins on loopback, print their addresses as one JSON line, run until stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        serve(options_of(options))
