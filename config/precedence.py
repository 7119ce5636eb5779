"""Who waits when the machine is full: the pools that can, and the backends of the embedded PostgreSQL that serve them.

An urgent notification is some twenty short exchanges between its worker and PostgreSQL. On a saturated machine each of
them waits for whoever computes just then, unless the others step back.
"""

from __future__ import annotations

import os
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

#: The database is the embedded one: no other server's process numbers mean anything on this machine.
_OWN_DATABASE = not (os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE"))


class _Place:
    """How far this process, and its children, have stepped back."""

    niceness = 0


def step_back(niceness: int) -> None:
    """Let others go first from now on; 0 changes nothing. Inherited by the children of this process."""
    if niceness:
        _Place.niceness = niceness
        _yield_to_others(0, niceness)


def _yield_to_others(pid: int, niceness: int) -> None:
    """Lower a process of ours (0: this one), and keep it from preempting others when it wakes, where Linux can."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
        if hasattr(os, "SCHED_BATCH"):
            os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
    except (PermissionError, ProcessLookupError):
        return  # somebody else's process, or gone: precedence is a courtesy


def _lower_backend(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """The backend of a connection steps back with its worker; only where the server is our own, on this machine."""
    if _Place.niceness and _OWN_DATABASE:
        _yield_to_others(connection.connection.info.backend_pid, _Place.niceness)


connection_created.connect(_lower_backend)
