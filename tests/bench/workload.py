"""Who is told what: people, templates, variables, and the words that must arrive. All of it computed, nothing kept.

A notification is named by its run (a short word) and its serial number; the serial says which person gets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from typing import NamedTuple

import orjson

#: People of a full run; notifications beyond that number go round again.
POPULATION = 100_000
#: The same words under two types: the priority is the only difference.
BULK_TYPE, URGENT_TYPE = "BENCH_BULK", "BENCH_URGENT"
PRIORITIES = {BULK_TYPE: "medium", URGENT_TYPE: "high"}

#: Of each: the language people asked for. French has no wording and falls back to English.
LOCALES = ("en-GB", "es-MX", "de", "fr-FR")
_LANGUAGES = {"en-GB": "en", "es-MX": "es", "de": "de", "fr-FR": "en"}
WORDINGS = {
    "en": {
        "title": "Order {{ order_id }} is on its way",
        "body": "Hello {{ name }}, {{ carrier }} brings your parcel on {{ eta }}.",
    },
    "es": {
        "title": "El pedido {{ order_id }} está en camino",
        "body": "Hola, {{ name }}: {{ carrier }} te lo entrega el {{ eta }}. ¡Que lo disfrutes!",
    },
    "de": {
        "title": "Bestellung {{ order_id }} ist unterwegs",
        "body": "Guten Tag, {{ name }}, {{ carrier }} bringt Ihr Paket am {{ eta }}. Viel Vergnügen!",
    },
}
_NAMES = ("Zoë", "Jürgen", "Íñigo", "Anna", "Łukasz", "Oğuz")
_CARRIERS = ("FedEx", "DHL", "Correos", "Royal Mail")


class Person(NamedTuple):
    """One recipient with one device."""

    user_id: str
    locale: str
    platform: str
    token: str


def person(number: int) -> Person:
    """The person of a number; a token looks as FCM's do, 152 characters."""
    code = blake2b(b"%d" % number, digest_size=64).hexdigest()
    return Person(f"u_{number:07d}", LOCALES[number % len(LOCALES)], "android", f"{code[:22]}:APA91b{code[5:128]}")


def variables_of(run: str, serial: int) -> dict[str, str]:
    """The four variables of one notification; the first is unlike any other's."""
    return {
        "order_id": f"{run}-{serial:07d}",
        "name": _NAMES[serial % len(_NAMES)],
        "carrier": _CARRIERS[serial // 7 % len(_CARRIERS)],
        "eta": f"{serial % 28 + 1}.4.2027",
    }


def expected_of(run: str, serial: int, population: int) -> tuple[str, str, str]:
    """Token, title and body that must arrive, worked out without the product."""
    to = person(serial % population)
    title, body = _formats(_LANGUAGES[to.locale])
    variables = variables_of(run, serial)
    return to.token, title.format(**variables), body.format(**variables)


def send_body(run: str, serials: range, population: int, *, type_key: str = BULK_TYPE, schedule_at: str = "") -> bytes:
    """One call of `POST /v1/notifications`."""
    recipients = [
        {"user_id": person(serial % population).user_id, "variables": variables_of(run, serial)} for serial in serials
    ]
    body = {"type": type_key, "recipients": recipients, "idempotency_key": f"{run}-{serials.start}"}
    return orjson.dumps({**body, "schedule_at": schedule_at} if schedule_at else body)


def users_bodies(population: int, per_call: int = 1_000) -> Iterator[bytes]:
    """The calls of `POST /v1/users/bulk` that create everybody."""
    for start in range(0, population, per_call):
        people = (person(number) for number in range(start, min(start + per_call, population)))
        yield orjson.dumps({"users": [_user(one) for one in people]})


def template_body(type_key: str) -> bytes:
    """The body of `POST /v1/templates`."""
    return orjson.dumps(
        {
            "template_id": type_key.lower(),
            "type": type_key,
            "default_locale": "en",
            "channels": {"push": WORDINGS},
            "variables": {name: {"type": "string", "required": True} for name in variables_of("", 0)},
        }
    )


def type_body(type_key: str, *, template: bool) -> bytes:
    """The body of `PUT /v1/types/{key}`; a type is there before its template, and names it afterwards."""
    body = {"category": "transaction", "priority": PRIORITIES[type_key], "channels": ["push"]}
    return orjson.dumps({**body, "template_id": type_key.lower()} if template else body)


def _user(one: Person) -> dict[str, str]:
    return {"user_id": one.user_id, "locale": one.locale, "timezone": "Europe/Madrid", "country_code": "ES"}


@cache
def _formats(language: str) -> tuple[str, str]:
    """The wording as a Python format: `{{ name }}` becomes `{name}`."""
    wording = WORDINGS[language]
    title, body = (wording[field].replace("{{ ", "{").replace(" }}", "}") for field in ("title", "body"))
    return title, body
