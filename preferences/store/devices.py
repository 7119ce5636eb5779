"""Devices of recipients: registered, seen again, moved, deactivated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from channels.vocabulary import Platform
from preferences.store.changes import changed
from preferences.store.contacts import SealedAddress, address_of, data_key
from preferences.vocabulary import DeviceFact, DeviceRecord, InactiveReason, RecipientRef

_SIGNED_64 = 8

_LIST = """
    SELECT device_id, platform, hint, app_version, active, inactive_reason, registered_at, last_seen_at
    FROM preferences_device
    WHERE recipient_id = %s AND inactive_reason NOT IN ('moved', 'removed') {one}
    ORDER BY id"""
_PUT = """
    INSERT INTO preferences_device (recipient_id, device_id, platform, sealed, index, hint, app_version, active,
        inactive_reason, registered_at, last_seen_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, true, '', %s, %s)
    ON CONFLICT (recipient_id, device_id) DO UPDATE SET platform = excluded.platform, sealed = excluded.sealed,
        index = excluded.index, hint = excluded.hint, app_version = excluded.app_version, active = true,
        inactive_reason = '', registered_at = excluded.registered_at, last_seen_at = excluded.last_seen_at"""


class KnownDevice(msgspec.Struct, frozen=True, gc=False):
    """What is stored of one device, whether or not it is sent to."""

    platform: Platform
    app_version: str
    active: bool
    inactive_reason: str

    @property
    def is_listed(self) -> bool:
        """Whether its owner still knows it: moved and removed ones are as good as gone."""
        return self.inactive_reason not in (InactiveReason.MOVED, InactiveReason.REMOVED)


class HeldDevice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that is stored of one device, in clear: for its owner's copy alone. Never logged."""

    device_id: str
    platform: Platform
    #: Of a browser, its PushSubscription object as JSON.
    token: str
    app_version: str
    active: bool
    inactive_reason: str
    registered_at: datetime
    last_seen_at: datetime


class Crowd(msgspec.Struct, frozen=True, gc=False):
    """How many devices a recipient has beside the one in question."""

    active: int
    total: int


def list_devices(recipient_id: int) -> list[DeviceRecord]:
    """A recipient's devices, and those a provider declared dead; moved and removed ones are gone."""
    with connection.cursor() as cursor:
        cursor.execute(_LIST.format(one=""), (recipient_id,))
        return [_record(row) for row in cursor.fetchall()]


def read_device(recipient_id: int, device_id: str) -> DeviceRecord:
    """One device that has just been written."""
    with connection.cursor() as cursor:
        cursor.execute(_LIST.format(one="AND device_id = %s"), (recipient_id, device_id))
        return _record(cursor.fetchone())


def find_device(recipient_id: int, device_id: str) -> KnownDevice | None:
    """One device of a recipient."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT platform, app_version, active, inactive_reason FROM preferences_device
               WHERE recipient_id = %s AND device_id = %s""",
            (recipient_id, device_id),
        )
        row = cursor.fetchone()
    return None if row is None else KnownDevice(Platform(row[0]), *row[1:])


def count_others(recipient_id: int, device_id: str) -> Crowd:
    """The recipient's other devices."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FILTER (WHERE active), count(*) FROM preferences_device
               WHERE recipient_id = %s AND device_id <> %s""",
            (recipient_id, device_id),
        )
        active, total = cursor.fetchone()
    return Crowd(active, total)


def take_token(index: bytes, platform: Platform, recipient_id: int, device_id: str) -> None:
    """Take a token away from every other device that has it, and keep others from taking it until the commit.

    Two people who register the same token at once go one after the other; the later one has it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(index[:_SIGNED_64], "big", signed=True),))
        cursor.execute(
            """UPDATE preferences_device SET active = false, inactive_reason = 'moved'
               WHERE platform = %s AND index = %s AND active AND (recipient_id, device_id) <> (%s, %s)
               RETURNING recipient_id""",
            (platform.value, index, recipient_id, device_id),
        )
        changed(row[0] for row in cursor.fetchall())


def retire_token(index: bytes, recipient_id: int, device_id: str) -> None:
    """Deactivate the recipient's other devices that still have a token which was replaced."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_device SET active = false, inactive_reason = 'moved'
               WHERE recipient_id = %s AND index = %s AND active AND device_id <> %s""",
            (recipient_id, index, device_id),
        )
    changed([recipient_id])


def put_device(
    recipient_id: int, device_id: str, platform: Platform, address: SealedAddress, app_version: str, *, now: datetime
) -> None:
    """Register a device, or its next token; its token must have been taken in the same transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            _PUT,
            (
                recipient_id,
                device_id,
                platform.value,
                address.sealed,
                address.index,
                address.hint,
                app_version,
                now,
                now,
            ),
        )
    changed([recipient_id])


def touch_device(recipient_id: int, device_id: str, app_version: str, *, now: datetime) -> None:
    """The app was opened on a device whose token has not changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_device SET last_seen_at = %s, app_version = %s
               WHERE recipient_id = %s AND device_id = %s""",
            (now, app_version, recipient_id, device_id),
        )


def remove_device(recipient_id: int, device_id: str) -> bool:
    """Deactivate a device at its owner's wish; False if there is none to be seen."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_device SET active = false, inactive_reason = 'removed'
               WHERE recipient_id = %s AND device_id = %s AND inactive_reason NOT IN ('moved', 'removed')""",
            (recipient_id, device_id),
        )
        was_there = bool(cursor.rowcount)
    changed([recipient_id])
    return was_there


def trim_devices(recipient_id: int, keep: int) -> None:
    """Drop the longest unseen inactive devices of a recipient beyond so many rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            """DELETE FROM preferences_device WHERE id IN (
                   SELECT id FROM preferences_device WHERE recipient_id = %s
                   ORDER BY active DESC, last_seen_at DESC OFFSET %s)
               AND NOT active""",
            (recipient_id, keep),
        )


def deactivate_rejected(known_dead_since: Mapping[int, datetime]) -> list[int]:
    """Send nothing to devices whose tokens a provider calls dead; the ids of those that were active until now.

    The instants are when each token was known to be dead, at the latest when the request to the provider started: a
    device that registered again since then has proved the verdict out of date.
    """
    if not known_dead_since:
        return []
    ids = sorted(known_dead_since)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_device d SET active = false, inactive_reason = %s
               FROM unnest(%s::bigint[], %s::timestamptz[]) AS v(id, since)
               WHERE d.id = v.id AND d.active AND d.registered_at < v.since RETURNING d.id, d.recipient_id""",
            (InactiveReason.REJECTED.value, ids, [known_dead_since[one] for one in ids]),
        )
        rows = cursor.fetchall()
    changed(row[1] for row in rows)
    return [row[0] for row in rows]


def deactivate_stale(unseen_since: datetime, limit: int) -> int:
    """Stop sending to devices that no app has confirmed since then; how many were found, at most `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_device SET active = false, inactive_reason = 'stale'
               WHERE id IN (SELECT id FROM preferences_device WHERE active AND last_seen_at < %s LIMIT %s)
               RETURNING recipient_id""",
            (unseen_since, limit),
        )
        owners = [row[0] for row in cursor.fetchall()]
    changed(owners)
    return len(owners)


def delete_inactive(unseen_since: datetime, limit: int) -> int:
    """Delete inactive devices that no app has confirmed since then; how many were found, at most `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """DELETE FROM preferences_device
               WHERE id IN (SELECT id FROM preferences_device WHERE NOT active AND last_seen_at < %s LIMIT %s)""",
            (unseen_since, limit),
        )
        return int(cursor.rowcount)


def held_devices(recipient: RecipientRef) -> list[HeldDevice]:
    """Every row of a recipient's devices with its token in clear; none once their key is destroyed."""
    if not recipient.wrapped_key:
        return []
    key = data_key(recipient.wrapped_key, recipient.id)
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT device_id, platform, app_version, active, inactive_reason, registered_at, last_seen_at,
                   id, sealed, index, hint
               FROM preferences_device WHERE recipient_id = %s ORDER BY id""",
            (recipient.id,),
        )
        rows = cursor.fetchall()
    return [
        HeldDevice(
            device_id=row[0],
            platform=Platform(row[1]),
            app_version=row[2],
            active=row[3],
            inactive_reason=row[4],
            registered_at=row[5],
            last_seen_at=row[6],
            token=address_of(DeviceFact(row[7], Platform(row[1]), row[8], row[9], row[10]), key),
        )
        for row in rows
    ]


def _record(row: tuple[Any, ...]) -> DeviceRecord:
    device_id, platform, hint, app_version, active, inactive_reason, registered_at, last_seen_at = row
    return DeviceRecord(
        device_id=device_id,
        platform=Platform(platform),
        token=hint,
        app_version=app_version,
        active=active,
        inactive_reason=InactiveReason(inactive_reason) if inactive_reason else None,
        registered_at=registered_at,
        last_seen_at=last_seen_at,
    )
