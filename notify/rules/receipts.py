"""What a receipt makes of a delivery. `record` obeys; nothing here touches a row.

Providers tell in any order, twice, late, and sometimes before our own commit. So nothing depends on when a receipt
comes in: statuses form a lattice (retrying < sent < delivered, bounced, failed), a receipt moves a delivery up or not
at all, and what is final stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, auto

import msgspec

from channels.vocabulary import ReceiptKind
from notify.policy import RECEIPT_PATIENCE, RECEIPT_WAIT, RECEIPT_WAIT_CAP
from notify.vocabulary import DeliveryStatus, ReasonCode

#: Whoever opens, wipes away, complains or leaves has it.
PROOFS = frozenset(
    {
        ReceiptKind.DELIVERED,
        ReceiptKind.OPENED,
        ReceiptKind.CLICKED,
        ReceiptKind.DISMISSED,
        ReceiptKind.COMPLAINED,
        ReceiptKind.UNSUBSCRIBED,
    }
)
#: Not worth an event in the trace.
SILENT = frozenset({ReceiptKind.PROGRESS})
#: In this order where a provider gives several the same second: first that it arrived, then what became of it.
_RANKS = {kind: rank for rank, kind in enumerate(ReceiptKind)}


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What `judge` must know of a delivery."""

    status: DeliveryStatus
    reason: ReasonCode | None
    #: The account that has it now, or had it last.
    holder: str
    #: Every account that was given it: one that answered with a fault may have sent it all the same.
    accounts: frozenset[str]
    #: Whether a process is sending it at this moment.
    is_leased: bool
    #: Whether one more try is left: attempts, expiry, and none made elsewhere yet.
    has_another_try: bool


class Ruling(Enum):
    """What else than a new status a receipt may mean."""

    #: Nothing changes.
    STAYS = auto()
    #: Our own commit is still under way: look again in a moment.
    WAITS = auto()
    #: This account never had it.
    FOREIGN = auto()


class Change(msgspec.Struct, frozen=True, gc=False):
    """The next state of a delivery."""

    status: DeliveryStatus
    reason: ReasonCode | None = None


_DELIVERED = Change(DeliveryStatus.DELIVERED)
_BOUNCED = Change(DeliveryStatus.BOUNCED, ReasonCode.INVALID_RECIPIENT)
_FAILED = Change(DeliveryStatus.FAILED, ReasonCode.PROVIDER_REJECTED)
_ELSEWHERE = Change(DeliveryStatus.RETRYING)
_NEVER_LEFT = frozenset({DeliveryStatus.PLANNED, DeliveryStatus.DEFERRED})
_MAY_ARRIVE = frozenset({DeliveryStatus.SENT, DeliveryStatus.RETRYING, DeliveryStatus.DEAD})


def judge(standing: Standing, account: str, kind: ReceiptKind) -> Change | Ruling:
    """What the receipt of an account makes of a delivery."""
    if standing.status in _NEVER_LEFT:
        return Ruling.FOREIGN
    if standing.status is DeliveryStatus.SENDING:
        return _while_sending(standing, account, kind)
    if account not in standing.accounts:
        return Ruling.FOREIGN
    if kind in PROOFS:
        return _DELIVERED if standing.status in _MAY_ARRIVE else Ruling.STAYS
    # A verdict against it counts from whoever has it now; an account before that one has nothing to say any more.
    return _against(standing, kind) if standing.holder == account else Ruling.STAYS


def in_telling_order(occurred_at: datetime, kind: ReceiptKind) -> tuple[datetime, int]:
    """The key by which the receipts of one delivery are put in the order of their story."""
    return occurred_at, _RANKS[kind]


def next_look(received_at: datetime, tries: int, now: datetime) -> datetime | None:
    """When to look again at a receipt that waits, or None: patience is over."""
    if now - received_at >= RECEIPT_PATIENCE:
        return None
    wait: timedelta = min(RECEIPT_WAIT * 2 ** min(tries, 10), RECEIPT_WAIT_CAP)
    return now + wait


def _while_sending(standing: Standing, account: str, kind: ReceiptKind) -> Change | Ruling:
    """A process that died after the provider took it cannot tell us; a proof of arrival saves the repeat."""
    if account and kind in PROOFS and not standing.is_leased:
        return _DELIVERED
    return Ruling.WAITS


def _against(standing: Standing, kind: ReceiptKind) -> Change | Ruling:
    status = standing.status
    is_unknown = status is DeliveryStatus.DEAD and standing.reason is ReasonCode.OUTCOME_UNKNOWN
    is_open = status is DeliveryStatus.SENT or is_unknown
    if kind is ReceiptKind.BOUNCED and (is_open or status is DeliveryStatus.RETRYING):
        return _BOUNCED
    if kind is ReceiptKind.FAILED and is_open and standing.has_another_try:
        return _ELSEWHERE
    if kind in (ReceiptKind.FAILED, ReceiptKind.SOFT_BOUNCED) and status is DeliveryStatus.SENT:
        return _FAILED
    return Ruling.STAYS
