"""What operators switched, and what accounts with a daily limit have used."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from django.db import connection
from msgspec import UnsetType


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

# What is not said stays as it is when the row's lock is ours, whoever has just changed it.
_CHANGE_SWITCH = """
INSERT INTO provider_switch AS present (name, enabled, weight, updated_at, updated_by)
VALUES (%(name)s, coalesce(%(enabled)s, true), %(weight)s, now(), %(by)s)
ON CONFLICT (name) DO UPDATE
   SET enabled = coalesce(%(enabled)s, present.enabled),
       weight = CASE WHEN %(is_weighed)s THEN excluded.weight ELSE present.weight END,
       updated_at = now(), updated_by = excluded.updated_by
"""

# The row's lock makes pages of all processes take turns; `granted` is how the statement answers.
_RESERVE_DAY = """
INSERT INTO provider_day AS today (name, day, used, granted)
VALUES (%(name)s, %(day)s, least(%(wanted)s, %(most)s), least(%(wanted)s, %(most)s))
ON CONFLICT (name, day) DO UPDATE
   SET granted = least(%(wanted)s, greatest(0, %(most)s - today.used)),
       used = today.used + least(%(wanted)s, greatest(0, %(most)s - today.used))
RETURNING granted
"""

_RETURN_DAY = "UPDATE provider_day SET used = greatest(0, used - %s) WHERE name = %s AND day = %s"

_DAYS = "SELECT name, used FROM provider_day WHERE day = %s"


def provider_switches() -> dict[str, Switch]:
    """Every operator's switch, by account name. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_SWITCHES)
        return {name: Switch(enabled, weight) for name, enabled, weight in cursor.fetchall()}


def set_switch(name: str, switch: Switch, *, by: str) -> None:
    """Keep what an operator decided about an account."""
    with connection.cursor() as cursor:
        cursor.execute(_SET_SWITCH, [name, switch.enabled, switch.weight, by])


def change_switch(name: str, *, enabled: bool | None, weight: int | UnsetType | None, by: str) -> None:
    """Keep what an operator said of an account and leave the rest: None leaves it on or off, UNSET its weight."""
    number = None if isinstance(weight, UnsetType) else weight
    wanted = {"enabled": enabled, "is_weighed": not isinstance(weight, UnsetType), "weight": number}
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE_SWITCH, {"name": name, "by": by, **wanted})


def reserve_day(name: str, day: date, wanted: int, *, limit: int) -> int:
    """Take up to `wanted` of what an account may still send on a day; the answer is how many. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_RESERVE_DAY, {"name": name, "day": day, "wanted": wanted, "most": limit})
        return int(cursor.fetchone()[0])


def return_day(name: str, day: date, count: int) -> None:
    """Give back what was taken of a day and not sent."""
    with connection.cursor() as cursor:
        cursor.execute(_RETURN_DAY, [count, name, day])


def used_of_day(day: date) -> dict[str, int]:
    """What each account with a daily limit has used of a day, by name. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [day])
        return dict(cursor.fetchall())
