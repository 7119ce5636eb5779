"""Who has had enough for now: places on the counters, taken for a page in a few steps.

Redis counts for all processes. What it lost is read from the deliveries; while it is away planning counts there itself,
under locks that its transaction holds, so that two of them never tell one person too much.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import msgspec

from channels import windows
from channels.rules.windows import Counter, Log, Logs, Place, Wish
from channels.vocabulary import Channel
from notify import conf
from notify.policy import CAP_MARGIN, CAP_WAIT, MAX_SCHEDULE_AHEAD
from notify.rules.caps import Bound, answer_of, counters_of, later, member_of, wish_of
from notify.rules.decision import Answer
from notify.rules.planning import PlannedDelivery
from notify.store import caps as store
from notify.store import types
from notify.vocabulary import Action, DeliveryStatus, TypeRow
from preferences import store as people
from preferences.vocabulary import Category, RecipientFacts

__all__ = [
    "Bound",
    "Planned",
    "answers_at_claim",
    "answers_for",
    "answers_for_all",
    "give_back",
    "give_back_untold",
    "limit_planned",
]

_MARGIN_MS = CAP_MARGIN // timedelta(milliseconds=1)
_NOW = Answer(Action.SEND)
#: Where only security is counted by the address, which must then be looked up.
_ADDRESSED = (Channel.EMAIL, Channel.SMS)
#: The first status of what a full counter does not let go.
_STATUS = {
    Action.DEFER: DeliveryStatus.DEFERRED,
    Action.DIGEST: DeliveryStatus.DEFERRED,
    Action.SUPPRESS: DeliveryStatus.SUPPRESSED,
}


class Planned(msgspec.Struct, frozen=True, gc=False):
    """What must be known of a planned delivery to count it."""

    kind: TypeRow
    person: RecipientFacts
    test: bool


def limit_planned(
    deliveries: Sequence[PlannedDelivery], known: Mapping[UUID, Planned], now: datetime
) -> list[PlannedDelivery]:
    """The same deliveries, of which those too many wait, join a digest or end; belongs into planning's transaction.

    Only what would go now takes a place: what waits for another reason is counted when it goes.
    """
    going = [one for one in deliveries if one.status is DeliveryStatus.PLANNED and not known[one.notification_id].test]
    bounds = {_key(one): _bound(one, known[one.notification_id]) for one in going}
    answers = dict(zip(bounds, answers_for(list(bounds.values()), now), strict=True))
    counted = {one.id.int for one in going}
    return [_limited(one, answers[_key(one)]) if one.id.int in counted else one for one in deliveries]


def answers_for(bounds: Sequence[Bound], now: datetime, *, dry: bool = False) -> list[Answer]:
    """What becomes of each now that it is counted; with `dry`, what would become of it.

    While Redis is away it is counted here, in the running transaction.
    """
    wishes, asked = _wishes(bounds, now, is_claim=False)
    places = windows.take(wishes, partial(_recall, wishes, now), now_ms=_ms(now), margin_ms=_MARGIN_MS, dry=dry)
    if places is None:
        if not dry:
            store.hold([one.recipient_id for one in bounds])
        names = {counter.name for wish in wishes for counter in wish.counters}
        places = Logs(_recall(wishes, now, names), margin_ms=_MARGIN_MS).take(wishes, _ms(now))
    return _answers(bounds, asked, places, now)


def answers_at_claim(bounds: Sequence[Bound], now: datetime) -> list[Answer]:
    """The same for what is about to leave. Who was planned lately has its place; who waited for long asks anew.

    While Redis is away, whatever was planned may go: its row holds its place.
    """
    wishes, asked = _wishes(bounds, now, is_claim=True)
    places = windows.take(wishes, partial(_recall, wishes, now), now_ms=_ms(now), margin_ms=_MARGIN_MS)
    return _answers(bounds, asked, places, now) if places is not None else [_NOW] * len(bounds)


def answers_for_all(channel: Channel, bounds: Sequence[bool], now: datetime) -> list[Answer]:
    """What becomes of a page at the claim, for the sake of what everybody together is sent.

    For each message: whether that binds it; the others are counted first and go.
    """
    answers = [_NOW] * len(bounds)
    for at, window in enumerate(conf.CAPS.everybody.get(channel, ())):
        taken = windows.share(f"{channel}:{at}", window, len(bounds))
        bound = [place for place, is_bound in enumerate(bounds) if is_bound]
        missing = min(len(bounds) - taken.granted, len(bound))
        for held, place in enumerate(bound[len(bound) - missing :], start=1):
            answers[place] = later(now, max(1.0, taken.wait_seconds * held / missing))
    return answers


def give_back(bounds: Sequence[Bound]) -> None:
    """Free the places of what is not told after all."""
    windows.give_back(
        [(counter, member_of(one.notification_id)) for one in bounds for counter in counters_of(one, conf.CAPS)]
    )


def give_back_untold(notification_ids: Collection[UUID]) -> None:
    """Free the places of those among them of which nothing reached anybody, or will: cancelled, overtaken."""
    untold = store.untold(notification_ids)
    kinds = types.types_for({one.type_key for one in untold})
    secure = {one.recipient_id for one in untold if kinds[one.type_key].category == Category.SECURITY}
    facts = people.facts_for(list(secure), _ADDRESSED) if secure else {}
    give_back(
        [
            Bound(
                notification_id=one.notification_id,
                recipient_id=one.recipient_id,
                channel=channel,
                kind=kinds[one.type_key],
                index=index_of(facts[one.recipient_id], channel) if one.recipient_id in facts else b"",
                expires_at=None,
            )
            for one in untold
            for channel in one.channels
        ]
    )


def _key(one: PlannedDelivery) -> tuple[UUID, Channel]:
    return one.notification_id, one.channel


def _bound(one: PlannedDelivery, known: Planned) -> Bound:
    return Bound(
        notification_id=one.notification_id,
        recipient_id=one.recipient_id,
        channel=one.channel,
        kind=known.kind,
        index=index_of(known.person, one.channel),
        expires_at=one.expires_at,
    )


def index_of(person: RecipientFacts, channel: Channel) -> bytes:
    """The blind index of a person's address on a channel; empty where the channel has devices."""
    contact = person.email if channel is Channel.EMAIL else person.phone if channel is Channel.SMS else None
    return contact.index if contact is not None else b""


def _limited(one: PlannedDelivery, answer: Answer) -> PlannedDelivery:
    if answer.action is Action.SEND:
        return one
    is_digest = answer.action is Action.DIGEST
    return msgspec.structs.replace(
        one,
        status=_STATUS[answer.action],
        reason=answer.reason,
        rule=str(answer.rule),
        next_attempt_at=None if is_digest else answer.until,
        digest_at=answer.until if is_digest else None,
    )


def _wishes(bounds: Sequence[Bound], now: datetime, *, is_claim: bool) -> tuple[list[Wish], list[bool]]:
    """What to ask for, and of whom: nobody asks for what nothing limits."""
    counters = [counters_of(one, conf.CAPS) for one in bounds]
    wishes = [
        wish_of(one, mine, now=now, is_claim=is_claim) for one, mine in zip(bounds, counters, strict=True) if mine
    ]
    return wishes, [bool(mine) for mine in counters]


def _answers(bounds: Sequence[Bound], asked: Sequence[bool], places: Sequence[Place], now: datetime) -> list[Answer]:
    got = iter(places)
    return [answer_of(one, next(got), now) if was else _NOW for one, was in zip(bounds, asked, strict=True)]


def _recall(wishes: Sequence[Wish], now: datetime, names: Collection[str]) -> Mapping[str, Log]:
    """Counters as the deliveries tell them, as far back as their windows reach."""
    spans = [_reach(counter) for wish in wishes for counter in wish.counters if counter.name in names]
    if not spans:
        return {}
    return store.recall(names, since=now - max(spans), now=now, waits=CAP_WAIT, horizon=MAX_SCHEDULE_AHEAD)


def _reach(counter: Counter) -> timedelta:
    return timedelta(milliseconds=counter.span_ms) + CAP_MARGIN


def _ms(now: datetime) -> int:
    return int(now.timestamp() * 1_000)
