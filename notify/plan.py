"""One page of notifications becomes deliveries."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import transaction
from django.utils import timezone

from channels.costs import is_dear, over_budget
from channels.rules.sealing import Unreadable
from channels.vocabulary import Channel
from notify import caps, collapse, conf, record
from notify.policy import FEW_PEOPLE, LEASE, PAGE_SIZE
from notify.rules.cost import UNASKED
from notify.rules.decision import Moment, Told, shown_until
from notify.rules.digest import is_digest
from notify.rules.ids import ENTROPY, new_ids, sibling_ids
from notify.rules.lifecycle import roll_up
from notify.rules.planning import PlannedDelivery, plan, plan_fallback
from notify.store import digests, modes, pages, planning, recording, templates, types
from notify.store.sending import Known, Renderable
from notify.vocabulary import (
    ClaimedPage,
    DeliveryStatus,
    EventKind,
    NotificationStatus,
    PageStep,
    Priority,
    QuietHoursPolicy,
    ReasonCode,
    TypeRow,
)
from preferences import store as people
from preferences.rules.quiet import QuietClock
from preferences.vocabulary import Category, RecipientFacts


class _Facts(msgspec.Struct, frozen=True):
    """All that a page's decisions rest on, gathered in bulk."""

    waiting: list[planning.PendingNotification]
    batches: dict[UUID, planning.BatchRow]
    types: dict[str, TypeRow]
    people: dict[int, RecipientFacts]
    tried: dict[UUID, list[planning.TriedChannel]]
    moment: Moment


_Decide = Callable[[Told, RecipientFacts, Moment], list[PlannedDelivery]]


class PlannedPage(msgspec.Struct, frozen=True):
    """A page to be sent, already in this process's hands, with what rendering would otherwise read again."""

    page: ClaimedPage
    known: Known


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """People of a campaign who are told together; their notifications are not written."""

    told: list[planning.PendingNotification]
    batches: dict[UUID, planning.BatchRow]
    priority: Priority
    trace_id: str
    created_at: datetime


def plan_page(page_id: UUID) -> list[PlannedPage]:
    """Decide a page and write its deliveries; the answer is the pages to be sent, claimed for the caller.

    Running it twice is harmless: the page is gone with the transaction that wrote the deliveries.
    """
    page = pages.claim(page_id, (PageStep.PLAN, PageStep.FALLBACK))
    if page is None:
        return []
    moment = _this_moment()
    with transaction.atomic():
        # The page's row lock orders this against a cancel: whoever comes second sees what the first has written.
        if not pages.finish(page):
            return []
        facts = _gather(page, moment)
        deliveries, planned = _plan(page, facts, plan_fallback if page.step is PageStep.FALLBACK else plan)
        _settle(facts, deliveries)
        record.follow([one.id for one in facts.waiting if is_digest(one.type_key)])
    return planned


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of a share; nothing of it is written."""

    deliveries: list[PlannedDelivery]
    #: What may go now, a channel each, as the pages it would be, with what their words rest on.
    pages: list[PlannedPage]
    people: dict[int, RecipientFacts]
    events: list[recording.NewEvent]
    counted_in: dict[int, UUID]


def decide_share(share: Share) -> Decided:
    """Decide for people who are told the same, in five statements; their places on the counters are taken."""
    page = _page_of(share)
    kinds = types.types_for({one.type_key for one in share.told})
    with transaction.atomic():  # while Redis is away, places are taken under locks of a transaction
        known = _ask(page)([one.recipient_id for one in share.told], _channels(share.told, share.batches, kinds))
        facts = _Facts(share.told, share.batches, kinds, known, {}, _this_moment())
        deliveries = _decided(facts, plan)
    groups = _groups(deliveries)
    return Decided(
        deliveries=deliveries,
        pages=_with_facts(_pages_to_send(page, groups), groups, facts, _held_back(facts, deliveries)),
        people=known,
        events=list(_events(deliveries)),
        counted_in=_counted_in(facts),
    )


def _this_moment() -> Moment:
    return Moment(QuietClock(timezone.now()), modes.current_mode(), over_budget(), conf.DIGEST_HOUR)


def _page_of(share: Share) -> ClaimedPage:
    """A share as the page it would be if it had been written first."""
    ids = [one.id for one in share.told]
    return ClaimedPage(
        page_id=new_ids(1, now=share.created_at, entropy=os.urandom(ENTROPY))[0],
        step=PageStep.PLAN,
        priority=share.priority,
        channel=None,
        ids=ids,
        size=len(ids),
        claims=0,
        trace_id=share.trace_id,
        claimed_until=timezone.now() + LEASE,
    )


def _plan(page: ClaimedPage, facts: _Facts, decide: _Decide) -> tuple[list[PlannedDelivery], list[PlannedPage]]:
    """Decide for everybody on a page, and write deliveries, their pages and what else comes of it."""
    deliveries = _decided(facts, decide)
    groups = _groups(deliveries)
    new = _pages_to_send(page, groups)
    planning.insert_deliveries(deliveries, _counted_in(facts))
    pages.insert(new)
    recording.insert_events(list(_events(deliveries)))
    digests.insert([one for one in deliveries if one.digest_at is not None])
    return deliveries, _with_facts(new, groups, facts, _held_back(facts, deliveries))


def _decided(facts: _Facts, decide: _Decide) -> list[PlannedDelivery]:
    """Every delivery of a page, once those overtaken have ended and those that count have their places."""
    decided = _decide(facts, decide)
    told = collapse.collapse_planned([one for group in decided.values() for one in group], _keyed(facts))
    return caps.limit_planned(told, _counted(facts), facts.moment.quiet.now)


def _counted_in(facts: _Facts) -> dict[int, UUID]:
    """Of the notifications of campaigns, their batch: it is counted and stopped as a whole."""
    shared = {name for name, batch in facts.batches.items() if batch.sealed is not None}
    return {one.id.int: one.batch_id for one in facts.waiting if one.batch_id in shared} if shared else {}


def _with_facts(
    new: Sequence[pages.NewPage],
    groups: Sequence[Sequence[PlannedDelivery]],
    facts: _Facts,
    held_back: set[UUID],
) -> list[PlannedPage]:
    """The new pages, each with the facts of its deliveries."""
    told = {one.id.int: one for one in facts.waiting}
    return [
        PlannedPage(
            page.claimed(),
            Known(
                waiting=[_renderable(delivery, told[delivery.notification_id.int], held_back) for delivery in group],
                batches=facts.batches,
                types=facts.types,
                people=facts.people,
            ),
        )
        for page, group in zip(new, groups, strict=True)
    ]


def _held_back(facts: _Facts, deliveries: Sequence[PlannedDelivery]) -> set[UUID]:
    """Notifications of which a text message waits for the others to fail."""
    now = {one.notification_id for one in deliveries if one.reason is ReasonCode.SMS_NOT_JUSTIFIED}
    return now | {name for name, tried in facts.tried.items() if _is_held_back(tried)}


def _is_held_back(tried: Sequence[planning.TriedChannel]) -> bool:
    return [leg.reason for leg in tried if leg.channel is Channel.SMS] == [ReasonCode.SMS_NOT_JUSTIFIED]


def _renderable(delivery: PlannedDelivery, told: planning.PendingNotification, held_back: set[UUID]) -> Renderable:
    return Renderable(
        id=delivery.id,
        notification_id=told.id,
        recipient_id=told.recipient_id,
        channel=delivery.channel,
        fallback=delivery.fallback,
        stands_in=bool(held_back) and told.id in held_back,
        type_key=told.type_key,
        batch_id=told.batch_id,
        sealed=told.sealed,
    )


def _gather(page: ClaimedPage, moment: Moment) -> _Facts:
    """Six statements, whatever the page's size; fewer where people are remembered."""
    waiting = planning.notifications(page.ids)
    if not waiting:
        return _Facts([], {}, {}, {}, {}, moment)
    tried = planning.tried_channels([one.id for one in waiting]) if page.step is PageStep.FALLBACK else {}
    batches = planning.batches(list({one.batch_id for one in waiting}))
    kinds = types.types_for({one.type_key for one in waiting})
    channels = _channels(waiting, batches, kinds)
    facts = _ask(page)([one.recipient_id for one in waiting], channels)
    return _Facts(waiting, batches, kinds, facts, tried, moment)


def _ask(page: ClaimedPage) -> Callable[[Sequence[int], Collection[Channel]], dict[int, RecipientFacts]]:
    """Whom to ask about people: a crowd is told once, and remembering it would cost more than it gives (0033)."""
    is_crowd = not page.priority.is_urgent and len(page.ids) > FEW_PEOPLE
    return people.facts_for if is_crowd else people.recent_facts


def _channels(
    waiting: Sequence[planning.PendingNotification],
    batches: dict[UUID, planning.BatchRow],
    kinds: dict[str, TypeRow],
) -> set[Channel]:
    """Every channel the page may use: addresses of the others need not be read."""
    named = {channel for one in waiting for channel in one.channels or ()}
    shared = {channel for batch in batches.values() for channel in (*(batch.channels or ()), *batch.fallback_channels)}
    usual = {Channel(word) for kind in kinds.values() for word in kind.channels}
    wished = {channel for one in waiting for channel in _worded(batches[one.batch_id], one.priority)}
    return named | shared | usual | wished


def _worded(batch: planning.BatchRow, priority: Priority) -> Sequence[Channel]:
    """The channels a critical notification has words for: one of them may be the person's own choice for such."""
    if priority is not Priority.CRITICAL:
        return ()
    if batch.template_version_id is None:
        return tuple(Channel)
    return [Channel(word) for word in templates.compiled(batch.template_version_id).channels()]


def _decide(facts: _Facts, decide: _Decide) -> dict[UUID, list[PlannedDelivery]]:
    """The deliveries of each notification of the page."""
    policies = {key: _policy(kind) for key, kind in facts.types.items()}
    return {
        one.id: decide(_told(one, facts, policies[one.type_key]), facts.people[one.recipient_id], facts.moment)
        for one in facts.waiting
        if one.recipient_id in facts.people
    }


def _keyed(facts: _Facts) -> list[UUID]:
    """The notifications of which only the last word counts."""
    keyed = {name for name, batch in facts.batches.items() if batch.collapse_key}
    return [one.id for one in facts.waiting if one.batch_id in keyed] if keyed else []


def _counted(facts: _Facts) -> dict[UUID, caps.Planned]:
    """What the caps must know of each notification."""
    return {
        one.id: caps.Planned(
            facts.types[one.type_key], facts.people[one.recipient_id], facts.batches[one.batch_id].test
        )
        for one in facts.waiting
        if one.recipient_id in facts.people
    }


class _Policy(msgspec.Struct, frozen=True):
    """What a type says, in the words of the rules: read once for a page."""

    category: Category
    mandatory: bool
    channels: list[Channel]
    quiet_hours: QuietHoursPolicy
    digestible: bool


def _policy(kind: TypeRow) -> _Policy:
    channels, quiet_hours = [Channel(word) for word in kind.channels], QuietHoursPolicy(kind.quiet_hours)
    return _Policy(Category(kind.category), kind.mandatory, channels, quiet_hours, kind.digestible)


def _told(one: planning.PendingNotification, facts: _Facts, policy: _Policy) -> Told:
    batch = facts.batches[one.batch_id]
    tried = facts.tried.get(one.id, ()) if facts.tried else ()
    asked = one.channels or batch.channels
    channels = asked or policy.channels
    return Told(
        id=one.id,
        recipient_id=one.recipient_id,
        type_key=one.type_key,
        category=policy.category,
        mandatory=policy.mandatory,
        priority=one.priority,
        expires_at=one.expires_at,
        channels=channels,
        fallback_channels=batch.fallback_channels,
        tried=[leg.channel for leg in tried],
        planned_before=len(tried),
        is_asked=asked is not None,
        worded=_worded(batch, one.priority),
        test=batch.test,
        is_dear=_is_dear(policy.category, [*channels, *batch.fallback_channels], facts.people[one.recipient_id]),
        held_back=_is_held_back(tried),
        quiet_hours=policy.quiet_hours,
        digestible=policy.digestible,
    )


def _is_dear(category: Category, channels: Sequence[Channel], person: RecipientFacts) -> bool:
    """Whether a text to this person would be dear; the number is opened only for what the answer can decide."""
    if category not in UNASKED or Channel.SMS not in channels or person.phone is None or not person.wrapped_key:
        return False
    try:
        return is_dear(people.address_of(person.phone, people.data_key(person.wrapped_key, person.id)))
    except Unreadable:
        return False  # it will fail by itself, when its words are made


def _groups(deliveries: Sequence[PlannedDelivery]) -> list[list[PlannedDelivery]]:
    """What may go out, one channel each, in groups of at most a page."""
    channels: dict[Channel, list[PlannedDelivery]] = {}
    for delivery in deliveries:
        if delivery.status is DeliveryStatus.PLANNED:
            channels.setdefault(delivery.channel, []).append(delivery)
    return [group[at : at + PAGE_SIZE] for group in channels.values() for at in range(0, len(group), PAGE_SIZE)]


def _pages_to_send(page: ClaimedPage, groups: Sequence[Sequence[PlannedDelivery]]) -> list[pages.NewPage]:
    """A page of work for each group, held until the planned page's own lease ends."""
    names = sibling_ids([page.page_id] * len(groups), entropy=os.urandom(6 * len(groups)))
    return [
        pages.NewPage(
            id=name,
            step=PageStep.SEND,
            priority=page.priority,
            channel=group[0].channel,
            ids=[delivery.id for delivery in group],
            trace_id=page.trace_id,
            claimed_until=page.claimed_until,
        )
        for name, group in zip(names, groups, strict=True)
    ]


def _settle(facts: _Facts, deliveries: Sequence[PlannedDelivery]) -> None:
    """Store the status of notifications that planning itself has moved: ended, deferred, or no longer scheduled.

    What was accepted and will be sent keeps its word until `record` changes it: a write saved on the usual way.
    """
    moved: dict[NotificationStatus, list[UUID]] = {}
    planned: dict[UUID, list[PlannedDelivery]] = {}
    for delivery in deliveries:
        planned.setdefault(delivery.notification_id, []).append(delivery)
    for one in facts.waiting:
        status = _settled_status(one, planned.get(one.id, []), again=one.id in facts.tried)
        if status is not None:
            moved.setdefault(status, []).append(one.id)
    for status, ids in moved.items():
        planning.set_status(ids, status)


def _settled_status(
    one: planning.PendingNotification, planned: Sequence[PlannedDelivery], *, again: bool
) -> NotificationStatus | None:
    """The status to store, or None where the stored one may stay."""
    if any(delivery.status is DeliveryStatus.PLANNED for delivery in planned):
        return NotificationStatus.PROCESSING if one.status is not NotificationStatus.ACCEPTED and not again else None
    status = roll_up([delivery.status for delivery in planned], NotificationStatus.SUPPRESSED)
    is_over = again and status is not NotificationStatus.DEFERRED
    return NotificationStatus.FAILED if is_over else status


def _events(deliveries: Sequence[PlannedDelivery]) -> Iterator[recording.NewEvent]:
    """What the trace tells of a decision that its row will not show for ever: waiting, and who was overruled."""
    for one in deliveries:
        if one.overruled:
            yield _event(one, EventKind.OVERRULED, {"rules": list(one.overruled)})
        waits_for = one.next_attempt_at or one.digest_at
        if waits_for is not None:
            until = shown_until(waits_for)
            yield _event(one, EventKind.DEFERRED, {"step": "plan", "why": one.rule, "until": until})


def _event(one: PlannedDelivery, kind: EventKind, detail: dict[str, object]) -> recording.NewEvent:
    return recording.NewEvent(notification_id=one.notification_id, delivery_id=one.id, kind=kind, detail=detail)
