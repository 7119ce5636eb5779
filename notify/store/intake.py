"""Rows of an accepted request: all of them in one transaction, or none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from channels.vocabulary import Channel
from notify.vocabulary import NotificationStatus, Priority


class StoredAnswer(msgspec.Struct, frozen=True):
    """The first answer to an idempotency key."""

    fingerprint: bytes
    #: The answer's body as it was sent.
    response: bytes


class NewBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What the notifications of one request share."""

    id: UUID
    application_id: int
    type_key: str
    priority: Priority
    template_version_id: int | None
    channels: list[Channel] | None
    fallback_channels: list[Channel]
    collapse_key: str | None
    metadata: dict[str, Any] | None
    test: bool
    trace_id: str
    request_id: str
    total: int
    created_at: datetime
    #: A schedule by the wall clock as the request said it, its zone ("recipient": each one's own), and the version of
    #: the zone data its instants were worked out with.
    local_time: str | None = None
    local_zone: str | None = None
    zone_data: str | None = None
    #: Variables that all its notifications share, under the master key; None: each has its own.
    sealed: bytes | None = None


class NewNotification(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One recipient's share of a batch."""

    id: UUID
    recipient_id: int
    status: NotificationStatus
    channels: list[Channel] | None
    sealed: bytes
    scheduled_at: datetime | None
    expires_at: datetime | None


def lock_key(application_id: int, key: str) -> bool:
    """Take an idempotency key for the running transaction; False while another request holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, %s))", (key, application_id))
        return bool(cursor.fetchone()[0])


def answer_to(application_id: int, key: str, max_age_hours: int) -> StoredAnswer | None:
    """The stored answer to a key, if it is younger than the window."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT fingerprint, response FROM notify_idempotency_key
               WHERE application_id = %s AND key = %s AND created_at > now() - make_interval(hours => %s)""",
            (application_id, key, max_age_hours),
        )
        row = cursor.fetchone()
    return StoredAnswer(bytes(row[0]), bytes(row[1])) if row is not None else None


def remember_answer(application_id: int, key: str, answer: StoredAnswer, now: datetime) -> None:
    """Keep the answer to a key; an answer that fell out of the window is replaced."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_idempotency_key (application_id, key, fingerprint, response, created_at)
               VALUES (%s, %s, %s, %s, %s) ON CONFLICT (application_id, key) DO UPDATE
               SET fingerprint = excluded.fingerprint, response = excluded.response,
                   created_at = excluded.created_at""",
            (application_id, key, answer.fingerprint, answer.response, now),
        )


def insert_batch(batch: NewBatch) -> None:
    """Write the batch row."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO notify_batch (id, application_id, type_key, priority, template_version_id, channels,
                   fallback_channels, collapse_key, metadata, test, trace_id, request_id, total, created_at, local_time,
                   local_zone, zone_data, sealed)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                batch.id,
                batch.application_id,
                batch.type_key,
                batch.priority,
                batch.template_version_id,
                _words(batch.channels),
                _words(batch.fallback_channels),
                batch.collapse_key,
                msgspec.json.encode(batch.metadata).decode() if batch.metadata is not None else None,
                batch.test,
                batch.trace_id,
                batch.request_id,
                batch.total,
                batch.created_at,
                batch.local_time,
                batch.local_zone,
                batch.zone_data,
                batch.sealed,
            ),
        )


def insert_notifications(batch: NewBatch, notifications: Sequence[NewNotification]) -> None:
    """Write the notifications of a batch by COPY."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            """COPY notify_notification (id, batch_id, recipient_id, type_key, priority, status, channels, sealed,
                   scheduled_at, expires_at, created_at) FROM STDIN"""
        ) as copy,
    ):
        for one in notifications:
            copy.write_row(
                (
                    one.id,
                    batch.id,
                    one.recipient_id,
                    batch.type_key,
                    batch.priority,
                    one.status,
                    _words(one.channels),
                    one.sealed,
                    one.scheduled_at,
                    one.expires_at,
                    batch.created_at,
                )
            )


def _words(channels: Sequence[Channel] | None) -> list[str] | None:
    return [str(channel) for channel in channels] if channels is not None else None
