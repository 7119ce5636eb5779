"""What stands on a person's preference page: fields with their labels, in the language of the moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import NamedTuple

import msgspec
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language_info

from notify.api import labels
from notify.api.labels import CATEGORIES, CHANNELS, DIGESTS, FAULTS, Label
from preferences.rules import choices
from preferences.rules.choices import ON, Fault, Form, Offer, Switch
from preferences.rules.places import zones_to_choose
from preferences.vocabulary import Category, DigestFrequency


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How a form stands: what is in it, and what is to be said about it."""

    form: Form
    faults: Mapping[str, Fault] = {}
    #: Fields that somebody else changed meanwhile.
    moved: Sequence[str] = ()
    is_stale: bool = False
    is_saved: bool = False
    #: Consent to marketing waits for the person's answer to a mail.
    is_to_confirm: bool = False
    is_broken: bool = False


class Box(NamedTuple):
    """A check box."""

    name: str
    label: Label
    #: What may be shown of the address, or another word beside the label.
    hint: str
    on: bool


class Choice(NamedTuple):
    """One of a list."""

    value: str
    label: Label
    on: bool


class Entry(NamedTuple):
    """A field that is spoken of elsewhere than where it stands: what is wrong with it, or what it became."""

    name: str
    label: str
    text: str


def context_of(offer: Offer, now: Form, reading: Reading) -> dict[str, object]:
    """All that the page's template shows. `now` is the form as it is stored."""
    form = reading.form
    return {
        "reach": [_box(Switch(channel), form, hint) for channel, hint in offer.channels.items()],
        "closed": [(CHANNELS[channel], hint) for channel, hint in offer.closed.items()],
        "groups": [_group(category, offer, form) for category in offer.categories],
        "left": [_box(switch, form, str(CHANNELS[switch.channel])) for switch in offer.left],
        "binding": [CATEGORIES[category].title for category in offer.binding],
        "quiet": _single(choices.QUIET, labels.QUIET, form),
        "quiet_start": form[choices.QUIET_START],
        "quiet_end": form[choices.QUIET_END],
        "zones": _zones(form[choices.ZONE]),
        "languages": [_language(tag, form[choices.LANGUAGE]) for tag in _with_none(offer.languages, form)],
        "digests": [Choice(word.value, label, word == form[choices.DIGEST]) for word, label in DIGESTS.items()],
        "stop": _single(choices.STOP, labels.STOP, form),
        "fault": {name: FAULTS[fault] for name, fault in reading.faults.items()},
        "faults": [Entry(name, _name_of(name, offer), str(FAULTS[one])) for name, one in reading.faults.items()],
        "moved": [Entry(name, _name_of(name, offer), _value(name, now[name])) for name in reading.moved],
        "is_stale": reading.is_stale,
        "is_saved": reading.is_saved,
        "is_to_confirm": reading.is_to_confirm,
        "is_broken": reading.is_broken,
    }


def _group(category: Category, offer: Offer, form: Form) -> dict[str, object]:
    is_marketing = category is Category.MARKETING
    return {
        "title": CATEGORIES[category].title,
        "text": CATEGORIES[category].text,
        "consent": _single(choices.MARKETING, labels.MARKETING, form) if is_marketing else None,
        "boxes": [_box(Switch(channel, category), form) for channel in offer.channels],
        "unwanted": [CHANNELS[channel] for channel in offer.channels if is_marketing and channel in offer.unwanted],
    }


def _box(switch: Switch, form: Form, hint: str = "") -> Box:
    label: Label = _type_name(switch.type_key) if switch.type_key else CHANNELS[switch.channel]
    return Box(switch.name, label, hint, form[switch.name] == ON)


def _single(name: str, label: Label, form: Form) -> Box:
    return Box(name, label, "", form[name] == ON)


def _zones(chosen: str) -> SafeString:
    """Zones by region, as a list's options; the chosen one is there even where it goes by another name."""
    value = format_html('value="{}"', chosen)
    options = _zone_options()
    if value in options:
        return mark_safe(options.replace(value, f"{value} selected"))  # noqa: S308 - of parts that are escaped
    return format_html("<option {} selected>{}</option>{}", value, chosen, options)


@cache
def _zone_options() -> SafeString:
    """The options, of which none is chosen: made once, since there are four hundred."""
    regions = groupby(zones_to_choose(), lambda name: name.partition("/")[0] if "/" in name else "")
    return format_html_join("\n", "{}", ((_region(region, names),) for region, names in regions))


def _region(region: str, names: Iterable[str]) -> SafeString:
    options = format_html_join("", '<option value="{}">{}</option>', ((name, _place(name)) for name in names))
    return format_html('<optgroup label="{}">{}</optgroup>', region, options) if region else options


def _place(zone: str) -> str:
    """America/Argentina/Buenos_Aires is Argentina, Buenos Aires in the region America."""
    return zone.partition("/")[2].replace("_", " ").replace("/", ", ") or zone


def _with_none(tags: Sequence[str], form: Form) -> Iterator[str]:
    """Nothing is among the languages while nothing was chosen."""
    if form[choices.LANGUAGE] not in tags:
        yield form[choices.LANGUAGE]
    yield from tags


def _language(tag: str, chosen: str) -> Choice:
    return Choice(tag, _language_name(tag), tag == chosen)


def _language_name(tag: str) -> str:
    """What a language calls itself, with its region where it has one."""
    if not tag:
        return "-"
    base, _hyphen, rest = tag.partition("-")
    try:
        name = str(get_language_info(base)["name_local"]).capitalize()
    except KeyError:
        return tag
    return f"{name} ({rest})" if rest else name


def _name_of(name: str, offer: Offer) -> str:
    """What a field is called away from its place."""
    for switch in offer.switches():
        if switch.name == name:
            above = CATEGORIES[switch.category].title if switch.category else _type_name(switch.type_key)
            return f"{above} · {CHANNELS[switch.channel]}" if above else str(CHANNELS[switch.channel])
    return str(_NAMES[name])


def _value(name: str, value: str) -> str:
    """What a field holds, in words."""
    if name in _WORDS:
        return _WORDS[name](value)
    return str(labels.SWITCHED_ON if value == ON else labels.SWITCHED_OFF)


def _type_name(key: str) -> str:
    """A type's key as people read it: ORDER_SHIPPED is Order shipped."""
    return key.replace("_", " ").replace("-", " ").capitalize()


_NAMES: dict[str, Label] = {
    choices.MARKETING: labels.MARKETING,
    choices.STOP: labels.STOP,
    choices.QUIET: labels.QUIET,
    choices.QUIET_START: labels.QUIET_START,
    choices.QUIET_END: labels.QUIET_END,
    choices.ZONE: labels.ZONE,
    choices.LANGUAGE: labels.LANGUAGE,
    choices.DIGEST: labels.DIGEST,
}
_WORDS: dict[str, Callable[[str], str]] = {
    choices.QUIET_START: str,
    choices.QUIET_END: str,
    choices.ZONE: str,
    choices.LANGUAGE: _language_name,
    choices.DIGEST: lambda word: str(DIGESTS[DigestFrequency(word)]),
}
