"""What was gathered for a person is told in one: digests become ordinary notifications.

A digest is made when it can go: while it is night for its reader, or they have heard enough, its members wait on, and
more may join. All rules are asked of each member once more. The digest and the mark on its members are written in one
transaction: a process that dies in between loses nothing and repeats nothing.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import transaction
from django.utils import timezone

from channels.rules.sealing import seal
from channels.vocabulary import Channel
from notify import caps, collapse, queue, record
from notify.policy import DIGEST_BUDGET, DIGEST_PEOPLE
from notify.rules.decision import Moment, Told, answer
from notify.rules.digest import MOST_LISTED, Item, item_of, type_key_of, type_row_of, variables_of
from notify.rules.ids import ENTROPY, new_ids
from notify.rules.ready import Ready, Unsendable
from notify.store import digests, intake, pages, planning, recording, templates, types
from notify.store.digests import Member
from notify.store.sending import Known, Renderable
from notify.vocabulary import (
    Action,
    DeliveryStatus,
    EventKind,
    NotificationStatus,
    PageRef,
    PageStep,
    Priority,
    QuietHoursPolicy,
    ReasonCode,
    Step,
    TypeRow,
)
from notify.words import words_of
from preferences import store as people
from preferences.rules.quiet import QuietClock
from preferences.vocabulary import Category, RecipientFacts

_encode = msgspec.json.Encoder().encode
_TRACE_BYTES = 16


class _Digest(msgspec.Struct, kw_only=True):
    """A digest in the making: whose, where, of what, and its members, oldest first."""

    recipient_id: int
    channel: Channel
    category: Category
    test: bool
    members: list[Member]
    id: UUID = UUID(int=0)
    kind: TypeRow
    person: RecipientFacts


class _Ended(msgspec.Struct, frozen=True):
    """Why a member is told by no digest."""

    status: DeliveryStatus
    reason: ReasonCode
    detail: str


_EXPIRED = _Ended(DeliveryStatus.EXPIRED, ReasonCode.EXPIRED, "")
_SUPERSEDED = _Ended(DeliveryStatus.SUPPRESSED, ReasonCode.SUPERSEDED, "")
_ERASED = _Ended(DeliveryStatus.SUPPRESSED, ReasonCode.USER_ERASED, "erased")


def make_digests() -> int:
    """Make the digests that are due; answers how many. Two processes at once do no harm: one of them does it all."""
    deadline = time.monotonic() + DIGEST_BUDGET.total_seconds()
    made = 0
    while time.monotonic() < deadline:
        with transaction.atomic():
            members = digests.take_due(DIGEST_PEOPLE)
            made += _tell(members) if members else 0
        if not members:
            break
    return made


def _tell(members: Sequence[Member]) -> int:
    """Make the digests of these members, or let them wait on; answers how many digests."""
    now = timezone.now()
    facts = people.facts_for(list({one.recipient_id for one in members}))
    kinds = types.types_for({one.type_key for one in members})
    moment = Moment(QuietClock(now))
    ended, kept = _screened(members, facts, kinds, moment)
    caps.give_back([_bound(one, kinds[one.type_key], facts[one.recipient_id]) for one in kept])
    ready = _held_back(_grouped(kept, facts, kinds), now, moment)
    words, failed = _words([one for digest in ready for one in _told_once(digest.members)[-MOST_LISTED:]], kinds, facts)
    wordless = _on_all_devices(failed, kept)
    ended |= wordless
    _end(members, ended)
    for digest in ready:
        digest.members = [one for one in digest.members if one.id not in wordless]
    full = [digest for digest in ready if digest.members]
    if full:
        _write(full, words, now)
    return len(full)


def _screened(
    members: Sequence[Member], facts: Mapping[int, RecipientFacts], kinds: Mapping[str, TypeRow], moment: Moment
) -> tuple[dict[UUID, _Ended], list[Member]]:
    """Never after no, in a digest neither: those that end here, and those that are told."""
    ended: dict[UUID, _Ended] = {}
    kept: list[Member] = []
    overtaken = collapse.overtaken([one.notification_id for one in members])
    for one in members:
        person, kind = facts.get(one.recipient_id), kinds.get(one.type_key)
        if person is None or kind is None:
            ended[one.id] = _ERASED
        elif one.expires_at is not None and one.expires_at <= moment.quiet.now:
            ended[one.id] = _EXPIRED
        elif one.notification_id in overtaken:
            ended[one.id] = _SUPERSEDED
        else:
            said = answer(_told(one, kind), person, Channel(one.channel), moment)
            if said.action is Action.SUPPRESS and said.reason is not None:
                ended[one.id] = _Ended(DeliveryStatus.SUPPRESSED, said.reason, str(said.rule))
            else:
                kept.append(one)
    return ended, kept


def _told(one: Member, kind: TypeRow) -> Told:
    """What the rules must know of a member; at night its digest waits, whatever it would have done alone."""
    return Told(
        id=one.notification_id,
        recipient_id=one.recipient_id,
        type_key=one.type_key,
        category=Category(kind.category),
        mandatory=kind.mandatory,
        priority=Priority(kind.priority),
        expires_at=None,
        test=one.test,
        quiet_hours=QuietHoursPolicy.DEFER,
    )


def _grouped(
    members: Sequence[Member], facts: Mapping[int, RecipientFacts], kinds: Mapping[str, TypeRow]
) -> list[_Digest]:
    """One digest for each person, channel and category; what is a test is told apart."""
    found: dict[tuple[int, str, str, bool], list[Member]] = {}
    for one in members:
        found.setdefault((one.recipient_id, one.channel, kinds[one.type_key].category, one.test), []).append(one)
    rows = _types({Category(category) for _, _, category, _ in found})
    return [
        _Digest(
            recipient_id=person,
            channel=Channel(channel),
            category=Category(category),
            test=test,
            members=group,
            kind=rows[Category(category)],
            person=facts[person],
        )
        for (person, channel, category, test), group in found.items()
    ]


def _types(categories: set[Category]) -> dict[Category, TypeRow]:
    """The digests' own types; written the first time that one is needed, for their owner to change."""
    known = types.types_for({type_key_of(category) for category in categories})
    rows = {category: known.get(type_key_of(category)) for category in categories}
    for category in [one for one, row in rows.items() if row is None]:
        rows[category] = types.add_type(type_row_of(category))
    return {category: row for category, row in rows.items() if row is not None}


def _held_back(ready: Sequence[_Digest], now: datetime, moment: Moment) -> list[_Digest]:
    """Those that can go now; the members of the others wait until they can."""
    nights = [None if one.test else moment.quiet.until(one.person) for one in ready]
    awake = [one for one, night in zip(ready, nights, strict=True) if night is None]
    said = caps.answers_for([_digest_bound(one) for one in awake if not one.test], now, dry=True)
    enough = iter(said)
    later = [(one, night) for one, night in zip(ready, nights, strict=True) if night is not None]
    free: list[_Digest] = []
    for one in awake:
        until = None if one.test else next(enough).until
        if until is None:
            free.append(one)
        else:
            later.append((one, until))
    digests.postpone([([member.id for member in one.members], until) for one, until in later])
    return free


def _digest_bound(one: _Digest) -> caps.Bound:
    return caps.Bound(
        notification_id=one.members[0].id,
        recipient_id=one.recipient_id,
        channel=one.channel,
        kind=one.kind,
        index=caps.index_of(one.person, one.channel),
        expires_at=None,
    )


def _bound(one: Member, kind: TypeRow, person: RecipientFacts) -> caps.Bound:
    channel = Channel(one.channel)
    return caps.Bound(
        notification_id=one.notification_id,
        recipient_id=one.recipient_id,
        channel=channel,
        kind=kind,
        index=caps.index_of(person, channel),
        expires_at=one.expires_at,
    )


def _words(
    members: Sequence[Member], kinds: Mapping[str, TypeRow], facts: Mapping[int, RecipientFacts]
) -> tuple[dict[UUID, Ready], dict[UUID, _Ended]]:
    """What each member's own message would have said; those that cannot say anything end here."""
    if not members:
        return {}, {}
    waiting = [
        Renderable(
            id=one.id,
            notification_id=one.notification_id,
            recipient_id=one.recipient_id,
            channel=one.channel,
            fallback=0,
            stands_in=False,
            type_key=one.type_key,
            batch_id=one.batch_id,
            sealed=one.sealed,
        )
        for one in members
    ]
    batches = planning.batches({one.batch_id for one in members})
    ready, wordless = words_of(Known(waiting=waiting, batches=batches, types=dict(kinds), people=dict(facts)))
    return {one.id: one for one in ready}, {one.delivery_id: _failed(one) for one in wordless}


def _told_once(members: Sequence[Member]) -> list[Member]:
    """One member for each notification, in their order: whoever has two devices is told everything once."""
    return list({one.notification_id: one for one in members}.values())


def _on_all_devices(wordless: Mapping[UUID, _Ended], members: Sequence[Member]) -> dict[UUID, _Ended]:
    """The same for all devices: what cannot be said to one of them cannot be said to any."""
    why = {(one.notification_id, one.channel): wordless[one.id] for one in members if one.id in wordless}
    found = {one.id: why.get((one.notification_id, one.channel)) for one in members} if why else {}
    return {name: one for name, one in found.items() if one is not None}


def _failed(one: Unsendable) -> _Ended:
    return _Ended(DeliveryStatus.FAILED, one.reason, one.detail)


def _end(members: Sequence[Member], ended: Mapping[UUID, _Ended]) -> None:
    """End members that no digest tells, each with its reason."""
    groups: dict[_Ended, list[UUID]] = {}
    for name, why in ended.items():
        groups.setdefault(why, []).append(name)
    for why, ids in groups.items():
        digests.end(ids, why.status.value, why.reason.value, why.detail)
    digests.leave(list(ended))
    record.end_notifications({one.notification_id for one in members if one.id in ended})


def _write(full: Sequence[_Digest], words: Mapping[UUID, Ready], now: datetime) -> None:
    """Write digests as notifications to be planned, and on each member which digest tells it."""
    for digest, name in zip(full, new_ids(len(full), now=now, entropy=os.urandom(ENTROPY * len(full))), strict=True):
        digest.id = name
    groups: dict[tuple[int, str, bool], list[_Digest]] = {}
    for digest in full:
        groups.setdefault((digest.members[-1].application_id, digest.kind.key, digest.test), []).append(digest)
    for (application_id, _, _), group in groups.items():
        _write_batch(application_id, group, words, now)
    digests.name_digests([(one.id, digest.id) for digest in full for one in digest.members])
    recording.insert_events(list(_events(full)))


def _write_batch(application_id: int, group: Sequence[_Digest], words: Mapping[UUID, Ready], now: datetime) -> None:
    """One kind of digest of one application, as if it had asked for them."""
    kind, trace_id = group[0].kind, secrets.token_hex(_TRACE_BYTES)
    template = templates.published(kind.template_id) if kind.template_id else None
    names = new_ids(2, now=now, entropy=os.urandom(2 * ENTROPY))
    batch = intake.NewBatch(
        id=names[0],
        application_id=application_id,
        type_key=kind.key,
        priority=Priority(kind.priority),
        template_version_id=template.version_id if template is not None else None,
        channels=None,
        fallback_channels=[],
        collapse_key=None,
        metadata=None,
        test=group[0].test,
        trace_id=trace_id,
        request_id="digest",
        total=len(group),
        created_at=now,
    )
    intake.insert_batch(batch)
    intake.insert_notifications(batch, [_notification(digest, words) for digest in group])
    cut = list(pages.in_pages([digest.id for digest in group]))
    page_ids = new_ids(len(cut), now=now, entropy=os.urandom(ENTROPY * len(cut)))
    pages.insert(
        [
            pages.NewPage(
                id=name, step=PageStep.PLAN, priority=batch.priority, channel=None, ids=ids, trace_id=trace_id
            )
            for name, ids in zip(page_ids, cut, strict=True)
        ]
    )
    queue.enqueue(Step.PLAN, [PageRef(page_id=name, priority=batch.priority) for name in page_ids])


def _notification(digest: _Digest, words: Mapping[UUID, Ready]) -> intake.NewNotification:
    key = people.data_key(digest.person.wrapped_key, digest.recipient_id)
    told = _told_once(digest.members)
    items = [_item(one, words[one.id]) for one in reversed(told[-MOST_LISTED:])]
    content = _encode({"v": variables_of(items, len(told))})
    return intake.NewNotification(
        id=digest.id,
        recipient_id=digest.recipient_id,
        status=NotificationStatus.ACCEPTED,
        channels=[digest.channel],
        sealed=seal(key, content, b"notification.sealed:" + digest.id.bytes),
        scheduled_at=None,
        expires_at=None,
    )


def _item(one: Member, words: Ready) -> Item:
    return item_of(words.content, one.type_key, one.created_at)


def _events(full: Sequence[_Digest]) -> Iterator[recording.NewEvent]:
    """What the trace of each member tells: the digest, and how many it holds."""
    for digest in full:
        detail: dict[str, object] = {"digest": str(digest.id), "count": len(_told_once(digest.members))}
        for one in digest.members:
            yield recording.NewEvent(
                notification_id=one.notification_id, delivery_id=one.id, kind=EventKind.DIGESTED, detail=detail
            )
