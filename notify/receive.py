"""What providers say afterwards: kept at once, applied from the queue.

`take` answers a callback: proven, cut into receipts, written in one statement. `receive` works them off by the page,
whichever process is free, and writes through `record` like everybody.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from uuid import UUID

import msgspec
import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from channels import receipts as callbacks
from channels.vocabulary import Channel, Receipt, ReceiptKind
from notify import hygiene, metrics, queue, record
from notify.policy import RECEIPT_PAGE, RECEIVE_BUDGET, RETRIES
from notify.rules.receipts import SILENT, Change, Ruling, Standing, in_telling_order, judge, next_look
from notify.store import receipts, recording
from notify.store.receipts import ReceiptRow, Subject
from notify.vocabulary import OURSELVES, DeliveryStatus, EventKind, ReceiptOutcome, Step
from preferences import store as people

log = structlog.get_logger(__name__)

#: Characters of a provider's own words that are kept.
_CODE, _DETAIL, _NAME = 100, 500, 200
#: A provider's clock may be wrong; ours bounds it.
_OLDEST = timedelta(days=30)


class _Story(msgspec.Struct, gc=False):
    """What the receipts of a page make of one delivery, as it unfolds."""

    subject: Subject
    standing: Standing
    avoid: str
    detail: str
    arrived_at: datetime | None = None
    opened_at: datetime | None = None
    clicked_at: datetime | None = None
    events: list[recording.NewEvent] = []


class _Desk(msgspec.Struct, gc=False):
    """A page of receipts in work."""

    now: datetime
    #: By delivery; only those this transaction holds.
    stories: dict[UUID, _Story]
    #: Deliveries that exist, held or not.
    known: Mapping[UUID, UUID]
    closed: dict[int, ReceiptOutcome] = {}
    waiting: dict[int, datetime] = {}
    #: Receipts that say something of an address, and the delivery they say it by.
    telling: list[tuple[ReceiptRow, Subject | None]] = []


def take(account_name: str, *, query: str, headers: Mapping[str, str], body: bytes) -> int:
    """Keep what a provider tells of an account; the number of events that were not known yet.

    Raises what `channels.receipts.read` raises; then nothing is kept.
    """
    call = callbacks.read(account_name, query=query, headers=headers, body=body)
    now = timezone.now()
    rows = [_row(call.channel, one, now) for one in call.receipts]
    if not rows:
        return 0
    metrics.receipts_came(account_name, Counter(one.kind.value for one in rows))
    with transaction.atomic():
        added = receipts.insert(account_name, call.channel, rows)
        if added:
            queue.nudge(Step.RECEIVE)
    return added


def receive() -> int:
    """Apply the receipts whose time has come, for a while; how many were looked at."""
    started, seen = time.monotonic(), 0
    while count := _receive_page():
        seen += count
        if time.monotonic() - started > RECEIVE_BUDGET.total_seconds():
            queue.nudge(Step.RECEIVE)
            break
    return seen


def _row(channel: Channel, receipt: Receipt, now: datetime) -> receipts.NewReceipt:
    """A receipt as it is kept: the address only as its keyed hash."""
    return receipts.NewReceipt(
        event_id=_name(receipt.event_id),
        kind=receipt.kind,
        delivery_id=receipt.delivery_id,
        provider_message_id=_text(receipt.provider_message_id, _NAME),
        address_index=people.index_on(channel, receipt.address) if receipt.address else b"",
        code=_text(receipt.code, _CODE),
        detail=_text(receipt.detail, _DETAIL),
        by_machine=receipt.by_machine,
        occurred_at=_instant(receipt.occurred_at, now),
    )


def _name(event_id: str) -> str:
    """An event's id in bounded length: a long one by its hash."""
    return event_id if len(event_id) <= _NAME and "\0" not in event_id else blake2b(event_id.encode()).hexdigest()


def _text(words: str, most: int) -> str:
    return words.replace("\0", "")[:most]


def _instant(at: float | None, now: datetime) -> datetime:
    if at is None or not (now - _OLDEST).timestamp() <= at <= now.timestamp():
        return now
    return datetime.fromtimestamp(at, UTC)


def _receive_page() -> int:
    """One page in one transaction: a process that dies leaves it as it was."""
    page: list[ReceiptRow] = []
    try:
        with transaction.atomic():
            page = receipts.claim(RECEIPT_PAGE)
            _apply(page)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # one receipt must not hold up the others of its page
        log.exception("receipts.page_failed", receipts=len(page))
        for one in page:
            _receive_alone(one)
    return len(page)


def _receive_alone(receipt: ReceiptRow) -> None:
    """One receipt of a page that failed; if it is the one, it waits like any other, and is given up in the end."""
    try:
        with transaction.atomic():
            _apply(receipts.claim(1, [receipt.id]))
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # as above
        log.exception("receipts.failed", receipt=receipt.id)
        desk = _Desk(timezone.now(), {}, {})
        _wait(desk, receipt)
        receipts.close(desk.closed)
        receipts.postpone(desk.waiting)


def _apply(page: Sequence[ReceiptRow]) -> None:
    """Judge a page and write it, in a number of statements that does not grow with it."""
    if not page:
        return
    desk = _gather(page)
    for one in sorted(page, key=lambda row: in_telling_order(row.occurred_at, row.kind)):
        _hear(desk, one)
    heard = [_heard(one) for one in desk.stories.values() if _has_news(one)]
    queue.enqueue(Step.PLAN, record.record_receipts(heard))
    hygiene.apply(_findings(desk))
    receipts.close(desk.closed)
    receipts.postpone(desk.waiting)


def _gather(page: Sequence[ReceiptRow]) -> _Desk:
    now = timezone.now()
    named = sorted({one.delivery_id for one in page if one.delivery_id is not None})
    known = receipts.families(named) if named else {}
    if not known:
        return _Desk(now, {}, known)
    notification_ids = sorted(set(known.values()))
    held = receipts.hold(sorted(known), notification_ids)
    asked = receipts.asked(notification_ids)
    return _Desk(now, {one.id: _story(one, asked.get(one.id, set()), now) for one in held}, known)


def _story(subject: Subject, accounts: set[str], now: datetime) -> _Story:
    has_time = subject.expires_at is None or subject.expires_at > now
    standing = Standing(
        status=subject.status,
        reason=subject.reason,
        holder=subject.provider,
        accounts=frozenset(accounts),
        is_leased=subject.is_leased,
        has_another_try=has_time and not subject.avoid and subject.attempts <= RETRIES[subject.priority].retries,
    )
    return _Story(subject, standing, subject.avoid, "")


def _hear(desk: _Desk, receipt: ReceiptRow) -> None:
    """One receipt: to its delivery, to an address, or nowhere."""
    if receipt.delivery_id is None:
        desk.closed[receipt.id] = ReceiptOutcome.ADDRESS if receipt.address_index else ReceiptOutcome.UNKNOWN
        desk.telling.append((receipt, None))
        return
    if receipt.delivery_id not in desk.known:
        # Rows are committed before a provider is asked, so what is not there now never was, or is forgotten by now.
        desk.closed[receipt.id] = ReceiptOutcome.ORPHANED
        desk.telling.append((receipt, None))
        return
    story = desk.stories.get(receipt.delivery_id)
    ruling = Ruling.WAITS if story is None else judge(story.standing, _teller(story, receipt), receipt.kind)
    if story is None or ruling is Ruling.WAITS:
        _wait(desk, receipt)
    elif ruling is Ruling.FOREIGN:
        log.warning("receipts.foreign", provider=receipt.account, delivery=str(receipt.delivery_id))
        desk.closed[receipt.id] = ReceiptOutcome.FOREIGN
    else:
        desk.closed[receipt.id] = ReceiptOutcome.NOTED if ruling is Ruling.STAYS else ReceiptOutcome.APPLIED
        desk.telling.append((receipt, story.subject))
        _tell(story, receipt, ruling)


def _teller(story: _Story, receipt: ReceiptRow) -> str:
    """The account whose message it is about: what we noticed ourselves is about whoever has it."""
    return story.standing.holder if receipt.account == OURSELVES else receipt.account


def _wait(desk: _Desk, receipt: ReceiptRow) -> None:
    at = next_look(receipt.received_at, receipt.tries, desk.now)
    if at is not None:
        desk.waiting[receipt.id] = at
    else:
        log.warning("receipts.orphaned", provider=receipt.account, delivery=str(receipt.delivery_id))
        desk.closed[receipt.id] = ReceiptOutcome.ORPHANED


def _tell(story: _Story, receipt: ReceiptRow, ruling: Change | Ruling) -> None:
    """Go on with a delivery's story."""
    if isinstance(ruling, Change):
        goes_elsewhere = ruling.status is DeliveryStatus.RETRYING
        story.standing = msgspec.structs.replace(
            story.standing,
            status=ruling.status,
            reason=ruling.reason,
            holder=_teller(story, receipt),
            has_another_try=story.standing.has_another_try and not goes_elsewhere,
        )
        story.avoid = receipt.account if goes_elsewhere else story.avoid
        story.detail = f"{receipt.kind.value} {receipt.code}".strip() if ruling.reason or goes_elsewhere else ""
        if ruling.status is DeliveryStatus.DELIVERED:
            story.arrived_at = receipt.occurred_at
    if not receipt.by_machine and receipt.kind is ReceiptKind.OPENED and story.opened_at is None:
        story.opened_at = receipt.occurred_at
    if not receipt.by_machine and receipt.kind is ReceiptKind.CLICKED and story.clicked_at is None:
        story.clicked_at = receipt.occurred_at
    if receipt.kind not in SILENT:
        story.events = [*story.events, _event(story.subject, receipt)]


def _event(subject: Subject, receipt: ReceiptRow) -> recording.NewEvent:
    detail: dict[str, object] = {
        "kind": receipt.kind.value,
        "provider": receipt.account,
        "occurred_at": receipt.occurred_at.isoformat(),
    }
    if receipt.code:
        detail["code"] = receipt.code
    if receipt.by_machine:
        detail["by_machine"] = True
    return recording.NewEvent(
        notification_id=subject.notification_id, delivery_id=subject.id, kind=EventKind.RECEIPT, detail=detail
    )


def _has_news(story: _Story) -> bool:
    return bool(story.events) or story.standing.status is not story.subject.status


def _heard(story: _Story) -> record.Heard:
    standing, subject = story.standing, story.subject
    return record.Heard(
        before=subject,
        told=recording.Told(
            id=subject.id,
            status=standing.status,
            reason=standing.reason,
            moved=standing.status is not subject.status,
            provider=standing.holder,
            avoid=story.avoid,
            detail=story.detail,
            arrived_at=story.arrived_at,
            opened_at=story.opened_at,
            clicked_at=story.clicked_at,
        ),
        events=story.events,
    )


def _findings(desk: _Desk) -> list[hygiene.Finding]:
    """What the page says of addresses. Test messages say nothing; a device is known by its delivery alone."""
    telling = [(receipt, subject) for receipt, subject in desk.telling if subject is None or not subject.test]
    # A provider that names no address means the one it was sent to, if that is still the recipient's.
    unnamed = people.unchanged_since(
        (subject.recipient_id, subject.channel, subject.sent_at)
        for receipt, subject in telling
        if subject is not None and subject.sent_at is not None and not receipt.address_index
    )
    return [
        hygiene.Finding(
            channel=receipt.channel,
            kind=receipt.kind,
            at=receipt.occurred_at,
            index=receipt.address_index
            or (b"" if subject is None else unnamed.get((subject.recipient_id, subject.channel), b"")),
            device_id=None if subject is None else subject.device_id,
            recipient_id=None if subject is None else subject.recipient_id,
        )
        for receipt, subject in telling
    ]
