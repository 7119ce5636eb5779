"""`manage.py import_people people.csv`: a file of people, streamed, with a report of what was refused."""

from __future__ import annotations

import csv
import getpass
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.errors import WrongFile
from campaigns.import_file import Tally, import_file
from campaigns.import_page import report
from campaigns.rules.csv_report import HEADER, report_line
from campaigns.store.imports import NewImport
from campaigns.vocabulary import ImportMode

#: What a shell expects of a program that was interrupted.
_INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Import people from a CSV in UTF-8 whose first line names the columns: user_id, and email, phone, locale,"
        " timezone, country_code, attributes.<name>. Broken off it leaves whole pages, and may be run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--dry-run", action="store_true", help="look and report, write nothing")
        parser.add_argument(
            "--mode",
            choices=[mode.value for mode in ImportMode],
            default=ImportMode.REPLACE.value,
            help="what an empty cell means: unknown (replace), or as it is (merge)",
        )
        parser.add_argument("--topic", default="", metavar="KEY", help="subscribe everybody to this topic")
        parser.add_argument("--report", type=Path, metavar="CSV", help="where to write the refused rows")

    def handle(
        self, *_args: Any, file: Path, dry_run: bool, mode: str, topic: str, report: Path | None, **_options: Any
    ) -> None:
        wanted = NewImport(
            file_name=file.name,
            mode=ImportMode(mode),
            dry_run=dry_run,
            topic_key=topic,
            created_by=f"{getpass.getuser()} (command)",
        )
        started = time.monotonic()
        try:
            tally = self._import(file, wanted)
        except (WrongFile, OSError) as fault:
            detail = fault.detail if isinstance(fault, WrongFile) else fault.strerror
            raise CommandError(f"{file}: {detail}") from fault
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. What was written stays, by whole pages; run it again to write the rest.",
                returncode=_INTERRUPTED,
            ) from None
        self._say(tally, time.monotonic() - started, dry_run=dry_run)
        if report is not None:
            self._report(report, tally)

    def _import(self, file: Path, wanted: NewImport) -> Tally:
        """With a bar where somebody watches."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), disable=not self.stderr.isatty()) as progress:
            bar = progress.add_task(file.name, total=file.stat().st_size)

            def tell(tally: Tally) -> None:
                words = f"{tally.created + tally.updated:,} people, {tally.refused:,} refused"
                progress.update(bar, completed=tally.offset, description=words)

            return import_file(file, wanted, tell)

    def _say(self, tally: Tally, seconds: float, *, dry_run: bool) -> None:
        rows = tally.created + tally.updated + tally.refused
        would = "would be " if dry_run else ""
        self.stdout.write(
            f"{tally.created:,} people {would}created, {tally.updated:,} {would}updated, {tally.refused:,} rows refused"
            f" in {seconds:.1f} s ({rows / max(seconds, 0.001):,.0f} rows/s)."
        )
        if tally.noted:
            self.stdout.write(f"Of {tally.noted:,} rows that were written the report has something to say.")

    def _report(self, path: Path, tally: Tally) -> None:
        with path.open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, quoting=csv.QUOTE_ALL)
            writer.writerow(HEADER)
            writer.writerows(map(report_line, report(tally.import_id)))
        self.stdout.write(f"The report is in {path}.")
