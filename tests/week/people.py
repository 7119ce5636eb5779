"""Who lives in this week: random people in many zones, and what they allow at first."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

#: Quarters and halves of an hour, both ends of the date line, and clocks that change in the week or never.
ZONES = re.findall(
    r"\S+",
    """
    Africa/Cairo Africa/Casablanca Africa/Johannesburg Africa/Lagos Africa/Nairobi America/Anchorage
    America/Argentina/Buenos_Aires America/Asuncion America/Bogota America/Chicago America/Denver America/Halifax
    America/Havana America/Los_Angeles America/Mexico_City America/New_York America/Nuuk America/Santiago
    America/Sao_Paulo America/St_Johns Antarctica/Troll Asia/Baghdad Asia/Bangkok Asia/Beirut Asia/Colombo
    Asia/Dhaka Asia/Dubai Asia/Jerusalem Asia/Kabul Asia/Karachi Asia/Kathmandu Asia/Kolkata Asia/Seoul
    Asia/Shanghai Asia/Tehran Asia/Tokyo Asia/Yangon Atlantic/Azores Australia/Adelaide Australia/Brisbane
    Australia/Darwin Australia/Eucla Australia/Lord_Howe Australia/Sydney Europe/Athens Europe/Berlin
    Europe/Chisinau Europe/Dublin Europe/Istanbul Europe/Kyiv Europe/Lisbon Europe/London Europe/Madrid
    Europe/Moscow Europe/Paris Pacific/Apia Pacific/Auckland Pacific/Chatham Pacific/Honolulu Pacific/Kiritimati
    Pacific/Marquesas Pacific/Pago_Pago
    """,
)
#: Nights, short and long; windows in which clocks change; one at noon.
_NIGHTS = [
    *[("22:00", "07:00")] * 4,
    *[("22:30", "06:45")] * 2,
    ("21:00", "09:30"),
    ("23:15", "05:00"),
    ("20:00", "11:00"),
    ("01:00", "02:30"),
    ("02:00", "03:00"),
    ("22:00", "01:30"),
    ("00:00", "04:00"),
    ("22:00", "00:00"),
    ("12:00", "14:00"),
]
CHANNELS = ("push", "email", "sms", "in_app")
CATEGORIES = ("transaction", "social", "reminder", "marketing")
_FREQUENCIES = ("realtime", "realtime", "realtime", "hourly", "hourly", "daily", "daily", "weekly")


@dataclass
class Person:
    """What the world knows of somebody it made up."""

    user: str
    email: str | None
    phone: str | None
    zone: str | None
    tokens: dict[str, str] = field(default_factory=dict)
    gone: bool = False


def born(number: int, chance: random.Random, zone: str) -> Person:
    """Somebody, with most of the ways there are to reach them; every thirtieth shares a phone with the one before."""
    user = f"w{number}"
    owner = number - 1 if number % 30 == 29 else number
    return Person(
        user=user,
        email=f"{user}@example.com" if chance.random() < 0.94 else None,
        phone=phone_of(owner) if chance.random() < 0.75 else None,
        zone=zone if chance.random() < 0.97 else None,
        tokens={f"{user}-{at}": token_of(user, at) for at in range(chance.choice((0, 1, 1, 1, 2)))},
    )


def phone_of(number: int) -> str:
    return f"+1555{2_000_000 + number:07d}"


def token_of(user: str, at: int | str) -> str:
    return f"token-{user}-{at}-{'x' * 40}"


def night(chance: random.Random) -> dict[str, str] | None:
    """A window of quiet, or none any more."""
    if chance.random() < 0.1:
        return None
    start, end = chance.choice(_NIGHTS)
    return {"start": start, "end": end}


def first_word(chance: random.Random) -> dict[str, Any]:
    """What somebody allows when the week begins."""
    said: dict[str, Any] = {"marketing_opt_in": chance.random() < 0.75, "digest_frequency": chance.choice(_FREQUENCIES)}
    if chance.random() < 0.9:
        said["quiet_hours"] = night(chance)
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        merge(said, a_word(chance))
    return said


def a_word(chance: random.Random) -> dict[str, Any]:
    """A change of mind, as a JSON merge patch: more often no than yes."""
    no = chance.random() < 0.45
    words: list[dict[str, Any]] = [
        {"channels": {chance.choice(CHANNELS): no}},
        {"categories": {chance.choice(CATEGORIES): {chance.choice(CHANNELS): no}}},
        {"categories": {chance.choice(CATEGORIES): {chance.choice(CHANNELS): no}}},
        {"types": {chance.choice(_TYPES): {chance.choice(CHANNELS): no}}},
        {"types": {chance.choice(_TYPES): {chance.choice(CHANNELS): no}}},
        {"marketing_opt_in": chance.random() < 0.5},
        {"marketing_opt_in": chance.random() < 0.5},
        {"global_opt_out": chance.random() < 0.4},
        {"sms_preference": chance.choice(("never", "default", "default"))},
        {"quiet_hours": night(chance)},
        {"quiet_hours": night(chance)},
        {"digest_frequency": chance.choice(_FREQUENCIES)},
        {"digest_frequency": chance.choice(_FREQUENCIES)},
        {"timezone": chance.choice(ZONES)},
        {"critical_channel": chance.choice(("sms", "email", "push"))},
        {"channel_order": chance.sample(("push", "email", "sms"), 2)},
    ]
    return chance.choice(words)


def an_objection(chance: random.Random, key: str, kind: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A no to one type, in one of the ways there are to say it; and how it is taken back."""
    switches = [dict.fromkeys(kind["channels"], on) for on in (False, True)]
    ways: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"types": {key: switches[0]}}, {"types": {key: switches[1]}}),
        ({"types": {key: switches[0]}}, {"types": {key: switches[1]}}),
        ({"categories": {kind["category"]: switches[0]}}, {"categories": {kind["category"]: switches[1]}}),
        ({"channels": switches[0]}, {"channels": switches[1]}),
        ({"global_opt_out": True}, {"global_opt_out": False}),
    ]
    if kind["category"] == "marketing":
        ways.append(({"marketing_opt_in": False}, {"marketing_opt_in": True}))
    return chance.choice(ways)


def merge(said: dict[str, Any], patch: dict[str, Any]) -> None:
    """RFC 7396, in place."""
    for name, value in patch.items():
        if value is None:
            said.pop(name, None)
        elif isinstance(value, dict) and isinstance(said.get(name), dict):
            merge(said[name], value)
        else:
            said[name] = value


_TYPES = (
    *("LOGIN_CODE", "NEW_SIGN_IN", "TERMS", "ORDER", "RECEIPT", "TABLE_READY", "SCORE"),
    *("FOLLOWED", "COMMENT", "PARCEL", "APPOINTMENT", "WATER", "OFFER", "NEWS"),
)
