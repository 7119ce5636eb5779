"""`manage.py export_consents`: the consent ledger for an auditor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from preferences import audit


class Command(BaseCommand):
    help = "Write the consent ledger as CSV, oldest entry first: addresses as hashes and hints, never in clear."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="where to write it")

    def handle(self, *_args: Any, file: Path, **_options: Any) -> None:
        with file.open("w", encoding="utf-8", newline="") as target:
            count = audit.write_ledger(target)
        self.stdout.write(f"{count} entries written to {file}.")
