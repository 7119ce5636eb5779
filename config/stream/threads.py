"""A few threads that may wait for PostgreSQL while the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_T = TypeVar("_T")

#: Each holds a connection; what they ask takes a millisecond or two.
_THREADS = 4


class Threads:
    """A pool whose threads keep their connections, and drop those that broke."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="stream")
        self._connections: set[BaseDatabaseWrapper] = set()

    async def ask(self, question: Callable[[], _T]) -> _T:
        """The answer, or whatever the question raises."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._ask, question)

    async def close(self) -> None:
        """Wait for what is being asked, and leave no connection behind."""
        await asyncio.to_thread(self._close)

    def _ask(self, question: Callable[[], _T]) -> _T:
        close_old_connections()
        self._connections.add(connections[connection.alias])
        return question()

    def _close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for one in self._connections:
            one.inc_thread_sharing()
            one.close()
