"""One page goes to the providers: claim, check again, send, record."""

from __future__ import annotations

import secrets
import time
from base64 import b64decode
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.utils import timezone

from channels.costs import is_over_budget
from channels.rules.sealing import seal
from channels.send import send_page
from channels.vocabulary import Channel
from notify import caps, collapse, conf, record
from notify.policy import DISPATCH_BUDGET, SENT_AT_LEAST, SENT_UNASKED
from notify.record import Tried
from notify.rules.cost import is_bound
from notify.rules.decision import UNTIL_RESUMED, Answer, Moment, Told, answer, is_exempt
from notify.rules.digest import is_digest
from notify.rules.leaving import way_out
from notify.rules.outcome import may_repeat
from notify.rules.planning import PlannedDelivery
from notify.rules.ready import Reach, Ready, entry_place, message_for, unpack
from notify.store import digests, halts, modes, pages, sending, types
from notify.vocabulary import (
    Action,
    ClaimedPage,
    DeliveryStatus,
    Halt,
    PageRef,
    PageStep,
    QuietHoursPolicy,
    ReasonCode,
    Rule,
    TypeRow,
)
from preferences import store as people
from preferences.rules.quiet import QuietClock
from preferences.vocabulary import Category, RecipientFacts

_TOKEN_BITS = 62
_UNTOLD = (DeliveryStatus.SUPPRESSED, DeliveryStatus.EXPIRED, DeliveryStatus.FAILED, DeliveryStatus.CANCELLED)
_PAUSED = Answer(Action.DEFER, Rule.PAUSED, until=UNTIL_RESUMED)
_encode = msgspec.json.Encoder().encode


def dispatch_page(page_id: UUID, sealed: str) -> list[PageRef]:
    """Claim a page that waited in its queue, open its words, and send it."""
    page = pages.claim(page_id, (PageStep.SEND,), with_ids=False)
    if page is None:
        return []
    return dispatch_claimed(page, unpack(conf.KEYRING.unseal_blob(b64decode(sealed), b"page:" + page.page_id.bytes)))


def dispatch_claimed(page: ClaimedPage, ready: Sequence[Ready]) -> list[PageRef]:
    """Send what of a page may still be sent; the answer names pages of fallback channels to be planned.

    No transaction is open while a provider is waited for. A process that dies in between leaves leases that end,
    and the page comes back.
    """
    token = secrets.randbits(_TOKEN_BITS)
    claimed = sending.claim_deliveries(page, [one.id for one in ready], token) if ready else []
    tried = _prepare(page, claimed, ready)
    _send(Channel(page.channel or ""), tried, time.monotonic() + DISPATCH_BUDGET.total_seconds())
    fallback = record.record_page(page, token, tried)
    give_back(page, tried)
    return fallback


def give_back(page: ClaimedPage, tried: Sequence[Tried]) -> None:
    """Free the places of whoever was not told after all."""
    caps.give_back(_bounds(Channel(page.channel or ""), [one for one in tried if _is_untold(one)]))


def dispatch_share(
    page: ClaimedPage,
    deliveries: Sequence[PlannedDelivery],
    ready: Sequence[Ready],
    facts: Mapping[int, RecipientFacts],
    *,
    deadline: float,
) -> list[Tried]:
    """Send what was decided a moment ago in this process, on the facts it was decided on; what became of each.

    Nothing is written. What all people together are sent is asked; the rest was asked just now. What could not start
    by the `deadline` (of `time.monotonic`) waits.
    """
    words = {one.id.int: one for one in ready}
    channel, planned_at = Channel(page.channel or ""), timezone.now()
    tried = [
        _address(page, channel, _claimed(one, planned_at), words[one.id.int], facts[one.recipient_id])
        for one in deliveries
        if one.id.int in words
    ]
    if channel is not Channel.IN_APP:
        going = [one for one in tried if one.message is not None and not one.ready.test]
        kinds = types.types_for({one.ready.type_key for one in going})
        shared = [not (kinds[one.ready.type_key].exempt_from_caps or _cannot_wait(page, one)) for one in going]
        _heed(going, caps.answers_for_all(channel, shared, planned_at))
    _send(channel, tried, deadline)
    return tried


def _claimed(one: PlannedDelivery, planned_at: datetime) -> sending.ClaimedDelivery:
    """A delivery that nobody else can hold, since it is written nowhere yet."""
    return sending.ClaimedDelivery(
        id=one.id,
        notification_id=one.notification_id,
        recipient_id=one.recipient_id,
        device_id=one.device_id,
        attempts=1,
        siblings=one.siblings,
        expires_at=one.expires_at,
        avoid="",
        ambiguous=0,
        planned_at=planned_at,
    )


class _Speed:
    """Messages a second that this process sent last, by channel."""

    known: dict[Channel, float] = {}


def _send(channel: Channel, tried: Sequence[Tried], deadline: float) -> None:
    """Offer what has a message to the providers, and keep each answer; what may be stopped goes by the second."""
    asked = _still_wanted([one for one in tried if one.message is not None])
    while asked:
        now, rest = _cut(channel, asked)
        began = time.monotonic()
        messages = [one.message for one in now if one.message is not None]
        for one, result in zip(now, send_page(channel, messages, deadline=deadline), strict=True):
            one.result = result
        _Speed.known[channel] = len(now) / max(time.monotonic() - began, 0.001)
        asked = _still_wanted(rest)


def _cut(channel: Channel, asked: list[Tried]) -> tuple[list[Tried], list[Tried]]:
    """What is sent before anybody asks again whether it may be: all, or of a campaign what takes about a second."""
    if all(one.ready.batch_id is None for one in asked):
        return asked, []
    size = max(SENT_AT_LEAST, int(_Speed.known.get(channel, 0) * SENT_UNASKED.total_seconds()))
    return asked[:size], asked[size:]


def _still_wanted(asked: list[Tried]) -> list[Tried]:
    """The same without what has been stopped meanwhile."""
    stopped = halts.halts() if any(one.ready.batch_id is not None for one in asked) else {}
    if not stopped:
        return asked
    for one in asked:
        halt = stopped.get(one.ready.batch_id) if one.ready.batch_id is not None else None
        if halt is not None:
            one.message = None
            one.refused, one.held = (ReasonCode.CANCELLED, None) if halt is Halt.CANCELLED else (None, _PAUSED)
    return [one for one in asked if one.message is not None]


def _prepare(page: ClaimedPage, claimed: Sequence[sending.ClaimedDelivery], ready: Sequence[Ready]) -> list[Tried]:
    """Check every claimed delivery against the facts of this moment, and address what may go."""
    if not claimed:
        return []
    facts = people.facts_for([one.recipient_id for one in claimed], (Channel(page.channel or ""),))
    moment = Moment(QuietClock(timezone.now()), modes.current_mode())
    nights = _nights({one.type_key for one in ready})
    stopped = halts.halts()
    # Integers: a UUID computes its hash in Python, each time anew.
    words = {one.id.int: one for one in ready}
    aimed: list[Tried] = []
    for one in claimed:
        mine = words[one.id.int]
        night = nights.get(mine.type_key, QuietHoursPolicy.DEFER)
        halt = stopped.get(mine.batch_id) if stopped and mine.batch_id is not None else None
        if halt is not None:
            aimed.append(_stopped(one, mine, halt))
        else:
            aimed.append(_aim(page, one, mine, facts.get(one.recipient_id), moment, night))
    return _within_caps(page, _within_budget(page, _made_anew(page, _uncollapsed(aimed), facts, moment)))


def _nights(type_keys: Collection[str]) -> dict[str, QuietHoursPolicy]:
    """What becomes of each type at night, as it is told now: the words may have waited for days."""
    return {key: QuietHoursPolicy(kind.quiet_hours) for key, kind in types.types_for(type_keys).items()}


def _uncollapsed(aimed: list[Tried]) -> list[Tried]:
    """The last word counts, also where it came while this one waited."""
    keyed = [one for one in aimed if one.message is not None and one.ready.collapse_key]
    gone = collapse.overtaken([one.delivery.notification_id for one in keyed])
    for one in keyed:
        if one.delivery.notification_id in gone:
            one.message, one.refused = None, ReasonCode.SUPERSEDED
    return aimed


def _made_anew(
    page: ClaimedPage, aimed: list[Tried], facts: Mapping[int, RecipientFacts], moment: Moment
) -> list[Tried]:
    """Never after no, in a digest on its way neither: one that tells what is unwanted by now is made anew."""
    made = [one for one in aimed if one.message is not None and is_digest(one.ready.type_key)]
    known = digests.gathered({one.delivery.notification_id for one in made}) if made else {}
    kinds = types.types_for({key for tells in known.values() for key in tells.type_keys})
    for one in made:
        tells = known.get(one.delivery.notification_id)
        if tells is None:
            continue
        members = [kinds[key] for key in tells.type_keys if key in kinds]
        if tells.has_left or _is_unwanted(page, one, members, facts[one.delivery.recipient_id], moment):
            one.message, one.refused = None, ReasonCode.SUPERSEDED
    return aimed


def _is_unwanted(
    page: ClaimedPage, digest: Tried, kinds: Sequence[TypeRow], person: RecipientFacts, moment: Moment
) -> bool:
    """Whether its reader has said no to the type of a member."""
    told = _told(page, digest.delivery, digest.ready, QuietHoursPolicy.DEFER)
    members = [msgspec.structs.replace(told, type_key=kind.key, mandatory=kind.mandatory) for kind in kinds]
    channel = Channel(page.channel or "")
    return any(answer(one, person, channel, moment).action is Action.SUPPRESS for one in members)


def _within_budget(page: ClaimedPage, aimed: list[Tried]) -> list[Tried]:
    """Planned long ago, sent now: what may not overspend stays here once its channel's budget is used up."""
    bound = [
        one
        for one in aimed
        if one.message is not None and is_bound(Category(one.ready.category), page.priority, test=one.ready.test)
    ]
    if bound and is_over_budget(Channel(page.channel or "")):
        for one in bound:
            one.message, one.refused = None, ReasonCode.BUDGET_EXHAUSTED
    return aimed


def _within_caps(page: ClaimedPage, aimed: list[Tried]) -> list[Tried]:
    """Planned a moment ago, it has its place; what waited for long, or was forgotten, is counted anew.

    After that comes what all people together are sent.
    """
    channel, now = Channel(page.channel or ""), timezone.now()
    going = [one for one in aimed if one.message is not None and not one.ready.test]
    if channel is Channel.IN_APP or not going:
        return aimed
    bounds = _bounds(channel, going)
    _heed(going, caps.answers_at_claim(bounds, now))
    left = [(one, mine) for one, mine in zip(going, bounds, strict=True) if one.message is not None]
    shared = [not (mine.kind.exempt_from_caps or _cannot_wait(page, one)) for one, mine in left]
    _heed([one for one, _ in left], caps.answers_for_all(channel, shared, now))
    return aimed


def _cannot_wait(page: ClaimedPage, one: Tried) -> bool:
    return is_exempt(Category(one.ready.category), page.priority)


def _heed(going: Sequence[Tried], answers: Sequence[Answer]) -> None:
    for one, said in zip(going, answers, strict=True):
        if said.action is Action.SUPPRESS:
            one.message, one.refused = None, said.reason
        elif said.action is not Action.SEND:
            one.message, one.held = None, said


def _bounds(channel: Channel, tried: Sequence[Tried]) -> list[caps.Bound]:
    """What the caps must know of claimed deliveries."""
    kinds = types.types_for({one.ready.type_key for one in tried})
    return [
        caps.Bound(
            notification_id=one.delivery.notification_id,
            recipient_id=one.delivery.recipient_id,
            channel=channel,
            kind=kinds[one.ready.type_key],
            index=one.index,
            expires_at=one.delivery.expires_at,
        )
        for one in tried
    ]


def _is_untold(one: Tried) -> bool:
    """Whether its notification ended here and nobody was told: then its places are free again."""
    is_alone = one.delivery.siblings == 1 and not one.ready.has_fallback
    return is_alone and one.outcome.status in _UNTOLD and not one.ready.test


def _stopped(delivery: sending.ClaimedDelivery, ready: Ready, halt: Halt) -> Tried:
    """What becomes of a delivery whose batch was stopped: it ends, or waits until its batch is let go."""
    if halt is Halt.CANCELLED:
        return Tried(delivery=delivery, ready=ready, refused=ReasonCode.CANCELLED)
    return Tried(delivery=delivery, ready=ready, held=_PAUSED)


def _aim(
    page: ClaimedPage,
    delivery: sending.ClaimedDelivery,
    ready: Ready,
    facts: RecipientFacts | None,
    moment: Moment,
    night: QuietHoursPolicy,
) -> Tried:
    """Never after no, and not at night: the same rules as at planning, on what is true now."""
    if facts is None:
        return Tried(delivery=delivery, ready=ready, refused=ReasonCode.USER_ERASED)
    channel = Channel(page.channel or "")
    said = answer(_told(page, delivery, ready, night), facts, channel, moment)
    if said.action is Action.SUPPRESS:
        return Tried(delivery=delivery, ready=ready, refused=said.reason)
    if said.action is not Action.SEND:
        return Tried(delivery=delivery, ready=ready, held=said)
    return _address(page, channel, delivery, ready, facts)


def _told(page: ClaimedPage, delivery: sending.ClaimedDelivery, ready: Ready, night: QuietHoursPolicy) -> Told:
    """What the rules must know of a claimed delivery; without channels, a mandatory type heeds no preference."""
    return Told(
        id=delivery.notification_id,
        recipient_id=delivery.recipient_id,
        type_key=ready.type_key,
        category=Category(ready.category),
        mandatory=ready.mandatory,
        priority=page.priority,
        expires_at=delivery.expires_at,
        test=ready.test,
        quiet_hours=night,
    )


def _address(
    page: ClaimedPage,
    channel: Channel,
    delivery: sending.ClaimedDelivery,
    ready: Ready,
    facts: RecipientFacts,
) -> Tried:
    """The message to the address as it is now; a device that has gone meanwhile is no device."""
    key = people.data_key(facts.wrapped_key, facts.id)
    endpoint = people.endpoint(facts, channel, delivery.device_id)
    if endpoint is None and channel is not Channel.IN_APP:
        gone = ReasonCode.NO_DEVICE if channel is Channel.PUSH else ReasonCode.NO_ADDRESS
        return Tried(delivery=delivery, ready=ready, refused=gone)
    entry = channel is Channel.IN_APP
    reach = Reach(
        notification_id=delivery.notification_id,
        recipient_id=delivery.recipient_id,
        address="" if endpoint is None else people.address_of(endpoint, key),
        platform=getattr(endpoint, "platform", None),
        sealed=seal(key, _encode(ready.content), entry_place(delivery.id)) if entry else b"",
        urgent=page.priority.is_urgent,
        expires_at=delivery.expires_at.timestamp() if delivery.expires_at is not None else None,
        trace_id=page.trace_id,
        unsubscribe_url=_way_out(delivery, ready) if channel is Channel.EMAIL else "",
    )
    routed = msgspec.structs.replace(
        message_for(channel, ready, reach),
        may_repeat=may_repeat(Category(ready.category), channel, page.priority, mandatory=ready.mandatory),
        country=facts.country_code,
        avoid=delivery.avoid,
    )
    return Tried(
        delivery=delivery,
        ready=ready,
        message=routed,
        index=endpoint.index if endpoint is not None else b"",
    )


def _way_out(delivery: sending.ClaimedDelivery, ready: Ready) -> str:
    """Where the reader of a mail says no to more of its kind."""
    leaving = way_out(
        delivery.recipient_id,
        delivery.id,
        Channel.EMAIL,
        category=Category(ready.category),
        type_key=ready.type_key,
        mandatory=ready.mandatory,
    )
    return conf.LINKS.leave_url(leaving) if leaving is not None else ""
