"""One page goes to the providers: claim, check again, send, record."""

from __future__ import annotations

import secrets
import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from channels.rules.sealing import seal
from channels.send import send_page
from channels.vocabulary import Channel, Message
from notify import conf, record
from notify.policy import DISPATCH_BUDGET
from notify.rules.ready import Reach, Ready, message_for, unpack
from notify.store import pages, sending
from notify.vocabulary import ClaimedPage, PageRef, PageStep, ReasonCode
from preferences import store as people
from preferences.rules.verdict import verdict
from preferences.vocabulary import Category, Deny, RecipientFacts

_TOKEN_BITS = 62
_encode = msgspec.json.Encoder().encode


def dispatch_page(page_id: UUID, sealed: str) -> list[PageRef]:
    """Send what of a page may still be sent; the answer names pages of fallback channels to be planned.

    No transaction is open while a provider is waited for. A process that dies in between leaves leases that end,
    and the page comes back.
    """
    page = pages.claim(page_id, (PageStep.SEND,))
    if page is None:
        return []
    ready = {one.id: one for one in unpack(conf.KEYRING.unseal_blob(b64decode(sealed), _place(page)))}
    mine = [one for one in page.ids if one in ready]
    token = secrets.randbits(_TOKEN_BITS)
    claimed = sending.claim_deliveries(page, mine, token) if mine else []
    tries = _prepare(page, claimed, ready)
    messages = [one.message for one in tries if one.message is not None]
    deadline = time.monotonic() + DISPATCH_BUDGET.total_seconds()
    results = {r.id: r for r in send_page(Channel(page.channel or ""), messages, deadline=deadline)} if messages else {}
    return record.record_page(
        page,
        token,
        [record.Tried(one.delivery, results.get(one.delivery.id), one.refused, one.ready, one.index) for one in tries],
    )


class _Try(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A claimed delivery with the message to send, or the reason why it must not be sent after all."""

    delivery: sending.ClaimedDelivery
    ready: Ready
    message: Message | None = None
    refused: ReasonCode | None = None
    #: Blind index of the address, for suppression when it bounces.
    index: bytes = b""


def _place(page: ClaimedPage) -> bytes:
    return b"page:" + page.page_id.bytes


def _prepare(page: ClaimedPage, claimed: Sequence[sending.ClaimedDelivery], ready: Mapping[UUID, Ready]) -> list[_Try]:
    """Check every claimed delivery against the facts of this moment, and address what may go."""
    facts = people.facts_for([one.recipient_id for one in claimed], (Channel(page.channel or ""),)) if claimed else {}
    return [_aim(page, one, ready[one.id], facts.get(one.recipient_id)) for one in claimed]


def _aim(page: ClaimedPage, delivery: sending.ClaimedDelivery, ready: Ready, facts: RecipientFacts | None) -> _Try:
    """Never after no: the same verdict as at planning, on what is true now."""
    if facts is None:
        return _Try(delivery=delivery, ready=ready, refused=ReasonCode.USER_ERASED)
    channel = Channel(page.channel or "")
    answer = verdict(
        facts,
        channel=channel,
        type_key=ready.type_key,
        category=Category(ready.category),
        mandatory=ready.mandatory,
    )
    if isinstance(answer, Deny):
        return _Try(delivery=delivery, ready=ready, refused=ReasonCode(answer.reason))
    return _address(page, channel, delivery, ready, facts)


def _address(
    page: ClaimedPage,
    channel: Channel,
    delivery: sending.ClaimedDelivery,
    ready: Ready,
    facts: RecipientFacts,
) -> _Try:
    """The message to the address as it is now; a device that has gone meanwhile is no device."""
    key = people.data_key(facts.wrapped_key, facts.id)
    endpoint = people.endpoint(facts, channel, delivery.device_id)
    if endpoint is None and channel is not Channel.IN_APP:
        gone = ReasonCode.NO_DEVICE if channel is Channel.PUSH else ReasonCode.NO_ADDRESS
        return _Try(delivery=delivery, ready=ready, refused=gone)
    entry = channel is Channel.IN_APP
    reach = Reach(
        notification_id=delivery.notification_id,
        recipient_id=delivery.recipient_id,
        address="" if endpoint is None else people.address_of(endpoint, key),
        platform=getattr(endpoint, "platform", None),
        sealed=seal(key, _encode(ready.content), b"inbox.sealed:" + delivery.id.bytes) if entry else b"",
        urgent=page.priority.is_urgent,
        expires_at=delivery.expires_at.timestamp() if delivery.expires_at is not None else None,
        trace_id=page.trace_id,
    )
    return _Try(
        delivery=delivery,
        ready=ready,
        message=message_for(channel, ready, reach),
        index=endpoint.index if endpoint is not None else b"",
    )
