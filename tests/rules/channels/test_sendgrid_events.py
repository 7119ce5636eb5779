from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.sendgrid_events import receipts_of
from channels.vocabulary import Receipt, ReceiptKind

DELIVERY = UUID("01990000-0000-7000-8000-000000000001")
PLAIN: dict[str, Any] = {
    "email": "alice@example.com",
    "timestamp": 1_800_000_000,
    "sg_event_id": "ZGVsaXZlcmVk",
    "sg_message_id": "abc.recvd-1-2-3.0",
    "delivery_id": str(DELIVERY),
}


@pytest.mark.parametrize(
    ("event", "kind", "code"),
    [
        ({"event": "processed"}, ReceiptKind.PROGRESS, ""),
        ({"event": "deferred", "response": "450 4.2.2 alice@example.com is full"}, ReceiptKind.DEFERRED, "4.2.2"),
        ({"event": "delivered", "response": "250 OK"}, ReceiptKind.DELIVERED, ""),
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, ReceiptKind.BOUNCED, "5.1.1"),
        ({"event": "bounce", "type": "bounce"}, ReceiptKind.BOUNCED, "bounce"),
        ({"event": "bounce", "type": "bounce", "status": ""}, ReceiptKind.BOUNCED, "bounce"),
        ({"event": "bounce"}, ReceiptKind.BOUNCED, ""),
        ({"event": "bounce", "type": "bounce", "status": "5.7.1"}, ReceiptKind.FAILED, "5.7.1"),
        ({"event": "bounce", "type": "bounce", "status": "5.2.2"}, ReceiptKind.SOFT_BOUNCED, "5.2.2"),
        ({"event": "bounce", "type": "blocked"}, ReceiptKind.SOFT_BOUNCED, "blocked"),
        ({"event": "bounce", "type": "blocked", "status": "5.7.1"}, ReceiptKind.SOFT_BOUNCED, "5.7.1"),
        ({"event": "bounce", "type": "blocked", "status": "5.1.1"}, ReceiptKind.BOUNCED, "5.1.1"),
        ({"event": "dropped", "reason": "Bounced Address"}, ReceiptKind.BOUNCED, "bounced_address"),
        ({"event": "dropped", "reason": "Invalid"}, ReceiptKind.BOUNCED, "invalid"),
        ({"event": "dropped", "reason": "Spam Content"}, ReceiptKind.FAILED, "dropped"),
        ({"event": "dropped"}, ReceiptKind.FAILED, "dropped"),
        ({"event": "spamreport"}, ReceiptKind.COMPLAINED, ""),
        ({"event": "unsubscribe"}, ReceiptKind.UNSUBSCRIBED, ""),
        ({"event": "group_unsubscribe"}, ReceiptKind.UNSUBSCRIBED, ""),
        ({"event": "group_resubscribe"}, ReceiptKind.PROGRESS, ""),
        ({"event": "click", "url": "https://example.com"}, ReceiptKind.CLICKED, ""),
        ({"event": "something_new"}, ReceiptKind.UNKNOWN, ""),
        ({"event": 7}, ReceiptKind.UNKNOWN, ""),
        ({}, ReceiptKind.UNKNOWN, ""),
    ],
)
def test_each_event_has_its_kind(event: dict[str, Any], kind: ReceiptKind, code: str) -> None:
    about_address = kind in {ReceiptKind.BOUNCED, ReceiptKind.COMPLAINED, ReceiptKind.UNSUBSCRIBED}
    assert receipts_of({**PLAIN, **event}) == [
        Receipt(
            event_id="ZGVsaXZlcmVk",
            kind=kind,
            delivery_id=DELIVERY,
            provider_message_id="abc",
            address="alice@example.com" if about_address else "",
            code=code,
            occurred_at=1_800_000_000.0,
        )
    ]


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("Unsubscribed Address", ReceiptKind.UNSUBSCRIBED), ("Spam Reporting Address", ReceiptKind.COMPLAINED)],
)
def test_a_drop_for_the_addresss_sake_tells_of_both(reason: str, kind: ReceiptKind) -> None:
    of_address, of_mail = receipts_of({**PLAIN, "event": "dropped", "reason": reason})
    assert (of_address.kind, of_address.address, of_address.delivery_id) == (kind, "alice@example.com", None)
    assert (of_mail.kind, of_mail.address, of_mail.delivery_id) == (ReceiptKind.FAILED, "", DELIVERY)
    assert of_address.event_id != of_mail.event_id


def test_a_privacy_proxy_is_no_reader() -> None:
    opens = [{**PLAIN, "event": "open", "sg_machine_open": machine} for machine in (True, False, "yes")]
    assert [one.by_machine for event in opens for one in receipts_of(event)] == [True, False, False]


def test_an_event_of_another_mail_names_none_of_ours() -> None:
    (one,) = receipts_of({**PLAIN, "event": "delivered", "delivery_id": "their-own-7"})
    assert (one.delivery_id, one.provider_message_id) == (None, "")


def test_an_event_without_an_id_gets_one_of_what_it_says() -> None:
    bare = {**PLAIN, "event": "delivered", "sg_event_id": None}
    again = json.loads(json.dumps(dict(reversed(bare.items()))))
    other = {**bare, "event": "open"}
    ids = [receipts_of(event)[0].event_id for event in (bare, again, other)]
    assert ids[0] == ids[1] != ids[2]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
#: Known names with any values: what a careless reader would stumble over.
EVENTS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(["bounce", "dropped", "open", "deferred"]) | JSON,
        **dict.fromkeys(
            ("type", "status", "reason", "timestamp", "sg_event_id", "sg_message_id", "delivery_id", "email"), JSON
        ),
        "bounce_classification": JSON,
        "response": JSON,
    },
)


@given(EVENTS)
def test_anything_is_read_and_nothing_private_is_told(event: Any) -> None:
    try:
        event = json.loads(json.dumps(event).encode())
    except UnicodeEncodeError:
        return
    for one in receipts_of(event):
        assert one.event_id
        assert len(one.event_id) <= 110
        assert "@" not in one.code + one.detail + one.event_id
