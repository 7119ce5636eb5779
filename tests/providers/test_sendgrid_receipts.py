from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from threading import Event
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from sendgrid.helpers.eventwebhook import EventWebhook

from channels import policy, registry
from channels.errors import ConfigurationFault, NotGenuine, UnreadableReceipt
from channels.rules.accounts import Account
from channels.vocabulary import Channel, EmailMessage, ReceiptCall, ReceiptKind
from config.lab.sendgrid import FATES
from tests.providers.conformance import build, delivery_id, soon
from tests.providers.conftest import Lab
from tests.providers.peers import HttpPeer, http_answer

KEY = ec.generate_private_key(ec.SECP256R1())
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def account(**options: str) -> Account:
    return Account(name="mails", adapter="sendgrid", channel=Channel.EMAIL, options=options)


READER = registry.receipt_reader(account(webhook_public_key=public_text(KEY)))


def signed(body: bytes, *, at: float | None = None, key: ec.EllipticCurvePrivateKey = KEY) -> ReceiptCall:
    timestamp = str(int(time.time() if at is None else at))
    signature = base64.b64encode(key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))).decode()
    return ReceiptCall(url="", headers={SIGNATURE: signature, TIMESTAMP: timestamp}, body=body)


def event(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "event": "delivered",
        "email": f"alice{number}@example.com",
        "sg_event_id": f"event-{number}",
        "delivery_id": str(delivery_id(number)),
        **fields,
    }


def array(*events: Any) -> bytes:
    return json.dumps(events).encode() + b"\r\n"


def test_a_signed_array_is_read() -> None:
    first, second = READER.read(signed(array(event(1), event(2, event="open"))))
    assert (first.delivery_id, first.kind) == (delivery_id(1), ReceiptKind.DELIVERED)
    assert (second.delivery_id, second.kind) == (delivery_id(2), ReceiptKind.OPENED)


def test_ten_thousand_events_are_read_at_once() -> None:
    receipts = READER.read(signed(array(*(event(number) for number in range(10_000)))))
    assert len({one.event_id for one in receipts}) == 10_000


def test_a_body_without_end_is_bounded() -> None:
    with pytest.raises(UnreadableReceipt):
        READER.read(signed(b"[" + b"7," * policy.RECEIPT_EVENTS + b"7]"))


def test_a_callback_of_a_day_ago_may_come_again_and_an_older_one_not() -> None:
    body = array(event(1))
    assert READER.read(signed(body, at=time.time() - 24 * 3600))
    for at in (time.time() - 26 * 3600, time.time() + 3600):
        with pytest.raises(NotGenuine, match="too old"):
            READER.read(signed(body, at=at))


BODY = array(event(1))


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(lambda call: call, id="foreign signer"),
        pytest.param(lambda call: _with(call, {}), id="unsigned"),
        pytest.param(lambda call: _with(call, {TIMESTAMP: "1"}), id="no signature"),
        pytest.param(lambda call: _with(call, {**call.headers, SIGNATURE: "not base64"}), id="no base64"),
        pytest.param(lambda call: _with(call, {**call.headers, SIGNATURE: "AAAA"}), id="no DER"),
        pytest.param(lambda call: _with(call, {**call.headers, TIMESTAMP: "9" * 5000}), id="endless timestamp"),
        pytest.param(lambda call: _with(call, {**call.headers, TIMESTAMP: "-1"}), id="negative timestamp"),
    ],
)
def test_what_sendgrid_did_not_sign_is_not_genuine(forged: Callable[[ReceiptCall], ReceiptCall]) -> None:
    foreign = signed(BODY, key=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(NotGenuine):
        READER.read(forged(foreign))


def _with(call: ReceiptCall, headers: dict[str, str]) -> ReceiptCall:
    return msgspec.structs.replace(call, headers=headers)


@pytest.mark.parametrize("changed", [BODY.strip(), json.dumps(json.loads(BODY), indent=1).encode(), BODY + b" ", b""])
def test_a_body_that_was_written_anew_is_not_genuine(changed: bytes) -> None:
    with pytest.raises(NotGenuine):
        READER.read(msgspec.structs.replace(signed(BODY), body=changed))


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"7", b'{"event": "open"}', b"\xff\xfe", b"[" * 5000])
def test_a_signed_body_that_is_no_array_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableReceipt):
        READER.read(signed(body))


@given(st.binary(max_size=200), st.dictionaries(st.sampled_from([SIGNATURE, TIMESTAMP]), st.text(max_size=30)))
def test_any_bytes_are_refused_in_our_own_words(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(NotGenuine):
        READER.read(ReceiptCall(url="", headers=headers, body=body))


@given(st.binary(max_size=200))
def test_any_signed_bytes_are_read_or_unreadable(body: bytes) -> None:
    try:
        READER.read(signed(body))
    except UnreadableReceipt:
        return


@pytest.mark.parametrize("key", ["", "nonsense", "AAAA", public_text(ec.generate_private_key(ec.SECP384R1()))])
def test_a_key_that_is_none_is_a_fault(key: str) -> None:
    with pytest.raises(ConfigurationFault, match=r"options\.webhook_public_key"):
        registry.receipt_reader(account(webhook_public_key=key))


def test_the_labs_events_are_signed_as_sendgrids_own_library_demands(lab: Lab) -> None:
    """Each fate of the stand-in, over the wire, read by us and judged by SendGrid's library."""
    stand_in = lab.at("sendgrid")
    peer = HttpPeer(lambda _: http_answer(200))
    declared = lab.sendgrid()
    stand_in.tell("__faults", receipts={"delay_ms": 1})
    stand_in.tell("__webhook", url=f"{peer.base_url}/v1/receipts/mails")
    try:
        page = [
            EmailMessage(id=delivery_id(at), to=f"{word}@example.com", subject="s", text="t")
            for at, word in enumerate(["alice", *FATES])
        ]
        build(declared).send_many(page, deadline=soon())
        wanted = sum(2 if word == "alice" else 1 + len(FATES[word]) for word in ["alice", *FATES])
        calls = _wait_for(peer, wanted)
    finally:
        stand_in.tell("__webhook", url="")
        peer.close()
    judge = EventWebhook()
    key = judge.convert_public_key_to_ecdsa(declared.options["webhook_public_key"])
    for call in calls:
        assert judge.verify_signature(call.body.decode(), call.headers[SIGNATURE], call.headers[TIMESTAMP], key)
    reader = registry.receipt_reader(declared)
    told = [(one.delivery_id, one.kind) for call in calls for one in reader.read(call)]
    assert (delivery_id(0), ReceiptKind.DELIVERED) in told
    assert (delivery_id(1), ReceiptKind.BOUNCED) in told
    assert not [kind for _, kind in told if kind is ReceiptKind.UNKNOWN]


def _wait_for(peer: HttpPeer, events: int) -> list[ReceiptCall]:
    """The callbacks, as soon as so many events have come."""
    pause, until = Event(), time.monotonic() + 10
    while time.monotonic() < until:
        calls = [ReceiptCall(url="", headers=headers, body=body) for headers, body in list(peer.calls)]
        if sum(len(json.loads(call.body)) for call in calls) >= events:
            return calls
        pause.wait(0.02)
    raise AssertionError("the events never came")
