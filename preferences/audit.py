"""The consent ledger is shown: of one person, or all of it to an auditor."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO

import msgspec

from preferences import policy
from preferences.errors import UnknownUser
from preferences.rules.cells import safe_cell
from preferences.store import consents, recipients
from preferences.store.consents import Entry

_HEADER = (
    "id",
    "at",
    "user_id",
    "scope",
    "channel",
    "category",
    "type",
    "state",
    "means",
    "actor",
    "actor_id",
    "text_version",
    "said_at",
    "address_hash",
    "address",
    "delivery_id",
    "trace",
)


class Consents(msgspec.Struct, frozen=True):
    """Entries of one person, newest first, and their last word on each subject."""

    entries: list[Entry]
    current: list[Entry]


def read_consents(user_id: str, *, before: int | None, limit: int) -> Consents:
    """A page of a person's entries and where they stand; raises `UnknownUser`. Of an erased person there are none."""
    ref = recipients.resolve([user_id]).get(user_id)
    if ref is None:
        raise UnknownUser
    return Consents(consents.page_of(ref, before, limit), consents.current_of(ref))


def write_ledger(target: IO[str]) -> int:
    """The whole ledger as CSV, oldest first; how many entries. No cell can be taken for a formula."""
    writer = csv.writer(target)
    writer.writerow(_HEADER)
    count = 0
    for row in _all_entries():
        writer.writerow([safe_cell(value) for value in row])
        count += 1
    return count


def _all_entries() -> Iterator[tuple[object, ...]]:
    after = 0
    while rows := consents.all_entries(after, policy.LEDGER_PAGE):
        yield from rows
        after = rows[-1][0]
