from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.ses_events import receipts_of
from channels.vocabulary import Receipt, ReceiptKind

DELIVERY = UUID("01990000-0000-7000-8000-000000000001")
MAIL = {
    "messageId": "0107-1",
    "timestamp": "2027-04-15T12:00:00.000Z",
    "destination": ["alice@example.com"],
    "tags": {"ses:configuration-set": ["events"], "delivery_id": [str(DELIVERY)]},
}
AT = {"timestamp": "2027-04-15T12:00:05.000Z"}


def bounce(kind: str, subtype: str = "General", **recipient: str) -> dict[str, Any]:
    told = {"bounceType": kind, "bounceSubType": subtype, **AT}
    return {
        "eventType": "Bounce",
        "bounce": {**told, "bouncedRecipients": [{"emailAddress": "alice@example.com", **recipient}]},
    }


def subscription(*, left: bool) -> dict[str, Any]:
    return {"eventType": "Subscription", "subscription": {"newTopicPreferences": {"unsubscribeAll": left}}}


DELAYED = {"eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "MailboxFull"}}


def complaint(**told: str) -> dict[str, Any]:
    recipients = [{"emailAddress": "alice@example.com"}]
    return {"eventType": "Complaint", "complaint": {**told, **AT, "complainedRecipients": recipients}}


@pytest.mark.parametrize(
    ("event", "kind", "code"),
    [
        ({"eventType": "Send", "send": {}}, ReceiptKind.PROGRESS, "Send"),
        ({"eventType": "Delivery", "delivery": AT}, ReceiptKind.DELIVERED, "Delivery"),
        ({"notificationType": "Delivery", "delivery": AT}, ReceiptKind.DELIVERED, "Delivery"),
        (DELAYED, ReceiptKind.DEFERRED, "MailboxFull"),
        ({"eventType": "Reject", "reject": {"reason": "Bad content"}}, ReceiptKind.FAILED, "Reject"),
        ({"eventType": "Rendering Failure", "failure": {}}, ReceiptKind.FAILED, "RenderingFailure"),
        ({"eventType": "Open", "open": AT}, ReceiptKind.OPENED, "Open"),
        ({"eventType": "Click", "click": AT}, ReceiptKind.CLICKED, "Click"),
        (bounce("Permanent", status="5.1.1"), ReceiptKind.BOUNCED, "Permanent General 5.1.1"),
        (bounce("Permanent", "NoEmail"), ReceiptKind.BOUNCED, "Permanent NoEmail"),
        (bounce("Permanent", "Suppressed"), ReceiptKind.BOUNCED, "Permanent Suppressed"),
        (bounce("Permanent", "OnAccountSuppressionList"), ReceiptKind.BOUNCED, "Permanent OnAccountSuppressionList"),
        (bounce("Permanent", status="5.7.1"), ReceiptKind.FAILED, "Permanent General 5.7.1"),
        (bounce("Transient", "MailboxFull", status="5.2.2"), ReceiptKind.SOFT_BOUNCED, "Transient MailboxFull 5.2.2"),
        (bounce("Transient", "MailboxFull"), ReceiptKind.SOFT_BOUNCED, "Transient MailboxFull"),
        (bounce("Transient", "MessageTooLarge"), ReceiptKind.FAILED, "Transient MessageTooLarge"),
        (bounce("Transient", "ContentRejected"), ReceiptKind.FAILED, "Transient ContentRejected"),
        (bounce("Transient", "AttachmentRejected"), ReceiptKind.FAILED, "Transient AttachmentRejected"),
        (bounce("Transient", diagnosticCode="smtp; 550 5.1.1 alice"), ReceiptKind.BOUNCED, "Transient General 5.1.1"),
        (bounce("Undetermined", "Undetermined"), ReceiptKind.SOFT_BOUNCED, "Undetermined Undetermined"),
        ({"eventType": "Bounce"}, ReceiptKind.SOFT_BOUNCED, ""),
        (complaint(complaintFeedbackType="abuse"), ReceiptKind.COMPLAINED, "abuse"),
        (complaint(), ReceiptKind.COMPLAINED, "complaint"),
        (complaint(complaintFeedbackType="not-spam"), ReceiptKind.PROGRESS, "not-spam"),
        (subscription(left=True), ReceiptKind.UNSUBSCRIBED, "Subscription"),
        (subscription(left=False), ReceiptKind.PROGRESS, "Subscription"),
        ({"eventType": "Something"}, ReceiptKind.UNKNOWN, ""),
        ({}, ReceiptKind.UNKNOWN, ""),
    ],
)
def test_each_event_has_its_kind(event: dict[str, Any], kind: ReceiptKind, code: str) -> None:
    (found,) = receipts_of({**event, "mail": MAIL}, event_id="e")
    assert (found.kind, found.code, found.event_id) == (kind, code, "e")
    assert (found.delivery_id, found.provider_message_id) == (DELIVERY, "0107-1")
    about_address = kind in {ReceiptKind.BOUNCED, ReceiptKind.COMPLAINED, ReceiptKind.UNSUBSCRIBED}
    assert found.address == ("alice@example.com" if about_address else "")
    assert found.occurred_at in {1_807_790_400.0, 1_807_790_405.0}


def test_a_mail_not_sent_for_an_earlier_complaint_tells_of_both() -> None:
    event = complaint(complaintSubType="OnAccountSuppressionList")
    of_address, of_mail = receipts_of({**event, "mail": MAIL}, event_id="e")
    assert (of_address.kind, of_address.delivery_id) == (ReceiptKind.COMPLAINED, None)
    assert (of_mail.kind, of_mail.delivery_id) == (ReceiptKind.FAILED, DELIVERY)


def test_without_tags_the_header_names_the_delivery() -> None:
    mail = {"messageId": "1", "headers": [{"name": "x-carillon-delivery", "value": str(DELIVERY)}]}
    (found,) = receipts_of({"notificationType": "Delivery", "mail": mail}, event_id="e")
    assert found.delivery_id == DELIVERY


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
#: Known names with any values: what a careless reader would stumble over.
EVENTS = JSON | st.fixed_dictionaries(
    {"eventType": st.sampled_from(["Bounce", "Complaint", "Delivery", "DeliveryDelay", "Subscription"]) | JSON},
    optional={
        "mail": JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(["tags", "headers", "destination"], JSON)),
        "bounce": JSON | st.dictionaries(st.sampled_from(["bounceType", "bounceSubType", "bouncedRecipients"]), JSON),
        "complaint": JSON | st.dictionaries(st.sampled_from(["complaintFeedbackType", "complaintSubType"]), JSON),
        "subscription": JSON,
        "deliveryDelay": JSON,
    },
)


@given(EVENTS)
def test_anything_is_read_and_nothing_private_is_told(event: Any) -> None:
    event = json.loads(json.dumps(event))
    for one in receipts_of(event, event_id="e"):
        assert isinstance(one, Receipt)
        assert "@" not in one.code + one.detail
