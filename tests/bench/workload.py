"""Who is told what: people, templates, variables, and the words that must arrive. All of it computed, nothing kept.

A notification is named by its run (a short word) and its serial number; the serial says which person gets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

#: People of a full run; notifications beyond that number go round again.
POPULATION = 100_000
#: Types: the first two have the same words, and the priority is the only difference.
BULK_TYPE, URGENT_TYPE, MAIL_TYPE, TEXT_TYPE = "BENCH_BULK", "BENCH_URGENT", "BENCH_MAIL", "BENCH_TEXT"
PRIORITIES = {BULK_TYPE: "medium", URGENT_TYPE: "high", MAIL_TYPE: "medium", TEXT_TYPE: "high"}
CHANNELS = {BULK_TYPE: "push", URGENT_TYPE: "push", MAIL_TYPE: "email", TEXT_TYPE: "sms"}
#: Which of a wording's fields are compared with what arrived: the line on top, and the text.
_SHOWN = {"push": ("title", "body"), "email": ("subject", "body"), "sms": ("", "body")}

#: Of each: the language people asked for. French has no wording and falls back to English.
LOCALES = ("en-GB", "es-MX", "de", "fr-FR")
_LANGUAGES = {"en-GB": "en", "es-MX": "es", "de": "de", "fr-FR": "en"}
#: A push, as the naive app tells it too.
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
#: What stands around the text of a mail: as much as a plain receipt of a shop has.
_HTML = """<!doctype html><html><body style="margin:0;background:#f4f4f5;font-family:Arial,sans-serif">
<table role="presentation" width="100%"><tr><td align="center" style="padding:24px">
<table role="presentation" width="560" style="background:#ffffff;border-radius:8px"><tr><td style="padding:32px">
<h1 style="font-size:20px;margin:0 0 16px">{title}</h1><p style="font-size:15px;line-height:22px">{body}</p>
<p style="font-size:15px"><b>{{{{ carrier }}}}</b> · {{{{ eta }}}} · {{{{ order_id }}}}</p>
</td></tr></table></td></tr></table></body></html>"""
_MAILS = {
    language: {
        "subject": wording["title"],
        "body": wording["body"] + "\n\n{{ carrier }} · {{ eta }} · {{ order_id }}",
        "html_body": _HTML.format(**wording),
    }
    for language, wording in WORDINGS.items()
}
#: GSM-7, and short enough for one segment.
_TEXTS = {"en": {"body": "{{ order_id }}: {{ carrier }} brings your parcel on {{ eta }}."}}
_WORDINGS = {"push": WORDINGS, "email": _MAILS, "sms": _TEXTS}
_NAMES = ("Zoë", "Jürgen", "Íñigo", "Anna", "Łukasz", "Oğuz")
_CARRIERS = ("FedEx", "DHL", "Correos", "Royal Mail")
#: Of the phones whose apps are gone, one in so many.
DEAD_EVERY = 50


class Crowd(StrEnum):
    """Kinds of people; the value begins their user ids."""

    #: One Android phone each.
    ANDROID = "u"
    #: One iPhone and one e-mail address each.
    APPLE = "a"
    #: One Android phone each, and from some of them the app has been removed.
    FADING = "f"
    #: A phone number each.
    TEXTED = "t"
    #: Whom campaigns tell: one Android phone each, and a name in `tests.bench.readers`.
    READER = "r"


class Way(NamedTuple):
    """A way through the product."""

    crowd: Crowd
    type_key: str
    #: The stand-in at its end, whose ledger tells what arrived.
    stand_in: str


FCM = Way(Crowd.ANDROID, BULK_TYPE, "fcm")
URGENT = Way(Crowd.ANDROID, URGENT_TYPE, "fcm")
APNS = Way(Crowd.APPLE, BULK_TYPE, "apns")
SENDGRID = Way(Crowd.APPLE, MAIL_TYPE, "sendgrid")


class Person(NamedTuple):
    """One recipient; addresses they do not have are empty."""

    user_id: str
    locale: str
    platform: str
    token: str
    email: str = ""
    phone: str = ""


def person(number: int, crowd: Crowd = Crowd.ANDROID) -> Person:
    """The person of a number; tokens look as FCM's (152 characters) and Apple's (64 hex digits) do."""
    code = blake2b(b"%d" % number, digest_size=64).hexdigest()
    user_id, locale = f"{crowd}_{number:07d}", LOCALES[number % len(LOCALES)]
    if crowd is Crowd.APPLE:
        return Person(user_id, locale, "ios", code[:64], email=f"{user_id}@example.com")
    if crowd is Crowd.TEXTED:
        # Of the US: for fiction, and none of the magic numbers of a stand-in.
        return Person(user_id, locale, "", "", phone=f"+1{201 + number // 10_000 % 99}555{number % 10_000:04d}")
    token = f"{code[:22]}:APA91b{code[5:128]}"
    if crowd is Crowd.FADING:
        token = f"lab-unregistered-{number}-{token}" if is_dead(number) else f"fading-{token}"
    if crowd is Crowd.READER:
        return Person(user_id, locale, "android", f"reader-{token}", email=f"{user_id}@example.com")
    return Person(user_id, locale, "android", token)


def is_dead(number: int) -> bool:
    """Whether the app has been removed from this one's phone (of the crowd that fades)."""
    return number % DEAD_EVERY == 0


def variables_of(run: str, serial: int) -> dict[str, str]:
    """The four variables of one notification; the first is unlike any other's."""
    return {
        "order_id": f"{run}-{serial:07d}",
        "name": _NAMES[serial % len(_NAMES)],
        "carrier": _CARRIERS[serial // 7 % len(_CARRIERS)],
        "eta": f"{serial % 28 + 1}.4.2027",
    }


def expected_of(run: str, serial: int, population: int, way: Way = FCM) -> tuple[str, str, str]:
    """Address, top line and text that must arrive, worked out without the product."""
    to, channel = person(serial % population, way.crowd), CHANNELS[way.type_key]
    address = {"push": to.token, "email": to.email, "sms": to.phone}[channel]
    top, text = _formats(channel, _LANGUAGES[to.locale])
    variables = variables_of(run, serial)
    return address, top.format(**variables), text.format(**variables)


def send_body(run: str, serials: range, population: int, *, way: Way = FCM, schedule_at: str = "") -> bytes:
    """One call of `POST /v1/notifications`."""
    recipients = [
        {"user_id": person(serial % population, way.crowd).user_id, "variables": variables_of(run, serial)}
        for serial in serials
    ]
    body = {"type": way.type_key, "recipients": recipients, "idempotency_key": f"{run}-{serials.start}"}
    return orjson.dumps({**body, "schedule_at": schedule_at} if schedule_at else body)


def users_bodies(population: int, crowd: Crowd = Crowd.ANDROID, per_call: int = 1_000) -> Iterator[bytes]:
    """The calls of `POST /v1/users/bulk` that create everybody of a crowd."""
    for start in range(0, population, per_call):
        people = (person(number, crowd) for number in range(start, min(start + per_call, population)))
        yield orjson.dumps({"users": [_user(one) for one in people]})


def template_body(type_key: str) -> bytes:
    """The body of `POST /v1/templates`."""
    channel = CHANNELS[type_key]
    return orjson.dumps(
        {
            "template_id": type_key.lower(),
            "type": type_key,
            "default_locale": "en",
            "channels": {channel: _WORDINGS[channel]},
            "variables": {name: {"type": "string", "required": True} for name in variables_of("", 0)},
        }
    )


def type_body(type_key: str, *, template: bool) -> bytes:
    """The body of `PUT /v1/types/{key}`; a type is there before its template, and names it afterwards."""
    body = {"category": "transaction", "priority": PRIORITIES[type_key], "channels": [CHANNELS[type_key]]}
    return orjson.dumps({**body, "template_id": type_key.lower()} if template else body)


def _user(one: Person) -> dict[str, Any]:
    user = {"user_id": one.user_id, "locale": one.locale, "timezone": "Europe/Madrid", "country_code": "ES"}
    return user | {name: value for name in ("email", "phone") if (value := getattr(one, name))}


@cache
def _formats(channel: str, language: str) -> tuple[str, str]:
    """The wording as Python formats: `{{ name }}` becomes `{name}`."""
    wordings = _WORDINGS[channel]
    wording = wordings.get(language) or wordings["en"]
    top, text = (wording.get(field, "").replace("{{ ", "{").replace(" }}", "}") for field in _SHOWN[channel])
    return top, text
