from __future__ import annotations

import time
from contextlib import suppress
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.conf import Secret
from channels.errors import NotGenuine, UnreadableReceipt
from channels.rules import vonage as rules
from channels.rules.accounts import Account
from channels.vocabulary import Channel, Receipt, ReceiptCall, ReceiptKind
from config.lab.vonage import MAGIC
from tests.providers.conformance import delivery_id
from tests.providers.gateways import PUBLIC, form_call

ACCOUNT = Account(name="sms-two", adapter="vonage", channel=Channel.SMS, options={"api_key": "K", "from": "Us"})
SECRET, SIGNING = "api-secret", "signature-secret"
DELIVERY = delivery_id(7)
BARE = f"{PUBLIC}/v1/receipts/sms-two"
URL = f"{BARE}?d={DELIVERY}&t={rules.callback_token(SECRET, DELIVERY)}"
FIELDS = {"msisdn": "491511", "to": "Us", "messageId": "0A00000012345678", "status": "delivered", "err-code": "0"}


def readers(*, signing: bool) -> Any:
    secrets = {"api_secret": Secret(SECRET)} | ({"signature_secret": Secret(SIGNING)} if signing else {})
    return import_module("channels.providers.sms.vonage_receipts").RECEIPTS(ACCOUNT, secrets)


def read(call: ReceiptCall, *, signing: bool = False) -> list[Receipt]:
    found: list[Receipt] = readers(signing=signing).read(call)
    return found


def stamped(fields: dict[str, str], extra: dict[str, str] | None = None, at: float = 0.0) -> dict[str, str]:
    """With time and signature; `extra` is covered as well, and travels elsewhere."""
    told = {**fields, "timestamp": str(int(at or time.time())), "nonce": "n"}
    return {**told, "sig": rules.signature(SIGNING, {**told, **(extra or {})}.items()).upper()}


def by_get(fields: dict[str, str], url: str = URL) -> ReceiptCall:
    return ReceiptCall(url=f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}", headers={}, body=b"")


def by_json(fields: dict[str, Any], url: str = URL) -> ReceiptCall:
    return ReceiptCall(url=url, headers={"content-type": "application/json"}, body=msgspec.json.encode(fields))


@pytest.mark.parametrize("make", [by_get, by_json, lambda fields: form_call(URL, fields)])
def test_our_own_url_is_believed_however_it_is_called(make: Any) -> None:
    (receipt,) = read(make(FIELDS))
    assert receipt == Receipt(
        event_id="0A00000012345678:delivered",
        kind=ReceiptKind.DELIVERED,
        delivery_id=DELIVERY,
        provider_message_id="0A00000012345678",
        detail="delivered",
    )


@pytest.mark.parametrize("make", [by_get, by_json, lambda fields: form_call(URL, fields)])
@pytest.mark.parametrize("covers_ours", [True, False])
def test_with_a_signature_secret_each_call_must_be_signed(make: Any, covers_ours: bool) -> None:  # noqa: FBT001 - a parameter
    ours = {"d": str(DELIVERY), "t": rules.callback_token(SECRET, DELIVERY)}
    (receipt,) = read(make(stamped(FIELDS, ours if covers_ours else None)), signing=True)
    assert (receipt.kind, receipt.delivery_id) == (ReceiptKind.DELIVERED, DELIVERY)
    with pytest.raises(NotGenuine):
        read(make(FIELDS), signing=True)


@pytest.mark.parametrize(
    "url",
    [
        BARE,
        f"{BARE}?d={DELIVERY}",
        f"{BARE}?d={DELIVERY}&t=",
        f"{BARE}?d={delivery_id(8)}&t={rules.callback_token(SECRET, DELIVERY)}",
        f"{BARE}?d={DELIVERY}&t={rules.callback_token('another', DELIVERY)}",
        f"{BARE}?d=nonsense&t=é",
    ],
)
def test_without_a_secret_no_other_url_is_believed(url: str) -> None:
    with pytest.raises(NotGenuine):
        read(form_call(url, FIELDS))


@pytest.mark.parametrize(
    "fields",
    [
        {**stamped(FIELDS), "status": "failed"},
        {**stamped(FIELDS), "more": "1"},
        {**stamped(FIELDS), "sig": "0" * 64},
        {**stamped(FIELDS), "sig": "é"},
        stamped(FIELDS, at=time.time() - 26 * 3600),
        stamped(FIELDS, at=time.time() + 26 * 3600),
        {**FIELDS, "sig": rules.signature(SIGNING, FIELDS.items())},
        {**FIELDS, "timestamp": "soon", "sig": rules.signature(SIGNING, {**FIELDS, "timestamp": "soon"}.items())},
    ],
)
def test_what_vonage_did_not_sign_today_is_not_read(fields: dict[str, str]) -> None:
    with pytest.raises(NotGenuine):
        read(form_call(BARE, fields), signing=True)


def test_a_signed_call_names_the_delivery_by_its_reference() -> None:
    fields = stamped({**FIELDS, "client-ref": str(DELIVERY)})
    (receipt,) = read(form_call(BARE, fields), signing=True)
    assert receipt.delivery_id == DELIVERY


@pytest.mark.parametrize(
    ("status", "error", "kind", "code"),
    [
        ("delivered", "0", ReceiptKind.DELIVERED, ""),
        ("accepted", "0", ReceiptKind.PROGRESS, ""),
        ("buffered", "0", ReceiptKind.PROGRESS, ""),
        ("expired", "99", ReceiptKind.FAILED, "99"),
        ("failed", "1", ReceiptKind.FAILED, "1"),
        ("failed", "2", ReceiptKind.FAILED, "2"),
        ("failed", "3", ReceiptKind.BOUNCED, "3"),
        ("failed", "4", ReceiptKind.BOUNCED, "4"),
        ("failed", "5", ReceiptKind.FAILED, "5"),
        ("rejected", "6", ReceiptKind.FAILED, "6"),
        ("rejected", "9", ReceiptKind.BOUNCED, "9"),
        ("failed", "call +491511", ReceiptKind.FAILED, ""),
        ("unknown", "1", ReceiptKind.UNKNOWN, "1"),
        ("something_new", "0", ReceiptKind.UNKNOWN, ""),
    ],
)
def test_each_status_and_error_has_its_kind(status: str, error: str, kind: ReceiptKind, code: str) -> None:
    (receipt,) = read(form_call(URL, {**FIELDS, "status": status, "err-code": error}))
    assert (receipt.kind, receipt.code) == (kind, code)


def test_a_signed_failure_for_an_opt_out_tells_of_both_and_of_the_opt_out_first() -> None:
    fields = stamped({**FIELDS, "status": "rejected", "err-code": "9", "client-ref": str(DELIVERY)})
    stop, failed = read(form_call(BARE, fields), signing=True)
    assert (stop.kind, stop.address, stop.delivery_id) == (ReceiptKind.UNSUBSCRIBED, "+491511", None)
    assert (failed.kind, failed.address, failed.delivery_id) == (ReceiptKind.FAILED, "", DELIVERY)


def test_every_receipt_the_lab_can_tell_has_a_kind() -> None:
    for fate in MAGIC.values():
        (receipt,) = read(form_call(URL, {**FIELDS, "status": fate.status, "err-code": fate.error}))
        assert receipt.kind is not ReceiptKind.UNKNOWN


INBOUND = {"msisdn": "491511", "to": "1500", "messageId": "0B1", "type": "text"}


def test_a_signed_stop_takes_the_number_out_of_use() -> None:
    (receipt,) = read(form_call(BARE, stamped({**INBOUND, "text": "Stop!", "keyword": "STOP!"})), signing=True)
    assert (receipt.kind, receipt.address, receipt.event_id) == (ReceiptKind.UNSUBSCRIBED, "+491511", "0B1:stop")


def test_an_unsigned_stop_is_refused() -> None:
    with pytest.raises(NotGenuine):
        read(form_call(BARE, {**INBOUND, "text": "STOP"}))


def test_a_start_is_kept_and_lifts_nothing() -> None:
    (receipt,) = read(form_call(BARE, stamped({**INBOUND, "text": "START"})), signing=True)
    assert (receipt.kind, receipt.code) == (ReceiptKind.UNKNOWN, "START")


def test_what_else_people_answer_is_none_of_our_business() -> None:
    assert read(form_call(BARE, stamped({**INBOUND, "text": "stop by tomorrow"})), signing=True) == []


@pytest.mark.parametrize(
    "fields",
    [{}, {"messageId": "0A"}, {**FIELDS, "messageId": "<a>"}, {**FIELDS, "status": "<b>"}, {"status": "failed"}],
)
def test_a_genuine_call_that_says_nothing_is_unreadable(fields: dict[str, str]) -> None:
    with pytest.raises(UnreadableReceipt):
        read(form_call(URL, fields))


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'{"status": {"a": [1]}}', b"\xff\xfe", b'{"status": "\xff"}'])
def test_a_body_that_is_no_object_of_plain_values_is_refused(body: bytes) -> None:
    with pytest.raises(NotGenuine):
        read(ReceiptCall(url=URL, headers={"content-type": "application/json"}, body=body))


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text())
NAMES = st.sampled_from([*FIELDS, *INBOUND, "text", "sig", "timestamp", "d", "t", "client-ref"]) | st.text()
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8).map(msgspec.json.encode)


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=300) | OBJECTS, query=st.text(max_size=40), kind=st.sampled_from(["json", "form", ""]))
def test_no_bytes_raise_anything_but_the_two_refusals(body: bytes, query: str, kind: str) -> None:
    url = f"{URL}&{query.encode('ascii', 'replace').decode()}"
    for signing in (False, True):
        receipts: list[Receipt] = []
        with suppress(NotGenuine, UnreadableReceipt):
            receipts = read(ReceiptCall(url=url, headers={"content-type": kind}, body=body), signing=signing)
        for receipt in receipts:
            assert receipt.event_id.isprintable()
            assert len(receipt.event_id) <= 120
