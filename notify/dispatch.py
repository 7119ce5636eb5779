"""One page goes to the providers: claim, check again, send, record."""

from __future__ import annotations

import secrets
import time
from base64 import b64decode
from collections.abc import Sequence
from uuid import UUID

import msgspec

from channels.rules.sealing import seal
from channels.send import send_page
from channels.vocabulary import Channel
from notify import conf, record
from notify.policy import DISPATCH_BUDGET
from notify.record import Tried
from notify.rules.ready import Reach, Ready, message_for, unpack
from notify.store import pages, sending
from notify.vocabulary import ClaimedPage, PageRef, PageStep, ReasonCode
from preferences import store as people
from preferences.rules.verdict import verdict
from preferences.vocabulary import Category, Deny, RecipientFacts

_TOKEN_BITS = 62
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
    _send(Channel(page.channel or ""), tried)
    return record.record_page(page, token, tried)


def _send(channel: Channel, tried: Sequence[Tried]) -> None:
    """Offer what has a message to the providers, and keep each answer."""
    asked = [one for one in tried if one.message is not None]
    if not asked:
        return
    deadline = time.monotonic() + DISPATCH_BUDGET.total_seconds()
    messages = [one.message for one in asked if one.message is not None]
    for one, result in zip(asked, send_page(channel, messages, deadline=deadline), strict=True):
        one.result = result


def _prepare(page: ClaimedPage, claimed: Sequence[sending.ClaimedDelivery], ready: Sequence[Ready]) -> list[Tried]:
    """Check every claimed delivery against the facts of this moment, and address what may go."""
    facts = people.facts_for([one.recipient_id for one in claimed], (Channel(page.channel or ""),)) if claimed else {}
    # Integers: a UUID computes its hash in Python, each time anew.
    words = {one.id.int: one for one in ready}
    return [_aim(page, one, words[one.id.int], facts.get(one.recipient_id)) for one in claimed]


def _aim(page: ClaimedPage, delivery: sending.ClaimedDelivery, ready: Ready, facts: RecipientFacts | None) -> Tried:
    """Never after no: the same verdict as at planning, on what is true now."""
    if facts is None:
        return Tried(delivery=delivery, ready=ready, refused=ReasonCode.USER_ERASED)
    channel = Channel(page.channel or "")
    answer = verdict(
        facts,
        channel=channel,
        type_key=ready.type_key,
        category=Category(ready.category),
        mandatory=ready.mandatory,
    )
    if isinstance(answer, Deny):
        return Tried(delivery=delivery, ready=ready, refused=ReasonCode(answer.reason))
    return _address(page, channel, delivery, ready, facts)


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
        sealed=seal(key, _encode(ready.content), b"inbox.sealed:" + delivery.id.bytes) if entry else b"",
        urgent=page.priority.is_urgent,
        expires_at=delivery.expires_at.timestamp() if delivery.expires_at is not None else None,
        trace_id=page.trace_id,
    )
    return Tried(
        delivery=delivery,
        ready=ready,
        message=message_for(channel, ready, reach),
        index=endpoint.index if endpoint is not None else b"",
    )
