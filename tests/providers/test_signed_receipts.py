from __future__ import annotations

import base64
import datetime as dt
import time
from contextlib import suppress
from importlib import import_module
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from channels import registry
from channels.conf import Secret
from channels.errors import ConfigurationFault, NotGenuine, UnreadableReceipt
from channels.rules import standard_webhooks
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import Channel, Receipt, ReceiptCall, ReceiptKind
from tests.providers.conformance import delivery_id

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret of thirty-two byte").decode()
ACCOUNT = Account(
    name="gateway",
    adapter="http",
    channel=Channel.SMS,
    base_url="https://gateway.example",
    secrets={"signing_secret": SecretRef("env", "A"), "receipts_secret": SecretRef("env", "RECEIPTS")},
)
DELIVERED = {"id": "e1", "delivery_id": str(delivery_id(7)), "event": "delivered"}


def reader(secret: str = SECRET) -> Any:
    return import_module("channels.providers.signed_receipts").RECEIPTS(ACCOUNT, {"receipts_secret": Secret(secret)})


def signed(value: Any, *, secret: str = SECRET, at: float = 0.0, call_id: str = "call-1") -> ReceiptCall:
    """Signed by the specification's own library."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    moment = dt.datetime.fromtimestamp(int(at or time.time()), tz=dt.UTC)
    headers = {
        "webhook-id": call_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(call_id, moment, body.decode("utf-8", "replace")),
    }
    return ReceiptCall(url="https://carillon.example/v1/receipts/gateway", headers=headers, body=body)


def read(*events: Any) -> list[Receipt]:
    found: list[Receipt] = reader().read(signed({"events": list(events)}))
    return found


def test_what_the_specifications_library_signs_is_read() -> None:
    at = "2026-11-21T08:00:00+01:00"
    (receipt,) = read({**DELIVERED, "code": "ok", "occurred_at": at, "message_id": "gw-1"})
    assert receipt == Receipt(
        event_id="e1",
        kind=ReceiptKind.DELIVERED,
        delivery_id=delivery_id(7),
        provider_message_id="gw-1",
        code="ok",
        occurred_at=dt.datetime.fromisoformat(at).timestamp(),
    )


def test_what_we_sign_the_specifications_library_takes() -> None:
    now = int(time.time())
    told = standard_webhooks.signature(standard_webhooks.key_of(SECRET), "m", now, b'{"a": 1}')
    headers = {"webhook-id": "m", "webhook-timestamp": str(now), "webhook-signature": told}
    assert Webhook(SECRET).verify(b'{"a": 1}', headers) == {"a": 1}


@pytest.mark.parametrize("kind", list(ReceiptKind))
def test_every_kind_of_receipt_can_be_told(kind: ReceiptKind) -> None:
    (receipt,) = read({**DELIVERED, "event": kind.value})
    assert receipt.kind is kind


def test_an_opt_out_may_name_an_address_alone() -> None:
    (receipt,) = read({"id": "e1", "event": "unsubscribed", "address": "+491511"})
    assert (receipt.kind, receipt.address, receipt.delivery_id) == (ReceiptKind.UNSUBSCRIBED, "+491511", None)


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_call_may_be_five_minutes_old(seconds: int) -> None:
    assert reader().read(signed({"events": [DELIVERED]}, at=time.time() + seconds))


@pytest.mark.parametrize("seconds", [-320, 320, -86_400])
def test_an_older_call_is_a_replay(seconds: int) -> None:
    with pytest.raises(NotGenuine, match="five minutes"):
        reader().read(signed({"events": [DELIVERED]}, at=time.time() + seconds))


def test_the_signature_of_another_secret_is_not_genuine() -> None:
    with pytest.raises(NotGenuine):
        reader().read(signed({"events": [DELIVERED]}, secret=OTHER))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", ["", "nonsense", "é", "1", "v1,", "9" * 400])
def test_a_changed_header_is_not_genuine(name: str, value: str) -> None:
    call = signed({"events": [DELIVERED]})
    with pytest.raises(NotGenuine):
        reader().read(ReceiptCall(url=call.url, headers={**call.headers, name: value}, body=call.body))


def test_a_changed_body_is_not_genuine() -> None:
    call = signed({"events": [DELIVERED]})
    with pytest.raises(NotGenuine):
        reader().read(ReceiptCall(url=call.url, headers=call.headers, body=call.body + b" "))


def test_while_a_secret_is_replaced_both_are_taken() -> None:
    both = reader(f"{OTHER}\n{SECRET}\n")
    for secret in (SECRET, OTHER):
        assert both.read(signed({"events": [DELIVERED]}, secret=secret))


def test_of_several_signatures_one_is_enough() -> None:
    call = signed({"events": [DELIVERED]})
    headers = {**call.headers, "webhook-signature": f"v2,abc {call.headers['webhook-signature']} v1,xyz"}
    assert reader().read(ReceiptCall(url=call.url, headers=headers, body=call.body))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"events": 5}', b"\xff", b'{"events": [1, ]}'])
def test_a_genuine_body_of_another_shape_is_unreadable(body: bytes) -> None:
    if body == b"\xff":
        key = standard_webhooks.key_of(SECRET)
        now = int(time.time())
        told = standard_webhooks.signature(key, "m", now, body)
        headers = {"webhook-id": "m", "webhook-timestamp": str(now), "webhook-signature": told}
        call = ReceiptCall(url="", headers=headers, body=body)
    else:
        call = signed(body)
    with pytest.raises(UnreadableReceipt):
        reader().read(call)


@pytest.mark.parametrize(
    "event",
    [
        5,
        None,
        {},
        {"id": "e2"},
        {**DELIVERED, "id": ""},
        {**DELIVERED, "id": "a b"},
        {**DELIVERED, "id": "x" * 201},
        {**DELIVERED, "id": "e\x00"},
        {**DELIVERED, "event": "exploded"},
        {**DELIVERED, "delivery_id": "nonsense"},
        {**DELIVERED, "occurred_at": "2026-11-21T08:00:00"},
        {**DELIVERED, "occurred_at": -5},
        {**DELIVERED, "occurred_at": 1e300},
        {**DELIVERED, "address": "x" * 321},
    ],
)
def test_an_event_that_is_not_understood_costs_only_itself(event: Any) -> None:
    receipts = read(DELIVERED, event, {**DELIVERED, "id": "e3"})
    assert [one.kind for one in receipts] == [ReceiptKind.DELIVERED, ReceiptKind.UNKNOWN, ReceiptKind.DELIVERED]
    assert receipts[1].event_id == "call-1:1"


def test_an_event_about_nothing_is_unknown() -> None:
    (receipt,) = read({"id": "e1", "event": "delivered"})
    assert (receipt.kind, receipt.code) == (ReceiptKind.UNKNOWN, "about_nothing")


@pytest.mark.parametrize(
    ("code", "shown"), [("30003", "30003"), ("4915112345678", ""), ("a@b.example", ""), ("x" * 65, "")]
)
def test_a_code_that_may_hold_an_address_is_not_kept(code: str, shown: str) -> None:
    (receipt,) = read({**DELIVERED, "code": code})
    assert receipt.code == shown


def test_ten_thousand_events_are_read_in_one_call() -> None:
    events = [{**DELIVERED, "id": f"e{number}"} for number in range(10_000)]
    started = time.monotonic()
    assert len(read(*events)) == 10_000
    assert time.monotonic() - started < 2


def test_a_call_with_more_events_than_anybody_has_is_refused_whole() -> None:
    with pytest.raises(UnreadableReceipt, match="at most 20000 events"):
        read(*[5] * 20_001)


def test_any_account_with_the_secret_has_this_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIPTS", SECRET)
    secrets = {"receipts_secret": SecretRef("env", "RECEIPTS")}
    for adapter, channel in (("fcm", Channel.PUSH), ("sns", Channel.SMS)):
        account = Account(name=adapter, adapter=adapter, channel=channel, secrets=secrets)
        assert registry.receipt_reader(account).read(signed({"events": [DELIVERED]}))


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "not a secret", "whsec_###", "whsec_" + "A" * 400])
def test_a_secret_that_is_none_is_a_fault_that_does_not_show_it(secret: str) -> None:
    with pytest.raises(ConfigurationFault, match=r"secrets\.receipts_secret") as fault:
        reader(secret)
    assert secret not in str(fault.value) or secret == "whsec_"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
NAMES = st.sampled_from([*DELIVERED, "events", "code", "occurred_at", "address", "message_id"]) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6))
EVENTS = st.lists(st.dictionaries(NAMES, SCALARS | st.sampled_from(["delivered", "e1"]), max_size=7), max_size=4)


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=200)
    | JSON.map(msgspec.json.encode)
    | EVENTS.map(lambda some: msgspec.json.encode({"events": some}))
)
def test_no_bytes_raise_anything_but_the_two_refusals(body: bytes) -> None:
    key, now = standard_webhooks.key_of(SECRET), int(time.time())
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": str(now),
        "webhook-signature": standard_webhooks.signature(key, "m", now, body),
    }
    receipts: list[Receipt] = []
    with suppress(UnreadableReceipt):
        receipts = reader().read(ReceiptCall(url="", headers=headers, body=body))
    for receipt in receipts:
        assert receipt.event_id.isprintable()
        assert len(receipt.event_id) <= 200
