from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from channels.conf import Secret
from channels.errors import NotGenuine, UnreadableReceipt
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import Channel, Receipt, ReceiptCall, ReceiptKind
from config.lab.twilio import MAGIC, signature
from tests.providers.conformance import delivery_id
from tests.providers.gateways import PUBLIC, form_call, reader

TOKEN = "0123456789abcdef0123456789abcdef"
ACCOUNT = Account(
    name="sms-main",
    adapter="twilio",
    channel=Channel.SMS,
    options={"account_sid": "AC1", "from": "+15005550006"},
    secrets={"auth_token": SecretRef("env", "TWILIO_TOKEN")},
)
DELIVERY = delivery_id(7)
URL = f"{PUBLIC}/v1/receipts/sms-main?d={DELIVERY}"
SID = "SM" + "ab" * 16
STATUS = {"MessageSid": SID, "SmsSid": SID, "MessageStatus": "delivered", "To": "+491511", "From": "+1500"}


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_TOKEN", TOKEN)


def signed(fields: dict[str, str], url: str = URL, signed_url: str = "") -> ReceiptCall:
    told = RequestValidator(TOKEN).compute_signature(signed_url or url, fields)
    return form_call(url, fields, x_twilio_signature=told)


def read(call: ReceiptCall) -> list[Receipt]:
    return reader(ACCOUNT).read(call)


def test_what_twilios_library_signs_is_read() -> None:
    (receipt,) = read(signed(STATUS))
    assert receipt == Receipt(
        event_id=f"{SID}:delivered",
        kind=ReceiptKind.DELIVERED,
        delivery_id=DELIVERY,
        provider_message_id=SID,
        detail="delivered",
    )


def test_what_the_lab_signs_twilios_library_takes() -> None:
    told = signature(TOKEN, URL, STATUS.items())
    assert RequestValidator(TOKEN).validate(URL, STATUS, told)
    assert read(form_call(URL, STATUS, x_twilio_signature=told))


@pytest.mark.parametrize(
    ("seen", "signed_url"),
    [
        (f"{PUBLIC}/v1/receipts/x?d=1", f"{PUBLIC}:443/v1/receipts/x?d=1"),
        (f"{PUBLIC}:443/v1/receipts/x?d=1", f"{PUBLIC}/v1/receipts/x?d=1"),
        (f"{PUBLIC}:8443/v1/receipts/x?d=1", f"{PUBLIC}/v1/receipts/x?d=1"),
        ("http://carillon.example/x?d=1", "http://carillon.example:80/x?d=1"),
    ],
)
def test_the_port_may_be_told_or_not(seen: str, signed_url: str) -> None:
    assert read(signed(STATUS, seen, signed_url))
    assert RequestValidator(TOKEN).validate(seen, STATUS, RequestValidator(TOKEN).compute_signature(signed_url, STATUS))


@pytest.mark.parametrize(
    "call",
    [
        form_call(URL, STATUS),
        form_call(URL, STATUS, x_twilio_signature="nonsense"),
        form_call(URL, STATUS, x_twilio_signature="ÿé"),
        form_call(URL, STATUS, x_twilio_signature=signature("another", URL, STATUS.items())),
        form_call(f"{URL}0", STATUS, x_twilio_signature=signature(TOKEN, URL, STATUS.items())),
        form_call(URL, {**STATUS, "MessageStatus": "failed"}, x_twilio_signature=signature(TOKEN, URL, STATUS.items())),
        form_call(URL, {**STATUS, "More": "1"}, x_twilio_signature=signature(TOKEN, URL, STATUS.items())),
        form_call("https://elsewhere.example/x", STATUS, x_twilio_signature=signature(TOKEN, URL, STATUS.items())),
    ],
)
def test_what_twilio_did_not_sign_is_not_read(call: ReceiptCall) -> None:
    with pytest.raises(NotGenuine):
        read(call)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        ("accepted", "", ReceiptKind.PROGRESS),
        ("queued", "", ReceiptKind.PROGRESS),
        ("sending", "", ReceiptKind.PROGRESS),
        ("sent", "", ReceiptKind.PROGRESS),
        ("delivered", "", ReceiptKind.DELIVERED),
        ("read", "", ReceiptKind.DELIVERED),
        ("canceled", "", ReceiptKind.FAILED),
        ("failed", "", ReceiptKind.FAILED),
        ("failed", "30001", ReceiptKind.FAILED),
        ("undelivered", "30003", ReceiptKind.FAILED),
        ("undelivered", "30004", ReceiptKind.FAILED),
        ("undelivered", "30005", ReceiptKind.BOUNCED),
        ("undelivered", "30006", ReceiptKind.BOUNCED),
        ("undelivered", "30007", ReceiptKind.FAILED),
        ("undelivered", "30008", ReceiptKind.FAILED),
        ("undelivered", "30009", ReceiptKind.FAILED),
        ("failed", "30017", ReceiptKind.FAILED),
        ("failed", "30034", ReceiptKind.FAILED),
        ("failed", "30410", ReceiptKind.FAILED),
        ("failed", "21614", ReceiptKind.BOUNCED),
        ("failed", "99999", ReceiptKind.FAILED),
        ("partially_delivered", "", ReceiptKind.UNKNOWN),
        ("something_new", "30005", ReceiptKind.UNKNOWN),
    ],
)
def test_each_status_and_error_has_its_kind(status: str, error: str, kind: ReceiptKind) -> None:
    fields = {**STATUS, "MessageStatus": status} | ({"ErrorCode": error} if error else {})
    (receipt,) = read(signed(fields))
    assert (receipt.kind, receipt.code, receipt.event_id) == (kind, error, f"{SID}:{status}")


def test_a_message_that_failed_for_an_opt_out_tells_of_both_and_of_the_opt_out_first() -> None:
    stop, failed = read(signed({**STATUS, "MessageStatus": "failed", "ErrorCode": "21610"}))
    assert (stop.kind, stop.address, stop.delivery_id) == (ReceiptKind.UNSUBSCRIBED, STATUS["To"], None)
    assert (failed.kind, failed.address, failed.delivery_id) == (ReceiptKind.FAILED, "", DELIVERY)


def test_every_error_the_lab_can_tell_has_a_kind() -> None:
    for fate in MAGIC.values():
        (receipt,) = read(signed({**STATUS, "MessageStatus": fate.status, "ErrorCode": fate.error}))
        assert receipt.kind is not ReceiptKind.UNKNOWN


@pytest.mark.parametrize("query", ["", "?d=", "?d=nonsense", "?other=1"])
def test_a_callback_that_names_no_delivery_has_the_providers_id_alone(query: str) -> None:
    (receipt,) = read(signed(STATUS, f"{PUBLIC}/v1/receipts/sms-main{query}"))
    assert (receipt.delivery_id, receipt.provider_message_id) == (None, SID)


@pytest.mark.parametrize(
    "body", ["STOP", "stop", " Stop. ", "STOP ALL", "Unsubscribe!", "cancel", "END", "quit", "Opt-out"]
)
def test_a_stop_takes_the_number_out_of_use(body: str) -> None:
    (receipt,) = read(signed({"MessageSid": SID, "Body": body, "From": "+491511", "To": "+1500"}))
    assert (receipt.kind, receipt.address, receipt.event_id) == (ReceiptKind.UNSUBSCRIBED, "+491511", f"{SID}:stop")


def test_a_stop_in_any_language_is_one_where_twilio_says_so() -> None:
    (receipt,) = read(signed({"MessageSid": SID, "Body": "ARRÊT", "OptOutType": "STOP", "From": "+331511"}))
    assert receipt.kind is ReceiptKind.UNSUBSCRIBED


@pytest.mark.parametrize("fields", [{"Body": "start"}, {"Body": "Unstop"}, {"Body": "oui", "OptOutType": "START"}])
def test_a_start_is_kept_and_lifts_nothing(fields: dict[str, str]) -> None:
    (receipt,) = read(signed({"MessageSid": SID, "From": "+491511", **fields}))
    assert (receipt.kind, receipt.code) == (ReceiptKind.UNKNOWN, "START")


@pytest.mark.parametrize(
    "fields",
    [
        {"Body": "please stop by tomorrow", "From": "+491511"},
        {"Body": "HELP", "OptOutType": "HELP", "From": "+491511"},
        {"Body": "STOP", "From": "12345"},
        {"Body": "STOP", "From": "whatsapp:+491511"},
        {"Body": "STOP " * 500, "From": "+491511"},
        {"Body": "", "From": ""},
    ],
)
def test_what_else_people_answer_is_none_of_our_business(fields: dict[str, str]) -> None:
    assert read(signed({"MessageSid": SID, **fields})) == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"MessageSid": SID},
        {"MessageStatus": "delivered"},
        {"MessageSid": "a b", "MessageStatus": "delivered"},
        {"MessageSid": SID, "MessageStatus": "<script>"},
        {"MessageSid": SID, "MessageStatus": ""},
        {"MessageSid": "x" * 65, "MessageStatus": "sent"},
    ],
)
def test_a_genuine_call_that_says_nothing_is_unreadable(fields: dict[str, str]) -> None:
    with pytest.raises(UnreadableReceipt):
        read(signed(fields))


def json_call(body: bytes, told: str = "") -> ReceiptCall:
    url = f"{URL}&bodySHA256={told or hashlib.sha256(body).hexdigest()}"
    return ReceiptCall(
        url=url, headers={"x-twilio-signature": RequestValidator(TOKEN).compute_signature(url, {})}, body=body
    )


def test_a_json_body_is_proven_by_its_hash_in_the_url() -> None:
    body = msgspec.json.encode(STATUS)
    (receipt,) = read(json_call(body))
    assert (receipt.kind, receipt.delivery_id) == (ReceiptKind.DELIVERED, DELIVERY)
    call = json_call(body)
    assert RequestValidator(TOKEN).validate(call.url, body.decode(), call.headers["x-twilio-signature"])


def test_a_json_body_with_another_hash_is_not_genuine() -> None:
    with pytest.raises(NotGenuine):
        read(json_call(msgspec.json.encode(STATUS), "0" * 64))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"MessageSid": 7}', b"\xff"])
def test_a_json_body_of_another_shape_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableReceipt):
        read(json_call(body))


def test_a_repeated_call_gives_the_same_event() -> None:
    assert {read(signed(STATUS))[0].event_id for _ in range(46)} == {f"{SID}:delivered"}


def genuine(body: bytes, query: str) -> ReceiptCall:
    """Any bytes at all, signed as Twilio would."""
    url = f"{PUBLIC}/v1/receipts/sms-main?{query}"
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return ReceiptCall(url=url, headers={"x-twilio-signature": signature(TOKEN, url, set(pairs))}, body=body)


WORDS = st.sampled_from(
    ["MessageSid", "MessageStatus", "Body", "From", "OptOutType", "ErrorCode", SID, "failed", "STOP", ""]
)
FORMS = st.lists(st.tuples(WORDS | st.text(), WORDS | st.text()), max_size=8).map(
    lambda pairs: urlencode(pairs, errors="replace").encode()
)


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=300) | FORMS, query=st.text(max_size=40) | st.just(f"d={DELIVERY}"), is_signed=st.booleans()
)
def test_no_bytes_raise_anything_but_the_two_refusals(*, body: bytes, query: str, is_signed: bool) -> None:
    call = genuine(body, query.encode("ascii", "replace").decode()) if is_signed else form_call(URL, {"x": query})
    from_twilio = _reader()
    receipts: list[Receipt] = []
    with suppress(NotGenuine, UnreadableReceipt):
        receipts = from_twilio.read(call)
    for receipt in receipts:
        assert receipt.event_id.isprintable()
        assert len(receipt.event_id) <= 120
        assert receipt.code.isalnum() or not receipt.code


def _reader() -> Any:
    return import_module("channels.providers.sms.twilio_receipts").RECEIPTS(ACCOUNT, {"auth_token": Secret(TOKEN)})


def test_ten_thousand_forged_calls_take_less_than_seconds() -> None:
    forged = form_call(URL, STATUS, x_twilio_signature="nonsense")
    theirs = _reader()
    started = time.monotonic()
    for _ in range(10_000):
        with pytest.raises(NotGenuine):
            theirs.read(forged)
    assert time.monotonic() - started < 10


def test_the_delivery_is_believed_only_from_the_signed_url() -> None:
    stolen = signed(STATUS)
    other = ReceiptCall(url=stolen.url, headers=stolen.headers, body=stolen.body, query=[("d", str(UUID(int=1)))])
    assert read(other)[0].delivery_id == DELIVERY
