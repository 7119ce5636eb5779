"""How often one person is told: which counters a message stands on, and what becomes of it where one is full.

What is counted is a notification on a channel: three devices that ring once are one. In-app entries disturb nobody and
are not counted. Security has limits per address instead, which no type can lift: whoever asks for codes to somebody
else's number must not reach it more often than its owner would (S5 of reliability.md).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from channels.rules.windows import Counter, Place, Window, Wish
from channels.vocabulary import Channel
from notify.policy import CAP_WAIT
from notify.rules.decision import Answer
from notify.vocabulary import Action, OverCap, ReasonCode, Rule, TypeRow
from preferences.vocabulary import Category

_LIMIT = re.compile(r"(?:(\w+) )?(\d{1,9})/(\d{0,9})([smhd])")
_MILLISECOND = timedelta(milliseconds=1)
_CAP_WAIT_MS = CAP_WAIT // _MILLISECOND
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
#: What a one-time password reaches that costs somebody money or sleep.
_ADDRESSED = frozenset({Channel.SMS, Channel.EMAIL})

#: Channels that disturb somebody.
_COUNTED = frozenset(str(channel) for channel in Channel) - {Channel.IN_APP.value}

_SEND = Answer(Action.SEND)
_SUPPRESS = Answer(Action.SUPPRESS, Rule.FREQUENCY_CAP, ReasonCode.FREQUENCY_CAP)


class Limits(msgspec.Struct, frozen=True):
    """What the installation allows: windows per channel to one person, and of security to one address."""

    channels: dict[Channel, list[Window]]
    security: list[Window]
    #: What all people together may be sent on a channel.
    everybody: dict[Channel, list[Window]] = {}


class Bound(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A notification that would go to a person on a channel now."""

    notification_id: UUID
    recipient_id: int
    channel: Channel
    kind: TypeRow
    #: Blind index of the address; empty for push.
    index: bytes
    expires_at: datetime | None


def limits_of(channels: str, security: str, everybody: str = "") -> Limits:
    """Limits as settings write them: `push 30/1h, sms 5/1h` for channels, `3/10m, 10/1d` for security; or `none`.

    Raises ValueError with the part that is not understood.
    """
    named, bare, shared = _windows_of(channels), _windows_of(security), _windows_of(everybody)
    wrong = [word for word in [*named, *shared] if word not in _COUNTED] + [word for word in bare if word]
    if wrong:
        raise ValueError(f"'{wrong[0]}'")
    return Limits(_by_channel(named), bare.get("", []), _by_channel(shared))


def _by_channel(named: Mapping[str, list[Window]]) -> dict[Channel, list[Window]]:
    return {Channel(word): windows for word, windows in named.items()}


def _windows_of(written: str) -> dict[str, list[Window]]:
    """Windows by the word in front of them; empty where there is none."""
    if written.strip() == "none":
        return {}
    found: dict[str, list[Window]] = {}
    for part in filter(None, (part.strip() for part in written.split(","))):
        match = _LIMIT.fullmatch(part)
        most, span = (int(match[2]), int(match[3] or 1) * _SECONDS[match[4]]) if match is not None else (0, 0)
        if match is None or not most or not span:
            raise ValueError(f"'{part}'")
        found.setdefault(match[1] or "", []).append(Window(most, span * 1_000))
    return found


def member_of(notification_id: UUID) -> str:
    """A notification's name in a counter: its random half, as short as it can be."""
    return urlsafe_b64encode(notification_id.bytes[8:])[:11].decode()


def counters_of(one: Bound, limits: Limits) -> list[Counter]:
    """The counters on which it needs a place; none where nothing limits it."""
    if one.channel is Channel.IN_APP:
        return []
    kind, found = one.kind, []
    is_security = kind.category == Category.SECURITY
    if is_security and limits.security and one.channel in _ADDRESSED:
        index = one.index.hex()
        found.append(Counter(f"a:{one.channel}:{index}", limits.security, index))
    if kind.exempt_from_caps:
        return found
    owner = str(one.recipient_id)
    if not is_security and one.channel in limits.channels:
        found.append(Counter(f"p:{one.channel}:{one.recipient_id}", limits.channels[one.channel], owner))
    if kind.caps:
        windows = [Window(cap["max"], cap["per_seconds"] * 1_000) for cap in kind.caps]
        found.append(Counter(f"t:{one.recipient_id}:{kind.key}", windows, owner))
    return found


def later(now: datetime, wait_seconds: float) -> Answer:
    """The answer to one of those for whom there is no room among all people."""
    return Answer(Action.DEFER, Rule.FREQUENCY_CAP, until=now + timedelta(seconds=wait_seconds))


def wish_of(one: Bound, counters: Sequence[Counter], *, now: datetime, is_claim: bool) -> Wish:
    """What to ask the counters for. At the claim, what would have joined a digest waits instead: it has its words."""
    may_wait = one.kind.over_cap == OverCap.DEFER or (is_claim and one.kind.over_cap == OverCap.DIGEST)
    wait_ms = 0
    if may_wait and one.kind.category != Category.SECURITY:
        wait_ms = _CAP_WAIT_MS
        if one.expires_at is not None:
            wait_ms = min(wait_ms, max(0, (one.expires_at - now) // _MILLISECOND))
    return Wish(member_of(one.notification_id), wait_ms, list(counters))


def answer_of(one: Bound, place: Place, now: datetime) -> Answer:
    """What becomes of it, with the place it got or did not get."""
    if place.taken and not place.in_ms:
        return _SEND
    until = now + timedelta(milliseconds=place.in_ms)
    if place.taken:
        return Answer(Action.DEFER, Rule.FREQUENCY_CAP, until=until)
    is_digest = one.kind.over_cap == OverCap.DIGEST and one.kind.category != Category.SECURITY
    return Answer(Action.DIGEST, Rule.FREQUENCY_CAP, until=until) if is_digest else _SUPPRESS
