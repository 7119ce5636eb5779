"""The readers of campaigns: `python -m tests.bench.readers_fill FIRST END` in the product's environment.

People go through the store's own page; devices and preferences, which the API takes one a call, by COPY beside them,
sealed as the store seals them. Two processes side by side: a million take a minute or two of two cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
import orjson
from django.db import connection, transaction

from channels.rules.addresses import token_hint
from preferences import store
from preferences.store import contacts
from preferences.vocabulary import Profile, RecipientRef
from tests.bench.readers import attributes_of, preferences_of, reader

_PER_TRANSACTION = 2_000
_PROCESSES = 2
_DEVICES = """COPY preferences_device (recipient_id, device_id, platform, sealed, index, hint, app_version, active,
    inactive_reason, registered_at, last_seen_at) FROM STDIN"""
_SAID = "COPY preferences_preference (recipient_id, document, version, updated_at) FROM STDIN"


def fill(first: int, end: int) -> None:
    """Create everybody from `first` up to `end`, who are not there yet."""
    for start in range(first, end, _PER_TRANSACTION):
        numbers = {reader(number).user_id: number for number in range(start, min(start + _PER_TRANSACTION, end))}
        with transaction.atomic():
            store.upsert({user_id: _profile(number) for user_id, number in numbers.items()})
            known = store.resolve([*numbers])
            now = datetime.now(UTC)
            with connection.cursor() as cursor:
                with cursor.copy(_DEVICES) as copy:
                    for user_id, ref in known.items():
                        copy.write_row(_device(ref, numbers[user_id], now))
                with cursor.copy(_SAID) as copy:
                    for user_id, ref in known.items():
                        said = orjson.dumps(preferences_of(numbers[user_id])).decode()
                        copy.write_row((ref.id, said, 1, now))


def _profile(number: int) -> Profile:
    one = reader(number)
    return Profile(
        email=one.email or None,
        phone=None,
        locale=one.locale,
        timezone="Europe/Madrid",
        country_code="ES",
        attributes=orjson.dumps(attributes_of(number)).decode(),
    )


def _device(ref: RecipientRef, number: int, now: datetime) -> tuple[object, ...]:
    token = reader(number).token
    index = store.index_of_token(token)
    address = contacts.seal_token(token, index, token_hint(token), store.data_key(ref.wrapped_key, ref.id))
    return (ref.id, "phone", "android", address.sealed, address.index, address.hint, "9.1.0", True, "", now, now)


def fill_side_by_side(first: int, end: int) -> None:
    """The same in several processes; ends with the first failure."""
    cuts = [first + (end - first) * part // _PROCESSES for part in range(_PROCESSES + 1)]
    words = [sys.executable, "-m", "tests.bench.readers_fill", "part"]
    parts = [subprocess.Popen([*words, str(low), str(high)]) for low, high in pairwise(cuts)]
    if any(part.wait() for part in parts):
        raise SystemExit("bench: the readers could not be filled in")


def tidy() -> None:
    """What autovacuum would do in its own time, before anything is measured."""
    tables = ("recipient", "contact_point", "device", "preference")
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"VACUUM (ANALYZE) preferences_{table}")


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "part":
        fill(int(sys.argv[2]), int(sys.argv[3]))
    else:
        fill_side_by_side(int(sys.argv[1]), int(sys.argv[2]))
        tidy()
