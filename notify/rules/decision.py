"""Who is told what, on which channel, when: every rule in its order, over facts alone (decision 0028).

For each channel the rules speak in the order of `ORDER`, and the first that objects decides. What refuses for good
comes before what merely lets wait, and last comes what counts, since only what really goes is counted. The table with
their reasons is docs/why.md, and a test holds the two together.

Nothing is remembered: whoever asks again, a minute or a night later, brings the facts of that moment.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time
from typing import Final
from uuid import UUID

import msgspec

from channels.vocabulary import Channel
from notify.rules.cost import is_bound, is_justified
from notify.rules.digest import due_at
from notify.vocabulary import Action, Priority, QuietHoursPolicy, ReasonCode, Rule, SystemMode
from preferences.rules.quiet import QuietClock, zone_name, zone_of
from preferences.rules.verdict import verdict
from preferences.vocabulary import Category, Deny, DenyReason, DigestFrequency, Ground, RecipientFacts

#: The rules as they are asked: what the person, the address and the law say, then what we ourselves do.
ORDER: Final[tuple[Ground | Rule, ...]] = (*Ground, *Rule)

#: The same by their words.
RULES: Final[dict[str, Ground | Rule]] = {str(one): one for one in ORDER}
#: In the place of an instant that only somebody will bring, by letting a campaign go on or by changing the system's
#: mode (PostgreSQL sorts them to the end).
UNTIL_RESUMED = datetime(9999, 12, 29, tzinfo=UTC)
UNTIL_EASED = datetime(9999, 12, 30, tzinfo=UTC)
UNTIL_NORMAL = datetime(9999, 12, 31, tzinfo=UTC)

_MAIL: Final = frozenset({Channel.EMAIL})
_TEXT: Final = frozenset({Channel.SMS})
_PUSH: Final = frozenset({Channel.PUSH})
#: Channels a rule has something to say about; the others concern all.
_ABOUT: Final[dict[Ground | Rule, frozenset[Channel]]] = {
    Ground.SMS_NEVER: _TEXT,
    Ground.NO_EMAIL: _MAIL,
    Ground.NO_PHONE: _TEXT,
    Ground.NO_DEVICE: _PUSH,
    Rule.SMS_COST: _TEXT,
    Rule.DIGEST: frozenset(Channel) - {Channel.IN_APP},
    Rule.QUIET_HOURS: frozenset(Channel) - {Channel.IN_APP},
}


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What must be known of a notification to decide about it."""

    id: UUID
    recipient_id: int
    type_key: str
    category: Category
    mandatory: bool
    priority: Priority
    expires_at: datetime | None
    channels: Sequence[Channel] = ()
    fallback_channels: Sequence[Channel] = ()
    #: Channels that already have deliveries, and how many those are: only when a fallback is planned.
    tried: Sequence[Channel] = ()
    planned_before: int = 0
    #: Whether the caller named the channels; otherwise they are the type's.
    is_asked: bool = True
    #: Channels there are words for: none other is added to the type's.
    worded: Collection[Channel] = ()
    test: bool = False
    #: Whether a text message to this person passes the price up to which nobody need ask for it.
    is_dear: bool = False
    #: When a fallback is planned: SMS was not justified beside the others, which have failed by now.
    held_back: bool = False
    quiet_hours: QuietHoursPolicy = QuietHoursPolicy.DEFER
    #: Whether a person may have it gathered; at the claim it no longer joins anything.
    digestible: bool = False


class Moment(msgspec.Struct, frozen=True, gc=False):
    """What holds for everybody on a page."""

    #: The instant decided for, and people's clocks at it.
    quiet: QuietClock
    mode: SystemMode = SystemMode.NORMAL
    #: Channels whose budget is used up.
    exhausted: frozenset[Channel] = frozenset()
    #: When daily and weekly digests are made, on each person's clock.
    digest_hour: time = time(9)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What becomes of a notification on one channel, and by which rule."""

    action: Action
    #: None: nobody objected.
    rule: Ground | Rule | None = None
    #: Why it ends; only with suppress and expire.
    reason: ReasonCode | None = None
    #: When to decide anew; only with defer and digest.
    until: datetime | None = None
    #: Rules that objected in vain, because the notification is mandatory, or too urgent for them.
    overruled: tuple[Ground | Rule, ...] = ()


class Leg(msgspec.Struct, frozen=True, gc=False):
    """An endpoint of a channel with its answer; one without endpoint where the channel is refused."""

    channel: Channel
    device_id: int | None
    hint: str
    fallback: int
    answer: Answer
    #: The second of its kind: a text message that was held back at first.
    again: bool = False

    @property
    def carries(self) -> bool:
        """Whether it goes, now or later."""
        return self.answer.reason is None


_SEND = Answer(Action.SEND)
# Refusals are values without a recipient: made once, since a page asks for hundreds.
_DENIED = {
    (reason, ground): Answer(Action.SUPPRESS, ground, ReasonCode(reason)) for reason in DenyReason for ground in Ground
}
_OVER_BUDGET = Answer(Action.SUPPRESS, Rule.BUDGET, ReasonCode.BUDGET_EXHAUSTED)
_NOT_JUSTIFIED = Answer(Action.SUPPRESS, Rule.SMS_COST, ReasonCode.SMS_NOT_JUSTIFIED)
_DROPPED = Answer(Action.SUPPRESS, Rule.QUIET_HOURS, ReasonCode.QUIET_HOURS)
_TOO_LATE = Answer(Action.EXPIRE, Rule.QUIET_HOURS, ReasonCode.EXPIRED)
_EASED = Answer(Action.DEFER, Rule.SYSTEM_MODE, until=UNTIL_EASED)
_NORMAL = Answer(Action.DEFER, Rule.SYSTEM_MODE, until=UNTIL_NORMAL)


def decide(told: Told, facts: RecipientFacts, moment: Moment) -> list[Leg]:
    """A leg for each endpoint that may be reached, now or later, and for each channel that may not.

    Fallback channels join at once, in order, when none of the others can carry it.
    """
    channels = wanted_channels(told, facts)
    legs = _weighed(told, facts, [leg for channel in channels for leg in _legs(told, facts, channel, 0, moment)])
    if not any(leg.carries for leg in legs):
        legs += _fallback_legs(told, facts, moment)
    return legs


def decide_fallback(told: Told, facts: RecipientFacts, moment: Moment) -> list[Leg]:
    """The legs of the next fallback channel that can carry the notification, after the tried ones failed.

    A text message that was held back for the sake of the others is the last of them.
    """
    legs = _fallback_legs(told, facts, moment)
    if told.held_back and not any(leg.carries for leg in legs):
        rank = len(told.fallback_channels) + 1
        found = _weighed(told, facts, _legs(told, facts, Channel.SMS, rank, moment))
        legs += [msgspec.structs.replace(leg, again=True) for leg in found if leg.carries]
    return legs


def answer(told: Told, facts: RecipientFacts, channel: Channel, moment: Moment) -> Answer:
    """What one channel's rules say; whether a text message is worth its money depends on the others, and comes after.

    Asked again at the claim, with no channels in `told`: then a mandatory type heeds no preference.
    """
    said = verdict(
        facts,
        channel=channel,
        type_key=told.type_key,
        category=told.category,
        mandatory=told.mandatory,
        among=told.channels,
    )
    if isinstance(said, Deny):
        return _DENIED[said.reason, said.ground]
    if channel in moment.exhausted and is_bound(told.category, told.priority, test=told.test):
        return _OVER_BUDGET
    held = _held(told, facts, channel, moment)
    if said.despite is not None:
        return msgspec.structs.replace(held, overruled=(said.despite, *held.overruled))
    return held


def wanted_channels(told: Told, facts: RecipientFacts) -> Sequence[Channel]:
    """The channels of a notification, the person's favourite first.

    Where it is critical and the caller left the choice to the type, the channel the person named for that joins in.
    """
    preferences, channels = facts.preferences, told.channels
    critical = preferences.critical_channel
    if critical is not None and told.priority is Priority.CRITICAL and not told.is_asked:
        if critical in channels or critical in told.worded:
            return [critical, *(one for one in channels if one is not critical)]
        return channels
    if not preferences.channel_order:
        return channels
    order = preferences.channel_order
    return sorted(channels, key=lambda one: order.index(one) if one in order else len(order))


def asked_until(rule: Ground | Rule | None, channel: Channel) -> list[Ground | Rule]:
    """The rules that are asked on a channel before `rule` objects, and it; all of them where none did."""
    last = ORDER.index(rule) + 1 if rule is not None else len(ORDER)
    everywhere = frozenset(Channel)
    return [one for one in ORDER[:last] if channel in _ABOUT.get(one, everywhere)]


def shown_until(until: datetime) -> str | None:
    """An instant of waiting in words; None for one that only somebody will bring."""
    return until.isoformat() if until < UNTIL_RESUMED else None


def eased(mode: SystemMode) -> list[datetime]:
    """The instants in the place of one that have come now that this is the mode."""
    if mode is SystemMode.NORMAL:
        return [UNTIL_EASED, UNTIL_NORMAL]
    return [UNTIL_EASED] if mode is SystemMode.DEGRADED else []


def is_exempt(category: Category, priority: Priority) -> bool:
    """What goes at any hour and in any mode: the critical, and what is about security."""
    return priority is Priority.CRITICAL or category is Category.SECURITY


def _held(told: Told, facts: RecipientFacts, channel: Channel, moment: Moment) -> Answer:
    """What lets a notification wait that may go: the system's mode, then the person's night."""
    if moment.mode is not SystemMode.NORMAL and not is_exempt(told.category, told.priority):
        if told.priority is Priority.LOW or (told.category is Category.MARKETING and channel is Channel.EMAIL):
            return _NORMAL
        if moment.mode is SystemMode.CRITICAL:
            return _EASED
    if channel is Channel.IN_APP:
        return _SEND
    if told.digestible and not is_exempt(told.category, told.priority):
        gathered_at = _gathered_at(facts, moment)
        if gathered_at is not None:
            return Answer(Action.DIGEST, Rule.DIGEST, until=gathered_at)
    end = moment.quiet.until(facts)
    return _SEND if end is None else _at_night(told, end)


def _gathered_at(facts: RecipientFacts, moment: Moment) -> datetime | None:
    """When the digest is made for which the person has asked; None: they want to hear at once."""
    frequency = facts.preferences.digest_frequency
    if frequency is DigestFrequency.REALTIME:
        return None
    return due_at(frequency, moment.quiet.now, zone_of(zone_name(facts)), moment.digest_hour)


def _at_night(told: Told, end: datetime) -> Answer:
    policy = told.quiet_hours
    if policy is QuietHoursPolicy.BYPASS or is_exempt(told.category, told.priority):
        return Answer(Action.SEND, overruled=(Rule.QUIET_HOURS,))
    if policy is QuietHoursPolicy.DROP:
        return _DROPPED
    if told.expires_at is not None and end >= told.expires_at:
        return _TOO_LATE
    action = Action.DIGEST if policy is QuietHoursPolicy.DIGEST else Action.DEFER
    return Answer(action, Rule.QUIET_HOURS, until=end)


def _legs(told: Told, facts: RecipientFacts, channel: Channel, rank: int, moment: Moment) -> list[Leg]:
    """The endpoints of a channel, or one leg that says why there are none."""
    said = answer(told, facts, channel, moment)
    if said.reason is not None:
        return [Leg(channel, None, "", rank, said)]
    if channel is Channel.PUSH:
        return [Leg(channel, device.id, device.hint, rank, said) for device in facts.devices]
    contact = facts.email if channel is Channel.EMAIL else facts.phone if channel is Channel.SMS else None
    return [Leg(channel, None, contact.hint if contact is not None else "", rank, said)]


def _weighed(told: Told, facts: RecipientFacts, legs: list[Leg]) -> list[Leg]:
    """The same, with text messages taken out that are not worth their money beside the others."""
    sms = next((leg for leg in legs if leg.channel is Channel.SMS and leg.carries), None)
    if sms is None or not is_bound(told.category, told.priority, test=told.test):
        return legs
    justified = is_justified(
        type_key=told.type_key,
        category=told.category,
        priority=told.priority,
        preferences=facts.preferences,
        is_asked=told.is_asked and not sms.fallback,
        is_fallback=bool(sms.fallback),
        is_dear=told.is_dear,
        others={leg.channel for leg in legs if leg.carries and leg is not sms},
    )
    if justified:
        return legs
    refused = msgspec.structs.replace(sms, answer=_NOT_JUSTIFIED)
    return [refused if leg is sms else leg for leg in legs]


def _fallback_legs(told: Told, facts: RecipientFacts, moment: Moment) -> list[Leg]:
    """Legs of the untried fallback channels up to and including the first that can be reached."""
    found: list[Leg] = []
    done = {*told.tried, *(told.channels if not told.tried else ())}
    for rank, channel in enumerate(told.fallback_channels, start=1):
        if channel in done:
            continue
        legs = _weighed(told, facts, _legs(told, facts, channel, rank, moment))
        found += legs
        if any(leg.carries for leg in legs):
            break
    return found
