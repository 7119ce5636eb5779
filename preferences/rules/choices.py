"""The page on which a person says what they allow, as a form: what it offers, what they sent, what becomes of it.

A form is flat, a text for each field, so that two states of it can be compared and merged. A switch that is on is
"on", one that is off is empty, as browsers have it. Nothing is written that the person did not change: what was never
said stays unsaid, and what the page does not offer stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar

import msgspec

from channels.vocabulary import Channel
from preferences.rules.places import is_zone
from preferences.rules.quiet import zone_name
from preferences.vocabulary import (
    Category,
    DigestFrequency,
    Preferences,
    QuietHours,
    RecipientFacts,
    SmsPreference,
)

_Key = TypeVar("_Key", bound=str)

Form = dict[str, str]

ON, OFF = "on", ""
MARKETING, STOP = "marketing", "stop"
QUIET, QUIET_START, QUIET_END, ZONE = "quiet", "quiet_start", "quiet_end", "zone"
LANGUAGE, DIGEST = "language", "digest"
_QUIET_FIELDS = frozenset({QUIET, QUIET_START, QUIET_END})

#: What stands in the two fields until a person says otherwise.
_NIGHT = QuietHours("22:00", "07:00")
#: Single types a person left that are shown; nobody leaves so many one by one.
_MOST_TYPES = 50
#: Longer than any zone, language or word of ours.
_LONGEST_VALUE = 64
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])[:.]([0-5][0-9])")
_ADDRESSED = (Channel.EMAIL, Channel.SMS)


class Fault(StrEnum):
    """What is wrong with a field."""

    NO_TIME = "no_time"
    SAME_TIME = "same_time"
    UNKNOWN_ZONE = "unknown_zone"
    UNKNOWN_LANGUAGE = "unknown_language"
    UNKNOWN_CHOICE = "unknown_choice"


class Kind(NamedTuple):
    """What the page needs to know of a notification type."""

    category: Category
    mandatory: bool


class Switch(NamedTuple):
    """A channel; with a category or a type: that one on it."""

    channel: Channel
    category: Category | None = None
    type_key: str = ""

    @property
    def name(self) -> str:
        """Its field."""
        if self.type_key:
            return f"type.{self.channel}.{self.type_key}"
        return f"category.{self.channel}.{self.category}" if self.category else f"channel.{self.channel}"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What one person can choose."""

    #: Where they can be reached; what may be shown of the address, if there is one.
    channels: dict[Channel, str]
    #: Addresses of theirs that nothing is sent to, whatever is chosen.
    closed: dict[Channel, str]
    #: Addresses of theirs that marketing is not sent to.
    unwanted: frozenset[Channel]
    categories: tuple[Category, ...]
    #: Categories in which some messages are sent whatever is chosen.
    binding: tuple[Category, ...]
    #: Single types they left, each with the channel.
    left: tuple[Switch, ...]
    languages: tuple[str, ...]

    def switches(self) -> Iterator[Switch]:
        """All of them."""
        yield from (Switch(channel) for channel in self.channels)
        yield from (Switch(channel, category) for category in self.categories for channel in self.channels)
        yield from self.left


def offer_to(facts: RecipientFacts, kinds: Collection[Kind], languages: Iterable[str]) -> Offer:
    """What the page offers to a person, where there are types of these kinds."""
    hints = _hints(facts)
    closed = {
        channel: hint for channel, hint in hints.items() if channel in facts.suppressed or not _usable(facts, channel)
    }
    free = {kind.category for kind in kinds if not kind.mandatory or kind.category is Category.MARKETING}
    if facts.preferences.marketing_opt_in is not None:
        free.add(Category.MARKETING)
    bound = {kind.category for kind in kinds if kind.mandatory and kind.category is not Category.MARKETING}
    spoken = _language_of(facts)
    return Offer(
        channels={channel: hint for channel, hint in hints.items() if channel not in closed},
        closed=closed,
        unwanted=facts.unwanted,
        categories=tuple(category for category in Category if category in free),
        binding=tuple(category for category in Category if category in bound),
        left=tuple(_left(facts.preferences))[:_MOST_TYPES],
        languages=tuple(dict.fromkeys((*languages, *([spoken] if spoken else [])))),
    )


def shown(offer: Offer, facts: RecipientFacts) -> Form:
    """The form as things stand."""
    said = facts.preferences
    form = {switch.name: ON if _is_on(said, switch) else OFF for switch in offer.switches()}
    hours = said.quiet_hours or _NIGHT
    form |= {
        MARKETING: ON if said.marketing_opt_in else OFF,
        STOP: ON if said.global_opt_out else OFF,
        QUIET: ON if said.quiet_hours is not None else OFF,
        QUIET_START: hours.start,
        QUIET_END: hours.end,
        ZONE: zone_name(facts),
        LANGUAGE: _language_of(facts),
        DIGEST: said.digest_frequency.value,
    }
    if Category.MARKETING not in offer.categories:
        del form[MARKETING]
    return form


def sent(now: Form, posted: Mapping[str, str]) -> Form:
    """What came back of a form: a switch that is missing is off, so browsers have it."""
    form = {name: _clean(posted.get(name, OFF)) for name in now}
    for name in (QUIET_START, QUIET_END):
        clock = _CLOCK.fullmatch(form[name])
        form[name] = f"{int(clock[1]):02}:{clock[2]}" if clock else form[name]
    return form


def faults_in(form: Form, now: Form, offer: Offer) -> dict[str, Fault]:
    """What is wrong, by field; empty: it may be written. What is as it was is not asked about."""
    changed = _changed(now, form)
    found = _clock_faults(form) if form[QUIET] == ON and not changed.isdisjoint(_QUIET_FIELDS) else {}
    if ZONE in changed and not is_zone(form[ZONE]):
        found[ZONE] = Fault.UNKNOWN_ZONE
    if LANGUAGE in changed and form[LANGUAGE] not in offer.languages:
        found[LANGUAGE] = Fault.UNKNOWN_LANGUAGE
    if DIGEST in changed and form[DIGEST] not in set(DigestFrequency):
        found[DIGEST] = Fault.UNKNOWN_CHOICE
    return found


def applied(present: Preferences, offer: Offer, now: Form, form: Form) -> Preferences:
    """The document after a form without faults; `now` is the form as the document shows it."""
    changed = _changed(now, form)
    document = present
    for switch in offer.switches():
        if switch.name in changed:
            document = switched(document, switch, on=form[switch.name] == ON)
    makers = ((fields, make) for fields, make in _MAKERS if not changed.isdisjoint(fields))
    return msgspec.structs.replace(document, **dict(make(form) for _, make in makers))


def switched(said: Preferences, switch: Switch, *, on: bool) -> Preferences:
    """The document with one switch moved; on is what it is where nothing is said."""
    if switch.type_key:
        return msgspec.structs.replace(said, types=_moved_in(said.types, switch.type_key, switch.channel, on=on))
    if switch.category is not None:
        categories = _moved_in(said.categories, switch.category, switch.channel, on=on)
        return msgspec.structs.replace(said, categories=categories)
    moved = msgspec.structs.replace(said, channels=_moved(said.channels, switch.channel, on=on))
    if on and switch.channel is Channel.SMS:
        moved = msgspec.structs.replace(moved, sms_preference=SmsPreference.DEFAULT)
    return moved


def merged(seen: Form, form: Form, now: Form) -> Form:
    """One's own changes of a form that was seen, on top of how things stand now."""
    return {name: now[name] if form[name] == seen.get(name, form[name]) else form[name] for name in now}


def changed_since(seen: Form, now: Form) -> list[str]:
    """The fields that somebody else changed since a form was seen."""
    return [name for name in now if seen.get(name, now[name]) != now[name]]


def _changed(now: Form, form: Form) -> set[str]:
    return {name for name in now if form[name] != now[name]}


def _clock_faults(form: Form) -> dict[str, Fault]:
    found = {name: Fault.NO_TIME for name in (QUIET_START, QUIET_END) if not _CLOCK.fullmatch(form[name])}
    if not found and form[QUIET_START] == form[QUIET_END]:
        found[QUIET_END] = Fault.SAME_TIME
    return found


def _quiet_hours(form: Form) -> QuietHours | None:
    return QuietHours(form[QUIET_START], form[QUIET_END]) if form[QUIET] == ON else None


#: What of the document is made of which fields.
_MAKERS: tuple[tuple[frozenset[str], Callable[[Form], tuple[str, object]]], ...] = (
    (frozenset({MARKETING}), lambda form: ("marketing_opt_in", form[MARKETING] == ON)),
    (frozenset({STOP}), lambda form: ("global_opt_out", form[STOP] == ON)),
    (_QUIET_FIELDS, lambda form: ("quiet_hours", _quiet_hours(form))),
    (frozenset({ZONE}), lambda form: ("timezone", form[ZONE])),
    (frozenset({LANGUAGE}), lambda form: ("locale", form[LANGUAGE])),
    (frozenset({DIGEST}), lambda form: ("digest_frequency", DigestFrequency(form[DIGEST]))),
)


def _hints(facts: RecipientFacts) -> dict[Channel, str]:
    """The channels a person has an address on, and what may be shown of it; the inbox needs none."""
    hints = {}
    if facts.email is not None:
        hints[Channel.EMAIL] = facts.email.hint
    if facts.phone is not None:
        hints[Channel.SMS] = facts.phone.hint
    if facts.devices:
        hints[Channel.PUSH] = ""
    return {**hints, Channel.IN_APP: ""}


def _usable(facts: RecipientFacts, channel: Channel) -> bool:
    contact = facts.email if channel is Channel.EMAIL else facts.phone
    return channel not in _ADDRESSED or contact is None or contact.usable


def _language_of(facts: RecipientFacts) -> str:
    return facts.preferences.locale or facts.locale


def _left(said: Preferences) -> Iterator[Switch]:
    for key, channels in sorted(said.types.items()):
        yield from (Switch(channel, type_key=key) for channel, on in channels.items() if not on)


def _is_on(said: Preferences, switch: Switch) -> bool:
    if switch.type_key:
        return said.types.get(switch.type_key, {}).get(switch.channel, True)
    if switch.category is not None:
        return said.categories.get(switch.category, {}).get(switch.channel, True)
    if switch.channel is Channel.SMS and said.sms_preference is SmsPreference.NEVER:
        return False
    return said.channels.get(switch.channel, True)


def _moved_in(
    settings: Mapping[_Key, dict[Channel, bool]], key: _Key, channel: Channel, *, on: bool
) -> dict[_Key, dict[Channel, bool]]:
    moved = {**settings, key: _moved(settings.get(key, {}), channel, on=on)}
    return {one: channels for one, channels in moved.items() if channels}


def _moved(channels: Mapping[Channel, bool], channel: Channel, *, on: bool) -> dict[Channel, bool]:
    others = {one: is_on for one, is_on in channels.items() if one is not channel}
    return others if on else {**others, channel: False}


def _clean(text: str) -> str:
    return text.strip()[:_LONGEST_VALUE]
