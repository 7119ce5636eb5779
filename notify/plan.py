"""One page of notifications becomes deliveries."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
from django.db import transaction

from channels.vocabulary import Channel
from notify.policy import PAGE_SIZE
from notify.rules.ids import sibling_ids
from notify.rules.planning import PlannedDelivery, Told, plan, plan_fallback
from notify.store import pages, planning, types
from notify.store.sending import Known, Renderable
from notify.vocabulary import ClaimedPage, DeliveryStatus, NotificationStatus, PageStep, TypeRow
from preferences import store as people
from preferences.vocabulary import Category, RecipientFacts


class _Facts(msgspec.Struct, frozen=True):
    """All that a page's decisions rest on, gathered in bulk."""

    waiting: list[planning.PendingNotification]
    batches: dict[UUID, planning.BatchRow]
    types: dict[str, TypeRow]
    people: dict[int, RecipientFacts]
    tried: dict[UUID, list[Channel]]


class PlannedPage(msgspec.Struct, frozen=True):
    """A page to be sent, already in this process's hands, with what rendering would otherwise read again."""

    page: ClaimedPage
    known: Known


def plan_page(page_id: UUID) -> list[PlannedPage]:
    """Decide a page and write its deliveries; the answer is the pages to be sent, claimed for the caller.

    Running it twice is harmless: the page is gone with the transaction that wrote the deliveries.
    """
    page = pages.claim(page_id, (PageStep.PLAN, PageStep.FALLBACK))
    if page is None:
        return []
    with transaction.atomic():
        # The page's row lock orders this against a cancel: whoever comes second sees what the first has written.
        if not pages.finish(page):
            return []
        facts = _gather(page)
        decided = _decide(facts, plan_fallback if page.step is PageStep.FALLBACK else plan)
        deliveries = [delivery for group in decided.values() for delivery in group]
        groups = _groups(deliveries)
        new = _pages_to_send(page, groups)
        planning.insert_deliveries(deliveries)
        pages.insert(new)
        _settle(facts, decided)
    return _with_facts(new, groups, facts)


def _with_facts(
    new: Sequence[pages.NewPage], groups: Sequence[Sequence[PlannedDelivery]], facts: _Facts
) -> list[PlannedPage]:
    """The new pages, each with the facts of its deliveries."""
    told = {one.id.int: one for one in facts.waiting}
    return [
        PlannedPage(
            page.claimed(),
            Known(
                waiting=[_renderable(delivery, told[delivery.notification_id.int]) for delivery in group],
                batches=facts.batches,
                types=facts.types,
                people=facts.people,
            ),
        )
        for page, group in zip(new, groups, strict=True)
    ]


def _renderable(delivery: PlannedDelivery, told: planning.PendingNotification) -> Renderable:
    return Renderable(
        id=delivery.id,
        notification_id=told.id,
        recipient_id=told.recipient_id,
        channel=delivery.channel,
        type_key=told.type_key,
        batch_id=told.batch_id,
        sealed=told.sealed,
    )


def _gather(page: ClaimedPage) -> _Facts:
    """Six statements, whatever the page's size."""
    waiting = planning.notifications(page.ids)
    if not waiting:
        return _Facts([], {}, {}, {}, {})
    tried = planning.tried_channels([one.id for one in waiting]) if page.step is PageStep.FALLBACK else {}
    batches = planning.batches(list({one.batch_id for one in waiting}))
    kinds = types.types_for({one.type_key for one in waiting})
    channels = _channels(waiting, batches, kinds)
    facts = people.facts_for([one.recipient_id for one in waiting], channels)
    return _Facts(waiting, batches, kinds, facts, tried)


def _channels(
    waiting: Sequence[planning.PendingNotification],
    batches: dict[UUID, planning.BatchRow],
    kinds: dict[str, TypeRow],
) -> set[Channel]:
    """Every channel the page may use: addresses of the others need not be read."""
    named = {channel for one in waiting for channel in one.channels or ()}
    shared = {channel for batch in batches.values() for channel in (*(batch.channels or ()), *batch.fallback_channels)}
    usual = {Channel(word) for kind in kinds.values() for word in kind.channels}
    return named | shared | usual


def _decide(
    facts: _Facts, decide: Callable[[Told, RecipientFacts], list[PlannedDelivery]]
) -> dict[UUID, list[PlannedDelivery]]:
    """The deliveries of each notification of the page."""
    policies = {key: _policy(kind) for key, kind in facts.types.items()}
    return {
        one.id: decide(_told(one, facts, policies[one.type_key]), facts.people[one.recipient_id])
        for one in facts.waiting
        if one.recipient_id in facts.people
    }


class _Policy(msgspec.Struct, frozen=True):
    """What a type says, in the words of the rules: read once for a page."""

    category: Category
    mandatory: bool
    channels: list[Channel]


def _policy(kind: TypeRow) -> _Policy:
    return _Policy(Category(kind.category), kind.mandatory, [Channel(word) for word in kind.channels])


def _told(one: planning.PendingNotification, facts: _Facts, policy: _Policy) -> Told:
    batch = facts.batches[one.batch_id]
    tried = facts.tried.get(one.id, ()) if facts.tried else ()
    return Told(
        id=one.id,
        recipient_id=one.recipient_id,
        type_key=one.type_key,
        category=policy.category,
        mandatory=policy.mandatory,
        priority=one.priority,
        expires_at=one.expires_at,
        channels=one.channels or batch.channels or policy.channels,
        fallback_channels=batch.fallback_channels,
        tried=tried,
        planned_before=len(tried),
    )


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


def _settle(facts: _Facts, decided: dict[UUID, list[PlannedDelivery]]) -> None:
    """Store the status of notifications that planning itself has moved: suppressed, or no longer scheduled.

    What was accepted and will be sent keeps its word until `record` changes it: a write saved on the usual way.
    """
    moved: dict[NotificationStatus, list[UUID]] = {}
    for one in facts.waiting:
        status = _settled_status(one, decided.get(one.id, []), again=one.id in facts.tried)
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
    return NotificationStatus.FAILED if again else NotificationStatus.SUPPRESSED
