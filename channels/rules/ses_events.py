"""What SES tells through SNS about a mail, as receipts.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html - `eventType` comes from a
configuration set, with the mail's tags; `notificationType` from an identity, with its headers where they are switched
on. Both carry our delivery id. Nothing here raises: what is not understood is a receipt of kind `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from channels.rules.bounces import bounce_kind, enhanced_in
from channels.vocabulary import Receipt, ReceiptKind

DELIVERY_TAG = "delivery_id"
DELIVERY_HEADER = "X-Carillon-Delivery"

#: Event → its kind, and the member that holds the details.
_KINDS = {
    "Send": (ReceiptKind.PROGRESS, "send"),
    "Delivery": (ReceiptKind.DELIVERED, "delivery"),
    "DeliveryDelay": (ReceiptKind.DEFERRED, "deliveryDelay"),
    "Reject": (ReceiptKind.FAILED, "reject"),
    "Rendering Failure": (ReceiptKind.FAILED, "failure"),
    "Open": (ReceiptKind.OPENED, "open"),
    "Click": (ReceiptKind.CLICKED, "click"),
}
#: SES did not even try: the address is on a list of dead ones, its own or the account's.
_LISTED = frozenset({"Suppressed", "OnAccountSuppressionList"})
#: The mailbox is fine, and did not want this mail.
_REFUSED_MAIL = frozenset({"MessageTooLarge", "ContentRejected", "AttachmentRejected"})
_BY_TYPE = {
    "Permanent": ReceiptKind.BOUNCED,
    "Transient": ReceiptKind.SOFT_BOUNCED,
    "Undetermined": ReceiptKind.SOFT_BOUNCED,
}
_WORD = re.compile(r"[A-Za-z]{1,40}\Z")
_LONGEST_ID = 100


def receipts_of(event: object, *, event_id: str) -> list[Receipt]:
    """What one event says; `event_id` is the envelope's."""
    if not isinstance(event, dict):
        return [Receipt(event_id=event_id, kind=ReceiptKind.UNKNOWN)]
    name = _text(event, "eventType") or _text(event, "notificationType")
    if name == "Bounce":
        return [_bounce(event, event_id)]
    if name == "Complaint":
        return _complaint(event, event_id)
    if name == "Subscription":
        return [_subscription(event, event_id)]
    kind, member = _KINDS.get(name, (ReceiptKind.UNKNOWN, ""))
    details = _object(event, member)
    code = _word(details, "delayType") if kind is ReceiptKind.DEFERRED else ""
    return [_receipt(event, event_id, kind, details=details, code=code or name.replace(" ", "")[:40])]


def _bounce(event: Mapping[str, Any], event_id: str) -> Receipt:
    bounce = _object(event, "bounce")
    recipient = _first(bounce, "bouncedRecipients")
    kind, subtype = _word(bounce, "bounceType"), _word(bounce, "bounceSubType")
    status = enhanced_in(_text(recipient, "status") or _text(recipient, "diagnosticCode"))
    if subtype in _LISTED:
        meant: ReceiptKind = ReceiptKind.BOUNCED
    elif subtype in _REFUSED_MAIL:
        meant = ReceiptKind.FAILED
    else:
        meant = bounce_kind(status) or _BY_TYPE.get(kind, ReceiptKind.SOFT_BOUNCED)
    address = _text(recipient, "emailAddress") if meant is ReceiptKind.BOUNCED else ""
    code = " ".join(part for part in (kind, subtype, str(status or "")) if part)
    return _receipt(event, event_id, meant, details=bounce, code=code, address=address)


def _complaint(event: Mapping[str, Any], event_id: str) -> list[Receipt]:
    complaint = _object(event, "complaint")
    feedback = _text(complaint, "complaintFeedbackType")
    address = _text(_first(complaint, "complainedRecipients"), "emailAddress")
    if feedback == "not-spam":  # somebody took it out of the spam folder
        return [_receipt(event, event_id, ReceiptKind.PROGRESS, details=complaint, code="not-spam")]
    if _text(complaint, "complaintSubType") not in _LISTED:
        code = feedback if feedback.replace("-", "").isalpha() and feedback.isascii() else "complaint"
        return [_receipt(event, event_id, ReceiptKind.COMPLAINED, details=complaint, code=code[:40], address=address)]
    # Not sent, for an earlier complaint. Of the address first, so that nobody tries another way to it; it names no
    # delivery, since who complains of a mail has had it.
    of_address = Receipt(
        event_id=f"{event_id}.address",
        kind=ReceiptKind.COMPLAINED,
        address=address,
        code="OnAccountSuppressionList",
        occurred_at=_occurred_at(complaint),
    )
    return [of_address, _receipt(event, event_id, ReceiptKind.FAILED, details=complaint, code=of_address.code)]


def _subscription(event: Mapping[str, Any], event_id: str) -> Receipt:
    """Somebody used SES's own unsubscribe page."""
    details = _object(event, "subscription")
    left = _object(details, "newTopicPreferences").get("unsubscribeAll") is True
    kind = ReceiptKind.UNSUBSCRIBED if left else ReceiptKind.PROGRESS
    destination = _object(event, "mail").get("destination")
    first = destination[0] if isinstance(destination, list) and destination else ""
    address = first if left and isinstance(first, str) else ""
    return _receipt(event, event_id, kind, details=details, code="Subscription", address=address)


def _receipt(
    event: Mapping[str, Any],
    event_id: str,
    kind: ReceiptKind,
    *,
    details: Mapping[str, Any],
    code: str = "",
    address: str = "",
) -> Receipt:
    mail = _object(event, "mail")
    return Receipt(
        event_id=event_id,
        kind=kind,
        delivery_id=_delivery_id(mail),
        provider_message_id=_text(mail, "messageId")[:_LONGEST_ID],
        address=address,
        code=code if kind is not ReceiptKind.UNKNOWN else "",
        occurred_at=_occurred_at(details) or _occurred_at(mail),
    )


def _delivery_id(mail: Mapping[str, Any]) -> UUID | None:
    """From the tag, or from the header where the event has no tags."""
    tagged = _object(mail, "tags").get(DELIVERY_TAG)
    if isinstance(tagged, list) and tagged:
        return _uuid(tagged[0])
    headers = mail.get("headers")
    for header in headers if isinstance(headers, list) else ():
        if isinstance(header, dict) and _text(header, "name").lower() == DELIVERY_HEADER.lower():
            return _uuid(header.get("value"))
    return None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _occurred_at(details: Mapping[str, Any]) -> float | None:
    try:
        return datetime.fromisoformat(_text(details, "timestamp")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _object(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = event.get(key)
    return value if isinstance(value, dict) else {}


def _first(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    values = event.get(key)
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, dict) else {}


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""


def _word(event: Mapping[str, Any], key: str) -> str:
    value = _text(event, key)
    return value if _WORD.match(value) else ""
