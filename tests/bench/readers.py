"""The people whom campaigns tell: who is meant, who said no, and the words that must arrive. All of it computed.

A reader is a number. Ten of eleven belong to the segment; a fifth of all have an e-mail address too.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

import orjson

from config.lab.ledger import content_hash
from tests.bench.workload import Crowd, Person, person

NEWS_TYPE = "BENCH_NEWS"
#: Of eleven people the last is not meant.
_TURN = 11
#: One in so many has an e-mail address.
_MAILED_EVERY = 5
#: Of so many people, whose numbers leave these rests: no consent to marketing, no push, no marketing by mail.
_SAYINGS, _NO_CONSENT, _NO_PUSH, _NO_MAIL = 40, (7, 25), 12, 30
_NAMES = ("Zoë", "Jürgen", "Íñigo", "Anna", "Łukasz", "Oğuz")
_CITIES = ("Madrid", "Köln", "Łódź", "Brighton", "Lyon")
#: Everybody who may be meant: with this, a campaign reads two attributes of each.
_SEGMENT = "plan IN ('plus', 'gold') AND visits >= 1"
#: What all readers of a campaign are told alike, beside the run's own word.
_SHARED = {"offer": "20 %", "until": "30.4.2027"}
_PUSH = {
    "en": {
        "title": "{{ offer }} off for {{ user.attributes.name }}",
        "body": "Hello {{ user.attributes.name }}, after {{ user.attributes.visits }} visits to "
        "{{ user.attributes.city }} you get {{ offer }} off until {{ until }}. Code: {{ code }}",
    },
    "es": {
        "title": "{{ offer }} de descuento, {{ user.attributes.name }}",
        "body": "Hola, {{ user.attributes.name }}: tras {{ user.attributes.visits }} visitas a "
        "{{ user.attributes.city }} tienes un {{ offer }} hasta el {{ until }}. ¡Que lo disfrutes! Código: {{ code }}",
    },
    "de": {
        "title": "{{ offer }} für {{ user.attributes.name }}",
        "body": "Guten Tag, {{ user.attributes.name }}! Nach {{ user.attributes.visits }} Besuchen in "
        "{{ user.attributes.city }} gibt es {{ offer }} bis zum {{ until }}. Gutschein: {{ code }}",
    },
}
_HTML = """<!doctype html><html><body style="margin:0;background:#f4f4f5;font-family:Arial,sans-serif">
<table role="presentation" width="100%"><tr><td align="center" style="padding:24px">
<table role="presentation" width="560" style="background:#ffffff;border-radius:8px"><tr><td style="padding:32px">
<h1 style="font-size:20px;margin:0 0 16px">{title}</h1><p style="font-size:15px;line-height:22px">{body}</p>
</td></tr></table></td></tr></table></body></html>"""
_MAIL = {
    language: {"subject": words["title"], "body": words["body"], "html_body": _HTML.format(**words)}
    for language, words in _PUSH.items()
}
_LANGUAGES = {"en-GB": "en", "es-MX": "es", "de": "de", "fr-FR": "en"}


class By(StrEnum):
    """How a campaign reaches its readers."""

    PUSH = "push"
    EMAIL = "email"


class Told(NamedTuple):
    """A campaign: its run is the word in its messages by which they are known."""

    run: str
    by: By
    #: People there are, whether or not they are meant.
    population: int
    #: Only to those who have an e-mail address, by push too.
    only_mailed: bool = False

    @property
    def stand_in(self) -> str:
        """Whose ledger tells what arrived."""
        return "fcm" if self.by is By.PUSH else "sendgrid"

    @property
    def segment(self) -> str:
        """Whom it is told to, in the language of segments."""
        return f"{_SEGMENT} AND mailed = TRUE" if self._is_mailed else _SEGMENT

    def members(self) -> Iterator[int]:
        """The audience, by number."""
        step = _MAILED_EVERY if self._is_mailed else 1
        return (number for number in range(0, self.population, step) if is_meant(number))

    def readers(self) -> Iterator[int]:
        """Those of the audience who have not said no."""
        return (number for number in self.members() if not _says_no(number, self.by))

    def expected(self) -> Iterator[tuple[str, str]]:
        """Address and hash of the words of each message that must arrive, worked out without the product."""
        for number in self.readers():
            one = person(number, Crowd.READER)
            top, text = _formats(self.by, _LANGUAGES[one.locale])
            words = _SHARED | {"code": self.run} | _attributes(number)
            address = one.token if self.by is By.PUSH else one.email
            yield address, content_hash(top.format(**words), text.format(**words))

    @property
    def _is_mailed(self) -> bool:
        return self.only_mailed or self.by is By.EMAIL

    def body(self) -> bytes:
        """The call of `POST /v1/notifications/bulk` that starts it."""
        return orjson.dumps(
            {
                "batch_id": f"bench-{self.run}",
                "type": NEWS_TYPE,
                "priority": "low",
                "channels": [self.by],
                "segment": {"filter": self.segment},
                "variables": _SHARED | {"code": self.run},
            }
        )


def population_of(audience: int) -> int:
    """How many people there must be for so many to be meant; exact for multiples of ten."""
    return audience * _TURN // (_TURN - 1)


def is_meant(number: int) -> bool:
    """Whether this one is of the segment."""
    return number % _TURN != _TURN - 1


def is_mailed(number: int) -> bool:
    """Whether this one has an e-mail address."""
    return number % _MAILED_EVERY == 0


def reader(number: int) -> Person:
    """Who that is."""
    one = person(number, Crowd.READER)
    return one if is_mailed(number) else one._replace(email="")


def attributes_of(number: int) -> dict[str, Any]:
    """What the owner's system knows of this one: what segments ask for and what words need, and a little more."""
    return {
        **_attributes(number),
        "plan": ("plus", "gold")[number % 2] if is_meant(number) else "none",
        "mailed": is_mailed(number),
        "last_order": f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
        "points": number % 5_000,
    }


def preferences_of(number: int) -> dict[str, Any]:
    """What this one has said, as a document of preferences: most agreed to marketing, some said no in several ways."""
    saying = number % _SAYINGS
    said: dict[str, Any] = {"marketing_opt_in": saying not in _NO_CONSENT, "version": 1}
    if saying == _NO_PUSH:
        said["channels"] = {"push": False}
    if saying == _NO_MAIL:
        said["categories"] = {"marketing": {"email": False}}
    return said


def template_body() -> bytes:
    """The body of `POST /v1/templates`."""
    return orjson.dumps(
        {
            "template_id": NEWS_TYPE.lower(),
            "type": NEWS_TYPE,
            "default_locale": "en",
            "channels": {"push": _PUSH, "email": _MAIL},
            "variables": {name: {"type": "string", "required": True} for name in (*_SHARED, "code")},
        }
    )


def type_body(*, template: bool) -> bytes:
    """The body of `PUT /v1/types/{key}`: marketing, with a cap of its own that nobody reaches."""
    body = {
        "category": "marketing",
        "priority": "low",
        "channels": ["push", "email"],
        "caps": [{"max": 1_000_000, "per_seconds": 86_400}],
    }
    return orjson.dumps({**body, "template_id": NEWS_TYPE.lower()} if template else body)


def _says_no(number: int, by: By) -> bool:
    return number % _SAYINGS in (*_NO_CONSENT, _NO_PUSH if by is By.PUSH else _NO_MAIL)


def _attributes(number: int) -> dict[str, Any]:
    """What stands in the words."""
    return {
        "name": _NAMES[number % len(_NAMES)],
        "city": _CITIES[number // 7 % len(_CITIES)],
        "visits": number % 90 + 1,
    }


@cache
def _formats(by: By, language: str) -> tuple[str, str]:
    """The wording as Python formats: `{{ user.attributes.name }}` becomes `{name}`."""
    words = (_PUSH if by is By.PUSH else _MAIL)[language]
    fields = (words["title" if by is By.PUSH else "subject"], words["body"])
    top, text = (field.replace("{{ user.attributes.", "{").replace("{{ ", "{").replace(" }}", "}") for field in fields)
    return top, text
