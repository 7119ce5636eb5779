"""All SQL of this app."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection

from channels.vocabulary import InAppMessage


class Switch(NamedTuple):
    """What an operator set for one account."""

    enabled: bool
    #: None: as the file says.
    weight: int | None


# Every row: there are as many as accounts that somebody touched.
_SWITCHES = "SELECT name, enabled, weight FROM provider_switch"

_SET_SWITCH = """
INSERT INTO provider_switch (name, enabled, weight, updated_at, updated_by) VALUES (%s, %s, %s, now(), %s)
ON CONFLICT (name) DO UPDATE
   SET enabled = excluded.enabled, weight = excluded.weight, updated_at = now(), updated_by = excluded.updated_by
"""

# A page that is sent again finds its rows and leaves them as the reader has them.
_INSERT_INBOX = """
INSERT INTO inbox_message (id, recipient_id, notification_id, type, sealed, created_at, expires_at)
SELECT id, recipient_id, notification_id, type, sealed, now(), expires_at
  FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::text[], %s::bytea[], %s::timestamptz[])
    AS page (id, recipient_id, notification_id, type, sealed, expires_at)
ON CONFLICT (id) DO NOTHING
"""


def provider_switches() -> dict[str, Switch]:
    """Every operator's switch, by account name. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_SWITCHES)
        return {name: Switch(enabled, weight) for name, enabled, weight in cursor.fetchall()}


def set_switch(name: str, switch: Switch, *, by: str) -> None:
    """Keep what an operator decided about an account."""
    with connection.cursor() as cursor:
        cursor.execute(_SET_SWITCH, [name, switch.enabled, switch.weight, by])


def insert_inbox(messages: Sequence[InAppMessage]) -> None:
    """Put a page of messages into their recipients' inboxes; those already there stay. One statement."""
    columns: list[Any] = [
        [message.id for message in messages],
        [message.recipient_id for message in messages],
        [message.notification_id for message in messages],
        [message.type for message in messages],
        [message.sealed for message in messages],
        [_instant(message.expires_at) for message in messages],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_INBOX, columns)


def _instant(epoch_seconds: float | None) -> datetime | None:
    return None if epoch_seconds is None else datetime.fromtimestamp(epoch_seconds, UTC)
