"""Digests: when a person gets one, what it holds, and its words where the owner gave none.

A digest is an ordinary notification of the type `DIGEST_<CATEGORY>`: one category each, since people say no, and are
asked for consent, by category, and whoever leaves a digest must know what they left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from channels.vocabulary import Channel
from notify.rules.rendering import CompiledTemplate
from notify.rules.schedule import next_occurrence
from notify.vocabulary import Content, Priority, QuietHoursPolicy, TypeRow
from preferences.vocabulary import Category, DigestFrequency

#: Members a digest lists, the newest; the rest is counted. With the lengths below it fits any field, whatever comes.
MOST_LISTED: Final = 50
#: Characters of a member's words and link; whoever wants to read on opens the app.
_LONGEST_TITLE, _LONGEST_BODY, _LONGEST_LINK = 80, 200, 500
#: Members a lock screen has room for.
_FIRST = 3
_PREFIX = "DIGEST_"
_KEYS = frozenset(f"{_PREFIX}{category.upper()}" for category in Category)
_MONDAY = 0


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A member as templates see it."""

    title: str
    body: str
    type: str
    action_url: str
    created_at: str


def type_key_of(category: Category) -> str:
    """The type of digests that gather this category."""
    return f"{_PREFIX}{category.upper()}"


def is_digest(type_key: str) -> bool:
    """Whether a type is one of the digests'."""
    return type_key in _KEYS


def type_row_of(category: Category) -> TypeRow:
    """The type of a category's digests until its owner writes another: told at day, on the channel of its members."""
    return TypeRow(
        key=type_key_of(category),
        category=category.value,
        priority=Priority.MEDIUM.value,
        channels=[Channel.EMAIL.value],
        mandatory=False,
        exempt_from_caps=False,
        caps=[],
        quiet_hours=QuietHoursPolicy.DEFER.value,
        digestible=False,
        ttl_seconds=None,
        template_id=None,
    )


def due_at(frequency: DigestFrequency, now: datetime, zone: ZoneInfo, hour: time) -> datetime | None:
    """When the digest is made that gathers what comes now; None for whoever wants to hear at once.

    Hourly at the next full hour on the person's clock, daily at the next `hour`, weekly at that of the next Monday.
    """
    if frequency is DigestFrequency.REALTIME:
        return None
    local = now.astimezone(zone)
    if frequency is DigestFrequency.HOURLY:
        past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return now.astimezone(UTC) - past + timedelta(hours=1)
    at = next_occurrence(hour, zone.key, after=now)
    while frequency is DigestFrequency.WEEKLY and at.astimezone(zone).weekday() != _MONDAY:
        at = next_occurrence(hour, zone.key, after=at)
    return at


def item_of(content: Content, type_key: str, created_at: datetime) -> Item:
    """A member in short: what its own message on the channel would have said."""
    title = content.title or content.subject
    return Item(
        title=_cut(title or content.body, _LONGEST_TITLE),
        body=_cut(content.body, _LONGEST_BODY),
        type=type_key,
        action_url=content.action_url if len(content.action_url) <= _LONGEST_LINK else "",
        created_at=created_at.astimezone(UTC).isoformat(timespec="seconds"),
    )


def variables_of(items: Sequence[Item], count: int) -> dict[str, Any]:
    """What a digest's template is told of its members, newest first; `count` is all of them, listed or not."""
    told = [msgspec.structs.asdict(item) for item in items]
    groups: dict[str, list[dict[str, Any]]] = {}
    for item in told:
        groups.setdefault(item["type"], []).append(item)
    return {
        "count": count,
        "items": told,
        "first": told[:_FIRST],
        "more": count - len(told[:_FIRST]),
        "unlisted": count - len(told),
        "groups": [{"type": key, "count": len(members), "items": members} for key, members in groups.items()],
    }


@lru_cache(maxsize=1)
def built_in() -> CompiledTemplate:
    """The words of a digest whose type has no template."""
    return CompiledTemplate.of(_wordings(), {}, "en")


def _cut(text: str, most: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


_HEADS: Final[Mapping[str, tuple[str, str]]] = {
    "en": ("New for you", "and {{ unlisted }} more"),
    "de": ("Neu für Sie", "und {{ unlisted }} weitere"),
    "es": ("Novedades para ti", "y {{ unlisted }} más"),
    "fr": ("Du nouveau pour vous", "et {{ unlisted }} de plus"),
}
_PUSH = "{% for item in first %}{{ item.title }}{% if not loop.last %} · {% endif %}{% endfor %}"
_SMS = "{% for item in items %}{{ item.body }}{% if not loop.last %}\n{% endif %}{% endfor %}"
_TEXT = "{% for item in items %}- {{ item.title }}\n  {{ item.body }}\n{% endfor %}"
_HTML = (
    '<ul>{% for item in items %}<li>{% if item.action_url %}<a href="{{ item.action_url }}"><b>{{ item.title }}</b></a>'
    "{% else %}<b>{{ item.title }}</b>{% endif %}<br>{{ item.body }}</li>{% endfor %}</ul>"
)


def _wordings() -> dict[str, dict[str, dict[str, str]]]:
    """{channel: {locale: {field: source}}} of the built-in words."""
    found: dict[str, dict[str, dict[str, str]]] = {"push": {}, "sms": {}, "email": {}}
    for locale, (head, rest) in _HEADS.items():
        title, unlisted = f"{head} ({{{{ count }}}})", f"{{% if unlisted %}}{rest}{{% endif %}}"
        found["push"][locale] = {"title": title, "body": _PUSH}
        found["sms"][locale] = {"body": _SMS}
        html = f"<h1>{title}</h1>{_HTML}{{% if unlisted %}}<p>{rest}</p>{{% endif %}}"
        found["email"][locale] = {"subject": title, "body": f"{title}\n\n{_TEXT}\n{unlisted}", "html_body": html}
    return found
