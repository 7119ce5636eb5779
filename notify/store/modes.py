"""The system's mode: what the whole of it may do, since when, and who said so."""

from __future__ import annotations

import time
from datetime import datetime

import msgspec
from django.db import connection

from notify.vocabulary import SystemMode

#: Seconds a process may go on with what it read: a change is in force everywhere soon, and a page costs no query.
_KNOWN_FOR = 2.0


class ModeRow(msgspec.Struct, frozen=True, kw_only=True):
    """The mode in force."""

    mode: SystemMode
    reason: str
    changed_by: str
    #: None: it never was another.
    since: datetime | None


_ALWAYS = ModeRow(mode=SystemMode.NORMAL, reason="", changed_by="", since=None)


class _Known:
    """What this process remembers, and until when (of `time.monotonic`)."""

    mode: tuple[float, SystemMode] | None = None


def current_mode() -> SystemMode:
    """The mode, at most two seconds old; one query, or none."""
    known = _Known.mode
    if known is None or known[0] <= time.monotonic():
        known = _Known.mode = (time.monotonic() + _KNOWN_FOR, read_mode().mode)
    return known[1]


def read_mode() -> ModeRow:
    """The mode as it is now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT mode, reason, changed_by, changed_at FROM notify_system_mode ORDER BY id DESC LIMIT 1")
        row = cursor.fetchone()
    if row is None:
        return _ALWAYS
    return ModeRow(mode=SystemMode(row[0]), reason=row[1], changed_by=row[2], since=row[3])


def change_mode(mode: SystemMode, reason: str, *, by: str) -> ModeRow:
    """Put a mode in force; what was in force before stays readable in the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notify_system_mode (mode, reason, changed_by) VALUES (%s, %s, %s)", (mode.value, reason, by)
        )
    forget_mode()
    return read_mode()


def hold_mode() -> None:
    """Let nobody change the mode until this transaction ends; a change under way is waited for."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE notify_system_mode IN SHARE ROW EXCLUSIVE MODE")


def forget_mode() -> None:
    """Let this process read the mode anew: after a change, and between tests."""
    _Known.mode = None
