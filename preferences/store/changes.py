"""Who has changed: remembered until the commit, and told to the cache after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog
from django.db import connection, transaction

from preferences import cache

_log = structlog.get_logger(__name__)


class _Told:
    """What is to be told after the commit; lost with a rollback, as the change is."""

    def __init__(self) -> None:
        self.people: set[int] = set()
        self.indexes: set[bytes] = set()

    def __call__(self) -> None:
        people = self.people | _owners(self.indexes)
        if people and not cache.forget(sorted(people)):
            _start_anew()


def changed(people: Iterable[int]) -> None:
    """Say in the transaction that writes whose facts it changes; people who are new have none yet, and need no name.

    Every writer of this store calls it, so that what others read from the cache is as old as a commit and no older.
    """
    with _telling() as told:
        told.people.update(people)


def addresses_changed(indexes: Iterable[bytes]) -> None:
    """Say so of whoever has these addresses: after the commit, so that nobody who just got one is missed."""
    with _telling() as told:
        told.indexes.update(indexes)


def is_changing() -> bool:
    """Whether the open transaction has changed people: nobody else sees that yet, so the cache is no help."""
    return any(isinstance(waiting[1], _Told) for waiting in connection.run_on_commit)


def epoch() -> str:
    """Which epoch of the cache it is; another database has other epochs."""
    with connection.cursor() as cursor:
        # A sequence's first value is there before it is taken.
        cursor.execute(
            """SELECT 'preferences_facts_epoch'::regclass::oid::text || '.' || last_value || '.' || is_called
               FROM preferences_facts_epoch"""
        )
        return str(cursor.fetchone()[0])


@contextmanager
def _telling() -> Iterator[_Told]:
    """What is told after this transaction, or at once where there is none."""
    told = _last_told()
    if told is not None:
        yield told
    else:
        told = _Told()
        yield told
        transaction.on_commit(told, robust=True)


def _owners(indexes: set[bytes]) -> set[int]:
    if not indexes:
        return set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT recipient_id FROM preferences_contact_point WHERE index = ANY(%s)", (sorted(indexes),))
        return {row[0] for row in cursor.fetchall()}


def _last_told() -> _Told | None:
    """What waits for the commit of this very savepoint, if it is the last that does."""
    if not connection.run_on_commit:
        return None
    savepoints, told = connection.run_on_commit[-1][:2]
    return told if isinstance(told, _Told) and savepoints == set(connection.savepoint_ids) else None


def _start_anew() -> None:
    """Redis could not be told, but may still be answering others: all that it remembers is void."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('preferences_facts_epoch')")
    _log.warning("facts.cache_void")
