"""`manage.py create_api_key NAME --scopes send,users …`: the one moment at which a key is shown."""

from __future__ import annotations

import os
from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from notify import conf
from notify.rules.credentials import KEY_ENTROPY, new_key, secret_hash
from notify.store.keys import NewKey, add_key
from notify.vocabulary import Scope, Tier


class Command(BaseCommand):
    help = "Make an API key for an application (made too, if it is new) and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name of the application")
        parser.add_argument("--scopes", default="", help=f"comma-separated, of {', '.join(Scope)}")
        parser.add_argument("--tier", choices=[tier.value for tier in Tier], default=Tier.STANDARD.value)
        parser.add_argument("--test", action="store_true", help="reach the built-in sandbox only")
        parser.add_argument("--expires-in-days", type=int, default=None, metavar="DAYS")

    def handle(
        self,
        *_args: str,
        name: str,
        scopes: str,
        tier: str,
        test: bool,
        expires_in_days: int | None,
        **_options: object,
    ) -> None:
        parts = new_key(is_test=test, entropy=os.urandom(KEY_ENTROPY))
        new = NewKey(
            prefix=parts.prefix,
            secret_hash=secret_hash(parts.secret, conf.KEY_PEPPER),
            last4=parts.secret[-4:],
            scopes=_scopes(scopes),
            tier=Tier(tier),
            is_test=test,
            expires_at=None if expires_in_days is None else timezone.now() + timedelta(days=expires_in_days),
        )
        add_key(_name(name), new)
        self.stdout.write(parts.text)


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise CommandError("NAME is empty or not printable; name the application, for example: shop")
    return text.strip()


def _scopes(text: str) -> list[Scope]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in list(Scope)]
    if not words or unknown:
        wrong = f"unknown: {', '.join(unknown)}" if unknown else "none given"
        raise CommandError(f"--scopes: {wrong}. Name some of {', '.join(Scope)}, separated by commas.")
    return [Scope(word) for word in dict.fromkeys(words)]
