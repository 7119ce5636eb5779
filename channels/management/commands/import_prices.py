"""`manage.py import_prices prices.csv`: a provider's price list onto the rate card, whole or not at all."""

from __future__ import annotations

import getpass
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels import store
from channels.rules.rates import Price, read_prices

#: Wrong lines that are named; who has more of them has the wrong file.
_NAMED = 20


class Command(BaseCommand):
    help = (
        "Add a price list to the rate card: a CSV with the columns channel, provider, destination, price, valid_from. "
        "A price for the same thing and day is replaced; older ones stay, so that history stays right."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--check", action="store_true", help="read the file and write nothing")

    def handle(self, *_args: str, file: Path, check: bool, **_options: object) -> None:
        prices = _read(file)
        if not check:
            store.put_prices(prices, by=getpass.getuser())
        self.stdout.write(f"{len(prices)} prices {'are right' if check else 'are on the card'}.")


def _read(file: Path) -> list[Price]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise CommandError(f"{file}: {getattr(fault, 'strerror', None) or 'is not UTF-8'}") from fault
    prices, wrong = read_prices(text.splitlines())
    if wrong:
        named = [f"line {one.line}: {one.cure}" for one in wrong[:_NAMED]]
        more = [f"and {len(wrong) - _NAMED} more"] if len(wrong) > _NAMED else []
        raise CommandError("\n".join([f"{file}: nothing was written.", *named, *more]))
    if not prices:
        raise CommandError(f"{file}: there is no price in it.")
    # The last word on a thing and day counts, as it would if the lines came one by one.
    return list({(one.channel, one.provider, one.destination, one.valid_from): one for one in prices}.values())
