"""The one connection of this process that hears of changed inboxes."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import structlog
from django.db import connections

from config.stream.hub import Hub

log = structlog.get_logger(__name__)

#: Seconds without a notice after which the connection is tried: one that died silently must not go unnoticed.
_QUIET = 5.0
#: Seconds between two tries to connect.
_REST = 1.0


async def listen(hub: Hub) -> None:
    """Pass notices on until cancelled; after a break everybody's news are asked for, so nothing is missed.

    LISTEN needs a connection of its own: behind PgBouncer it must be pooled by the session.
    """
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**_parameters(), autocommit=True) as connection:
                await connection.execute("LISTEN carillon_inbox")
                hub.hear_all()
                while True:
                    async for notice in connection.notifies(timeout=_QUIET):
                        hub.hear(notice.payload)
                    await asyncio.wait_for(connection.execute("SELECT 1"), _QUIET)
        except (psycopg.Error, TimeoutError) as error:
            log.warning("stream.deaf", error=type(error).__name__)
            await asyncio.sleep(_REST)


def _parameters() -> dict[str, Any]:
    """As Django connects."""
    asked: dict[str, Any] = connections["default"].get_connection_params()
    known = ("dbname", "user", "password", "host", "port", "connect_timeout", "application_name", "sslmode")
    return {name: asked[name] for name in known if asked.get(name)} | {
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
    }
