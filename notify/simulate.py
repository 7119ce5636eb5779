"""What a send would do, without doing it: nothing is written, published, counted or reserved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from channels.costs import is_dear, over_budget, quote
from channels.vocabulary import Channel
from notify import caps, conf
from notify.errors import RecipientsRejected
from notify.rules.content_limits import fit, shaped_sms
from notify.rules.cost import UNASKED
from notify.rules.decision import Answer, Leg, Moment, Told, decide
from notify.rules.ids import ENTROPY, new_ids
from notify.rules.intake import Call, Pinned, Rejection, check_request, expiry_of, own_variables, screened, when
from notify.rules.requests import RecipientItem
from notify.rules.simulation import (
    SimulatedDelivery,
    SimulatedRecipient,
    Simulation,
    Wording,
    simulated_delivery,
    totals_of,
)
from notify.rules.template_weave import TemplateFault
from notify.store import modes, templates, types
from notify.vocabulary import Action, Content, QuietHoursPolicy
from preferences import store as people
from preferences.rules.quiet import QuietClock, zone_name
from preferences.vocabulary import Category, RecipientFacts


class _Case(msgspec.Struct, frozen=True):
    """One recipient's share of the question."""

    item: RecipientItem
    variables: dict[str, Any]
    person: RecipientFacts


class _Decided(msgspec.Struct):
    """One recipient's share of the answer."""

    case: _Case
    told: Told
    at: datetime
    legs: list[Leg]


def simulate(call: Call) -> Simulation:
    """What `accept` and the steps behind it would make of this call at its instant.

    Refuses what a send would refuse, but for want of an idempotency key or of the scope of critical ones.
    """
    request = call.request
    kind = types.type_for(request.type)
    template_id = request.template_id or (kind.template_id if kind is not None else None)
    template = templates.published(template_id) if template_id and request.content is None else None
    pinned = check_request(call, kind, template_id, template)
    cases, rejected = _cases(call, pinned)
    if not cases:
        raise RecipientsRejected(rejected)
    recipients = [_recipient(call, pinned, one) for one in _decided(call, pinned, cases)]
    return Simulation(
        at=call.now,
        type=pinned.kind.key,
        priority=pinned.priority,
        template_id=template.template_id if template is not None else None,
        template_version=template.number if template is not None else None,
        system_mode=modes.current_mode(),
        totals=totals_of(recipients, rejected),
        recipients=recipients,
        rejected=rejected,
    )


def _cases(call: Call, pinned: Pinned) -> tuple[list[_Case], list[Rejection]]:
    """Those who would be accepted, and those who would be refused, each with the reason."""
    items = call.request.people()
    known = people.resolve([item.user_id for item in items])
    facts = people.facts_for([one.id for one in known.values()])
    cases: list[_Case] = []
    rejected: list[Rejection] = []
    seen: set[str] = set()
    for at, item in enumerate(items):
        recipient = known.get(item.user_id)
        checked = screened(item, recipient, seen) or own_variables(pinned, call.request.variables, item, at)
        if isinstance(checked, Rejection):
            rejected.append(checked)
        elif recipient is not None and recipient.id in facts:
            seen.add(item.user_id)
            cases.append(_Case(item, checked, facts[recipient.id]))
    return cases, rejected


def _decided(call: Call, pinned: Pinned, cases: Sequence[_Case]) -> list[_Decided]:
    """The decision for each, those of an instant together: a page of a scheduled send has one instant too."""
    instants: dict[datetime, list[_Decided]] = {}
    decided: list[_Decided] = []
    mode, exhausted = modes.current_mode(), over_budget()
    moments: dict[datetime, Moment] = {}
    for case in cases:
        scheduled_at = when(call.request.schedule_at, zone_name(case.person), now=call.now)
        at = scheduled_at or call.now
        moment = moments.setdefault(at, Moment(QuietClock(at), mode, exhausted, conf.DIGEST_HOUR))
        told = _told(call, pinned, case, expiry_of(call, pinned.kind, scheduled_at))
        one = _Decided(case, told, at, decide(told, case.person, moment))
        decided.append(one)
        instants.setdefault(at, []).append(one)
    for at, together in instants.items():
        _heed_caps(pinned, together, at)
    return decided


def _heed_caps(pinned: Pinned, decided: Sequence[_Decided], at: datetime) -> None:
    """Let wait, or end, what would be too much for its reader; the counters are read, and no place is taken."""
    going = {
        (one.told.id, leg.channel): one
        for one in decided
        for leg in one.legs
        if leg.answer.action is Action.SEND and not one.told.test
    }
    bounds = [
        caps.Bound(
            notification_id=name,
            recipient_id=one.told.recipient_id,
            channel=channel,
            kind=pinned.kind,
            index=caps.index_of(one.case.person, channel),
            expires_at=one.told.expires_at,
        )
        for (name, channel), one in going.items()
    ]
    answers = dict(zip(going, caps.answers_for(bounds, at, dry=True), strict=True))
    for one in decided:
        one.legs = [_capped(leg, answers.get((one.told.id, leg.channel))) for leg in one.legs]


def _capped(leg: Leg, answer: Answer | None) -> Leg:
    if answer is None or answer.action is Action.SEND or leg.answer.action is not Action.SEND:
        return leg
    return msgspec.structs.replace(leg, answer=msgspec.structs.replace(answer, overruled=leg.answer.overruled))


def _recipient(call: Call, pinned: Pinned, decided: _Decided) -> SimulatedRecipient:
    case = decided.case
    deliveries = list(_deliveries(call, pinned, case, decided.legs, decided.at))
    return SimulatedRecipient(
        user_id=case.item.user_id,
        at=decided.at,
        expires_at=decided.told.expires_at,
        timezone=zone_name(case.person),
        told=any(one.reason_code is None for one in deliveries),
        deliveries=deliveries,
    )


def _told(call: Call, pinned: Pinned, case: _Case, expires_at: datetime | None) -> Told:
    kind, request = pinned.kind, call.request
    asked = case.item.channels or request.channels
    channels = asked or [Channel(word) for word in kind.channels]
    category = Category(kind.category)
    return Told(
        id=new_ids(1, now=call.now, entropy=os.urandom(ENTROPY))[0],
        recipient_id=case.person.id,
        type_key=kind.key,
        category=category,
        mandatory=kind.mandatory,
        priority=pinned.priority,
        expires_at=expires_at,
        channels=channels,
        fallback_channels=request.fallback_channels,
        is_asked=asked is not None,
        worded=_worded(pinned),
        test=call.is_test,
        is_dear=category in UNASKED and is_dear(_number(case.person)),
        quiet_hours=QuietHoursPolicy(kind.quiet_hours),
        digestible=kind.digestible,
    )


def _worded(pinned: Pinned) -> list[Channel]:
    if pinned.template is None:
        return list(Channel)
    return [Channel(word) for word in templates.compiled(pinned.template.version_id).channels()]


def _number(person: RecipientFacts) -> str:
    """The number in clear, for its price; empty where there is none."""
    if person.phone is None or not person.wrapped_key:
        return ""
    return people.address_of(person.phone, people.data_key(person.wrapped_key, person.id))


def _deliveries(
    call: Call, pinned: Pinned, case: _Case, legs: Iterable[Leg], at: datetime
) -> Iterable[SimulatedDelivery]:
    """Each leg with its words, made once for a channel."""
    wordings: dict[Channel, Wording] = {}
    for leg in legs:
        if leg.carries and leg.channel not in wordings:
            wordings[leg.channel] = _wording(call, pinned, case, leg.channel)
        yield simulated_delivery(leg, wordings.get(leg.channel) if leg.carries else None, at)


def _wording(call: Call, pinned: Pinned, case: _Case, channel: Channel) -> Wording:
    """The words of a channel and their price; links are not marked, and there is no way out to follow."""
    try:
        content, locale = _content(call, pinned, case, channel)
    except TemplateFault as fault:
        return Wording(None, fault=f"{fault.code}: {fault.detail}")
    if channel is Channel.SMS:
        body = shaped_sms(content.body, most=conf.SMS_MAX_SEGMENTS, transliterate=conf.SMS_TRANSLITERATE)
        content = msgspec.structs.replace(content, body=body)
    cost = quote(channel, _number(case.person) if channel is Channel.SMS else "", content.body)
    return Wording(
        content,
        locale,
        segments=cost.units if channel is Channel.SMS else 0,
        cost_micros=0 if call.is_test else cost.micros,
    )


def _content(call: Call, pinned: Pinned, case: _Case, channel: Channel) -> tuple[Content, str]:
    if call.request.content is not None:
        return fit(channel, msgspec.convert(msgspec.to_builtins(call.request.content), Content)), ""
    if pinned.template is None:
        raise TemplateFault("no_content", "the type has no template, and the call no words")
    rendered = templates.compiled(pinned.template.version_id).render(
        channel, case.person.preferences.locale or case.person.locale, case.variables, _user(case.person)
    )
    return rendered.content, rendered.locale


def _user(person: RecipientFacts) -> Mapping[str, Any]:
    """What a template sees of its reader."""
    return {
        "user_id": person.user_id,
        "locale": person.preferences.locale or person.locale,
        "timezone": person.preferences.timezone or person.timezone,
        "attributes": person.attributes,
    }
