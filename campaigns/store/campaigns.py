"""Campaigns as they are stored: written by people, moved along under their row lock, each act kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from campaigns.vocabulary import Act, CampaignKind, CampaignStatus
from channels.vocabulary import Channel
from notify.vocabulary import Priority


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One wording of several, and the share of people who get it."""

    name: str
    template_id: str
    weight: int


class CampaignRow(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign; see `models.Campaign` for what each field means."""

    id: UUID
    kind: CampaignKind = CampaignKind.CAMPAIGN
    name: str
    application_id: int | None = None
    test: bool = False
    type_key: str
    template_id: str = ""
    priority: Priority = Priority.LOW
    #: Shared variables, sealed and bound to the row.
    sealed: bytes = b""
    channels: list[Channel] | None = None
    audience: dict[str, Any]
    max_per_second: int | None = None
    window_hours: float | None = None
    schedule_at: datetime | None = None
    local_time: str = ""
    recurrence: str = ""
    timezone: str = "UTC"
    variants: list[Variant] = []
    holdout_percent: float = 0
    status: CampaignStatus = CampaignStatus.DRAFT
    pause_reason: str = ""
    error: str = ""
    next_at: datetime | None = None
    estimated: int | None = None
    created_by: str = ""
    submitted_by: str = ""
    approved_by: str = ""
    created_at: datetime
    updated_at: datetime


class DoingRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a campaign's log."""

    at: datetime
    act: Act
    actor: str
    before: str
    after: str
    note: str


_FIELDS = CampaignRow.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
#: What columns of JSON hold.
_JSON: dict[str, Any] = {"audience": dict[str, Any], "variants": list[Variant]}
_JSON_COLUMNS = ", ".join(f"{name}::text" if name in _JSON else name for name in _FIELDS)
#: What an author writes; the rest is moved by acts.
_WRITTEN = (
    "name",
    "type_key",
    "template_id",
    "priority",
    "sealed",
    "channels",
    "audience",
    "max_per_second",
    "window_hours",
    "schedule_at",
    "local_time",
    "recurrence",
    "timezone",
    "variants",
    "holdout_percent",
    "estimated",
)


def insert(campaign: CampaignRow) -> None:
    """Write a new campaign."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO campaigns_campaign ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(_FIELDS))})",
            [_value(campaign, name) for name in _FIELDS],
        )


def change(campaign: CampaignRow) -> None:
    """Write what an author may change of a campaign whose row the caller holds."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_campaign SET {', '.join(f'{name} = %s' for name in _WRITTEN)}, updated_at = now()"
            " WHERE id = %s",
            [*(_value(campaign, name) for name in _WRITTEN), campaign.id],
        )


def get(campaign_id: UUID) -> CampaignRow | None:
    """A campaign, or None."""
    return _one("id = %s", [campaign_id])


def lock(campaign_id: UUID) -> CampaignRow | None:
    """A campaign, held against every other act until the transaction ends."""
    return _one("id = %s FOR NO KEY UPDATE", [campaign_id])


def listing(
    *,
    application_id: int | None,
    status: str | None,
    kind: str | None,
    before: UUID | None,
    limit: int,
    is_test: bool | None = None,
    ids: Sequence[UUID] | None = None,
) -> list[CampaignRow]:
    """Campaigns, newest first, older than `before`; of one application or of these ids, if given; or tests only."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT {_JSON_COLUMNS} FROM campaigns_campaign
               WHERE (%(application)s::bigint IS NULL OR application_id = %(application)s)
                 AND (%(status)s::text IS NULL OR status = %(status)s) AND (%(kind)s::text IS NULL OR kind = %(kind)s)
                 AND (%(before)s::uuid IS NULL OR id < %(before)s) AND (%(test)s::bool IS NULL OR test = %(test)s)
                 AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
               ORDER BY id DESC LIMIT %(limit)s""",
            {
                "application": application_id,
                "status": status,
                "kind": kind,
                "before": before,
                "limit": limit,
                "test": is_test,
                "ids": list(ids) if ids is not None else None,
            },
        )
        return [_row(row) for row in cursor.fetchall()]


def move(campaign_id: UUID, fields: Mapping[str, Any]) -> None:
    """Set fields of a campaign whose row the caller holds: its status and what goes with it."""
    names = list(fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE campaigns_campaign SET {', '.join(f'{name} = %s' for name in names)}, updated_at = now()"
            " WHERE id = %s",
            [*fields.values(), campaign_id],
        )


def due(now: datetime, limit: int) -> list[CampaignRow]:
    """Campaigns whose instant has come, or that were started, held until the transaction ends; two beats share them."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT {_JSON_COLUMNS} FROM campaigns_campaign
               WHERE next_at <= %s AND status IN ('scheduled', 'running')
               ORDER BY next_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED""",
            (now, limit),
        )
        return [_row(row) for row in cursor.fetchall()]


def note(campaign_id: UUID, act: Act, *, actor: str, before: str, after: str, note: str = "") -> None:
    """Keep an act in the campaign's log."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO campaigns_doing (campaign_id, at, act, actor, before, after, note)
               VALUES (%s, now(), %s, %s, %s, %s, %s)""",
            (campaign_id, act, actor, before, after, note),
        )


def doings(campaign_id: UUID) -> list[DoingRow]:
    """A campaign's log, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT at, act, actor, before, after, note FROM campaigns_doing WHERE campaign_id = %s ORDER BY id",
            (campaign_id,),
        )
        return [
            DoingRow(at=row[0], act=Act(row[1]), actor=row[2], before=row[3], after=row[4], note=row[5])
            for row in cursor.fetchall()
        ]


def set_members(campaign_id: UUID, recipient_ids: Sequence[int]) -> int:
    """Replace a campaign's own list; answers how many people are on it."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM campaigns_member WHERE campaign_id = %s", (campaign_id,))
        cursor.execute(
            "INSERT INTO campaigns_member (campaign_id, recipient_id) SELECT DISTINCT %s::uuid, unnest(%s::bigint[])",
            (campaign_id, list(recipient_ids)),
        )
        return int(cursor.rowcount)


def _one(condition: str, values: Sequence[Any]) -> CampaignRow | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_JSON_COLUMNS} FROM campaigns_campaign WHERE {condition}", values)
        row = cursor.fetchone()
    return _row(row) if row is not None else None


def _row(row: Sequence[Any]) -> CampaignRow:
    values = dict(zip(_FIELDS, row, strict=True))
    for name, shape in _JSON.items():
        values[name] = msgspec.json.decode(values[name], type=shape)
    values["sealed"] = bytes(values["sealed"])
    # Strictly by the words of the enums: a row that holds others is a fault, not a guess.
    return msgspec.convert(values, CampaignRow, builtin_types=(bytes, datetime, UUID))


def _value(campaign: CampaignRow, name: str) -> Any:
    value = getattr(campaign, name)
    if name in _JSON:
        return msgspec.json.encode(value).decode()
    if name == "channels":
        return [str(one) for one in value] if value is not None else None
    return value
