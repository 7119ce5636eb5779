"""Server-sent events as they go over the line (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import Any

import msgspec

from channels.rules.snapshots import Snapshot
from notify.inbox import InboxEntry

_encode = msgspec.json.Encoder().encode

#: A comment: keeps proxies from closing what is merely quiet, and finds out who has gone.
ALIVE = b": alive\n\n"
#: Goes on behind no number in particular; the browser asks anew after so many milliseconds.
_RETRY = b"retry: %d\n\n"


def retry(milliseconds: int) -> bytes:
    """After how long to connect again."""
    return _RETRY % milliseconds


def notification(entry: InboxEntry) -> bytes:
    """An entry, new or as it is now."""
    return _event(b"notification", entry)


def read(entry: InboxEntry) -> bytes:
    """An entry was read, or is to be read again."""
    return _event(b"read", {"id": entry.id, "read_at": entry.read_at})


def archived(notification_id: str) -> bytes:
    """An entry is not shown any more."""
    return _event(b"archive", {"id": notification_id})


def unread_count(count: int, seen: Snapshot) -> bytes:
    """The last event of every group: it alone carries an id, so who saw it has seen the group."""
    return _event(b"unread_count", {"unread_count": count}, b"id: %b\n" % str(seen).encode())


def _event(name: bytes, data: Any, head: bytes = b"") -> bytes:
    return b"%bevent: %b\ndata: %b\n\n" % (head, name, _encode(data))
