"""SendGrid's events as receipts.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event - one object for each event; custom arguments
of the mail stand among its own fields. Some events tell two things: that a mail was dropped, and that its address had
unsubscribed. Nothing here raises: whatever is not understood is a receipt of kind `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson

from channels.rules.bounces import bounce_kind, enhanced_in
from channels.vocabulary import Receipt, ReceiptKind

_KINDS = {
    "processed": ReceiptKind.PROGRESS,
    "deferred": ReceiptKind.DEFERRED,
    "delivered": ReceiptKind.DELIVERED,
    "open": ReceiptKind.OPENED,
    "click": ReceiptKind.CLICKED,
    "spamreport": ReceiptKind.COMPLAINED,
    "unsubscribe": ReceiptKind.UNSUBSCRIBED,
    "group_unsubscribe": ReceiptKind.UNSUBSCRIBED,
    # Back in a group of SendGrid's own; consent is given here.
    "group_resubscribe": ReceiptKind.PROGRESS,
}
#: Why a mail was dropped → what that says of the address. Other reasons (spam content, quota …) say nothing of it.
_DROPPED = {
    "bounced address": ReceiptKind.BOUNCED,
    "invalid": ReceiptKind.BOUNCED,
    "unsubscribed address": ReceiptKind.UNSUBSCRIBED,
    "spam reporting address": ReceiptKind.COMPLAINED,
}
_ABOUT_THE_ADDRESS = frozenset({ReceiptKind.BOUNCED, ReceiptKind.COMPLAINED, ReceiptKind.UNSUBSCRIBED})
_EVENT_ID = re.compile(r"[A-Za-z0-9_.=+/-]{1,100}\Z")
#: SendGrid's classes of bounces, such as "Mailbox Unavailable": words, never an address.
_CLASSIFICATION = re.compile(r"[A-Za-z /-]{1,60}\Z")
_LATEST = 253_402_300_800.0


def receipts_of(event: object) -> list[Receipt]:
    """What one event says: one receipt, or two."""
    if not isinstance(event, dict):
        return [Receipt(event_id=_made_id(event), kind=ReceiptKind.UNKNOWN)]
    name = _text(event, "event")
    if name == "bounce":
        return [_receipt(event, _bounce(event), code=_code(event) or _text_in(event, "type", _BOUNCE_TYPES))]
    if name == "dropped":
        return _dropped(event)
    kind = _KINDS.get(name, ReceiptKind.UNKNOWN)
    code = _code(event) if kind is ReceiptKind.DEFERRED else ""
    return [_receipt(event, kind, code=code, by_machine=event.get("sg_machine_open") is True)]


_BOUNCE_TYPES = frozenset({"bounce", "blocked"})


def _bounce(event: Mapping[str, Any]) -> ReceiptKind:
    """The enhanced code first, then SendGrid's word. A block may pass, whatever was blocked; so it is counted."""
    told = bounce_kind(enhanced_in(_text(event, "status")))
    if event.get("type") == "blocked":
        return ReceiptKind.BOUNCED if told is ReceiptKind.BOUNCED else ReceiptKind.SOFT_BOUNCED
    return told or ReceiptKind.BOUNCED


def _dropped(event: Mapping[str, Any]) -> list[Receipt]:
    reason = _text(event, "reason").strip().lower()
    about = _DROPPED.get(reason)
    code = reason.replace(" ", "_") if about else "dropped"
    if about in {None, ReceiptKind.BOUNCED}:
        return [_receipt(event, about or ReceiptKind.FAILED, code=code)]
    # Of the address first, so that nobody tries another way to it. It names no delivery: whoever complains or leaves
    # has had that mail, and this one was never sent.
    of_address = Receipt(
        event_id=f"{_event_id(event)}.address",
        kind=about or ReceiptKind.UNKNOWN,
        address=_text(event, "email"),
        code=code,
        occurred_at=_occurred_at(event),
    )
    return [of_address, _receipt(event, ReceiptKind.FAILED, code=code)]


def _receipt(event: Mapping[str, Any], kind: ReceiptKind, *, code: str = "", by_machine: bool = False) -> Receipt:
    delivery_id = _uuid(event.get("delivery_id"))
    classification = _text(event, "bounce_classification")
    return Receipt(
        event_id=_event_id(event),
        kind=kind,
        delivery_id=delivery_id,
        # All mails of a call share it, so by itself it names none: without our id the mail is not ours.
        provider_message_id=_text(event, "sg_message_id").partition(".")[0][:100] if delivery_id else "",
        address=_text(event, "email") if kind in _ABOUT_THE_ADDRESS else "",
        code=code,
        detail=classification if _CLASSIFICATION.match(classification) else "",
        occurred_at=_occurred_at(event),
        by_machine=by_machine,
    )


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""


def _text_in(event: Mapping[str, Any], key: str, known: frozenset[str]) -> str:
    value = _text(event, key)
    return value if value in known else ""


def _code(event: Mapping[str, Any]) -> str:
    """The enhanced code, in `status` or in what the mail server answered; never its words, which repeat the address."""
    found = enhanced_in(_text(event, "status") or _text(event, "response"))
    return str(found) if found else ""


def _event_id(event: Mapping[str, Any]) -> str:
    own = _text(event, "sg_event_id")
    return own if _EVENT_ID.match(own) else _made_id(event)


def _made_id(event: object) -> str:
    """An id of what the event says, for one that has none."""
    return blake2b(orjson.dumps(event, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _occurred_at(event: Mapping[str, Any]) -> float | None:
    value = event.get("timestamp")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < _LATEST else None
