"""A person asks what is held of them (GDPR art. 15 and 20): all of it, as JSON, a page at a time.

What one page holds is all that a process has in hand, so a person of 100,000 notifications costs time and no memory.
The last field is `complete`: an answer that was cut off is no JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from channels import inbox
from channels.rules.sealing import Unreadable, unseal
from notify.policy import EXPORT_PAGE
from notify.rules.lifecycle import roll_up
from notify.rules.ready import entry_place
from notify.store import exporting
from notify.store.exporting import Row
from notify.vocabulary import DeliveryStatus, NotificationStatus
from preferences import export as profile
from preferences import store as people
from preferences.vocabulary import RecipientRef

_encode = msgspec.json.Encoder().encode
_PIECE_BYTES = 65_536
#: A part of the export: one JSON value after the other.
_Parts = Iterator[Any]


def export_user(user_id: str) -> Iterator[bytes]:
    """The pieces of the export, in order; raises `UnknownUser` before the first of them."""
    person = profile.export_person(user_id)
    return _gathered(_pieces(person))


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same in fewer pieces: each is a write to the caller's socket."""
    held, size = list[bytes](), 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _pieces(person: profile.Held) -> Iterator[bytes]:
    ref = person.ref
    key = people.data_key(ref.wrapped_key, ref.id) if ref.wrapped_key else b""
    held = {"user": person.user, "devices": person.devices, "preferences": person.preferences, "topics": person.topics}
    yield _encode(held)[:-1]
    yield from _list("consents", profile.export_consents(ref, EXPORT_PAGE))
    yield from _list("inbox", _inbox(ref, key))
    yield from _list("notifications", _notifications(ref, key))
    yield b',"complete":true}'


def _list(name: str, parts: _Parts) -> Iterator[bytes]:
    """A field whose value is a list, item by item."""
    yield b',"%s":[' % name.encode()
    comma = b""
    for part in parts:
        yield comma + _encode(part)
        comma = b","
    yield b"]"


def _inbox(ref: RecipientRef, key: bytes) -> _Parts:
    before: tuple[datetime, UUID] | None = None
    while rows := inbox.entry_page(ref.id, before=before, limit=EXPORT_PAGE, with_hidden=True):
        for row in rows:
            yield {
                "notification_id": row.notification_id,
                "type": row.type,
                "content": _opened(key, row.sealed, entry_place(row.id)),
                "created_at": row.created_at,
                "read_at": row.read_at,
                "archived_at": row.archived_at,
            }
        before = (rows[-1].created_at, rows[-1].id)


def _notifications(ref: RecipientRef, key: bytes) -> _Parts:
    before: UUID | None = None
    while (page := exporting.page(ref.id, before, EXPORT_PAGE)).notifications:
        tries = _by(page.attempts, "delivery_id")
        for row in page.deliveries:
            row["attempts"] = tries.get(row["id"], [])
        deliveries = _by(page.deliveries, "notification_id")
        events = _by([_with_detail(row) for row in page.events], "notification_id")
        for row in page.notifications:
            mine = deliveries.get(row["id"], [])
            yield _notification(row, key) | {
                # Of what is under way the row tells less than its deliveries do.
                "status": roll_up([DeliveryStatus(one["status"]) for one in mine], NotificationStatus(row["status"])),
                "deliveries": mine,
                "events": events.get(row["id"], []),
            }
        before = page.notifications[-1]["id"]


def _notification(row: Row, key: bytes) -> Row:
    """A notification with the variables that its words were made of, or the words given with it."""
    held = _opened(key, row.pop("sealed"), b"notification.sealed:" + row["id"].bytes) or {}
    metadata = row["metadata"]
    return row | {
        "metadata": None if metadata is None else msgspec.json.decode(metadata),
        "variables": held.get("v"),
        "content": held.get("c"),
    }


def _with_detail(row: Row) -> Row:
    return row | {"detail": msgspec.json.decode(row["detail"])}


def _by(rows: list[Row], column: str) -> dict[UUID, list[Row]]:
    found: dict[UUID, list[Row]] = {}
    for row in rows:
        found.setdefault(row.pop(column), []).append(row)
    return found


def _opened(key: bytes, sealed: bytes, place: bytes) -> Any:
    """What was sealed; None where it was cleared, or its key is gone."""
    try:
        return msgspec.json.decode(unseal(key, sealed, place))
    except Unreadable:
        return None
