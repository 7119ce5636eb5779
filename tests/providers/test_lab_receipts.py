"""The lab's callbacks, from the message that causes them to the reader that understands them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from channels.rules.accounts import Account
from channels.vocabulary import Receipt, ReceiptKind, SmsMessage
from tests.providers.callbacks import Mailbox
from tests.providers.conformance import build, soon
from tests.providers.conftest import Lab
from tests.providers.gateways import gateway, reader, sms, twilio, vonage

K = ReceiptKind


def told(lab: Lab, settings: Any, account: Account, message: SmsMessage, count: int, **script: Any) -> list[Receipt]:
    """What the lab tells of one message, read."""
    lab.at(account.adapter).tell("__faults", receipts={"delay_ms": 20, **script})
    with Mailbox() as mailbox:
        settings.CARILLON = {**settings.CARILLON, "PUBLIC_URL": mailbox.url}
        build(account).send_many([message], deadline=soon())
        theirs = reader(account)
        return [receipt for call in mailbox.receipts(count) for receipt in theirs.read(call)]


@pytest.mark.parametrize(
    ("number", "kinds"),
    [
        ("+4915112000001", [K.PROGRESS, K.DELIVERED]),
        ("+15005553003", [K.PROGRESS, K.FAILED]),
        ("+15005553005", [K.PROGRESS, K.BOUNCED]),
        ("+15005553410", [K.PROGRESS, K.FAILED]),
        ("+15005554000", [K.PROGRESS]),
    ],
)
def test_twilio_tells_what_became_of_a_message(lab: Lab, settings: Any, number: str, kinds: list[K]) -> None:
    message = sms(1, to=number)
    receipts = told(lab, settings, twilio(lab), message, len(kinds))
    assert sorted(one.kind for one in receipts) == sorted(kinds)
    assert {one.delivery_id for one in receipts} == {message.id}


@pytest.mark.parametrize(
    ("number", "kind"), [("+15005554001", [K.UNSUBSCRIBED]), ("+15005554002", [K.UNKNOWN]), ("+15005554003", [])]
)
def test_twilio_tells_what_people_answer(lab: Lab, settings: Any, number: str, kind: list[K]) -> None:
    receipts = told(lab, settings, twilio(lab), sms(1, to=number), 3)
    assert sorted(one.kind for one in receipts) == sorted([K.PROGRESS, K.DELIVERED, *kind])
    assert [one.address for one in receipts if one.address] == [number] * len(kind)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("number", "kind"),
    [("+4915112000001", K.DELIVERED), ("+447946010003", K.BOUNCED), ("+447946010002", K.FAILED)],
)
def test_vonage_tells_what_became_of_a_message(
    lab: Lab,
    settings: Any,
    number: str,
    kind: K,
    signed: bool,  # noqa: FBT001 - a parameter
) -> None:
    message = sms(1, to=number)
    (receipt,) = told(lab, settings, vonage(lab, signed=signed), message, 1)
    assert (receipt.kind, receipt.delivery_id) == (kind, message.id)


def test_vonage_tells_of_each_part_by_itself(lab: Lab, settings: Any) -> None:
    receipts = told(lab, settings, vonage(lab), sms(1, text="x" * 400), 3)
    assert len({one.event_id for one in receipts}) == 3
    assert {one.delivery_id for one in receipts} == {sms(1).id}


def test_vonage_tells_what_people_answer(lab: Lab, settings: Any) -> None:
    receipts = told(lab, settings, vonage(lab, signed=True), sms(1, to="+447946020001"), 2)
    assert {one.kind for one in receipts} == {K.DELIVERED, K.UNSUBSCRIBED}


def test_a_gateway_tells_in_the_signed_form(lab: Lab, settings: Any) -> None:
    message = sms(1, to="+15005550108")
    receipts = told(lab, settings, gateway(lab), message, 3)
    assert {one.kind for one in receipts} == {K.DELIVERED, K.OPENED, K.CLICKED}
    assert {one.delivery_id for one in receipts} == {message.id}


def test_receipts_may_come_twice_and_count_once(lab: Lab, settings: Any) -> None:
    receipts = told(lab, settings, twilio(lab), sms(1), 6, copies=3, shuffle=True)
    assert sorted(Counter(one.event_id for one in receipts).values()) == [3, 3]
