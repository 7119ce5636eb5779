"""`manage.py rotate_keys`: after a new master key was put first in CARILLON_MASTER_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from preferences import conf, policy
from preferences.rotate import Progress, rotate_keys

#: Ids named in the error; the rest is the same fault.
_SHOWN = 10


class Command(BaseCommand):
    help = (
        "Wrap every recipient's data key under the first of CARILLON_MASTER_KEYS. Start it once all processes know"
        " the new key. Harmless to repeat; resumes where it was stopped. When it ends, the old keys may go."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--page", type=int, default=policy.ROTATION_PAGE, help="keys per transaction")

    def handle(self, *_args: Any, page: int, **_options: Any) -> None:
        done = Progress(0, 0, [])
        for done in rotate_keys(conf.KEYRING, page):
            self.stdout.write(f"{done.moved} of {done.total} data keys moved")
            self.stdout.flush()
        if done.unreadable:
            ids = ", ".join(str(one) for one in done.unreadable[:_SHOWN])
            raise CommandError(
                f"{len(done.unreadable)} data keys are under no master key we have (recipients {ids} …):"
                " put the missing key back into CARILLON_MASTER_KEYS and run this again."
            )
        self.stdout.write(f"All data keys are under master key {conf.KEYRING.current_id!r}; {done.moved} were moved.")
