"""A device for everybody: `python -m tests.bench.devices CROWD NUMBER` in the product's environment.

The API registers one device a call; a hundred thousand go through the store's own function, a thousand to a
transaction.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
from django.db import connection, transaction

from channels.rules.addresses import token_hint
from channels.vocabulary import Platform
from preferences.store import contacts, data_key, devices, index_of_token, resolve
from preferences.vocabulary import RecipientRef
from tests.bench.workload import Crowd, Person, person

_PER_TRANSACTION = 1_000


def give_devices(crowd: Crowd, population: int) -> None:
    """Register everybody's device."""
    for start in range(0, population, _PER_TRANSACTION):
        people = [person(number, crowd) for number in range(start, min(start + _PER_TRANSACTION, population))]
        known = resolve([one.user_id for one in people])
        with transaction.atomic():
            connection.ensure_connection()
            with connection.connection.pipeline():
                for one in people:
                    _give_device(known[one.user_id], one)


def _give_device(ref: RecipientRef, one: Person) -> None:
    index = index_of_token(one.token)
    address = contacts.seal_token(one.token, index, token_hint(one.token), data_key(ref.wrapped_key, ref.id))
    devices.put_device(ref.id, "phone", Platform(one.platform), address, "9.1.0", now=datetime.now(UTC))


if __name__ == "__main__":
    django.setup()
    give_devices(Crowd(sys.argv[1]), int(sys.argv[2]))
