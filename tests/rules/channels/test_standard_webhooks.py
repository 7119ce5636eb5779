from __future__ import annotations

import base64
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from channels.rules.standard_webhooks import TOLERANCE_SECONDS, key_of, refusal, signature

KEYS = st.binary(min_size=24, max_size=64)
IDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
TIMES = st.integers(1_600_000_000, 2_000_000_000)


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def headers_of(key: bytes, message_id: str, at: int, body: bytes) -> dict[str, str]:
    told = signature(key, message_id, at, body)
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": told}


@given(key=KEYS, message_id=IDS, at=TIMES, body=st.text())
def test_the_signature_is_the_one_of_the_specifications_library(
    key: bytes, message_id: str, at: int, body: str
) -> None:
    text = body.encode("utf-8", "replace").decode()
    moment = dt.datetime.fromtimestamp(at, tz=dt.UTC)
    assert signature(key, message_id, at, text.encode()) == Webhook(secret_of(key)).sign(message_id, moment, text)


@given(key=KEYS)
def test_a_secret_gives_its_key_padded_or_not(key: bytes) -> None:
    assert key_of(secret_of(key)) == key_of(secret_of(key).rstrip("=")) == key


@given(key=KEYS, message_id=IDS, at=TIMES, body=st.binary(), late=st.integers(-TOLERANCE_SECONDS, TOLERANCE_SECONDS))
def test_what_we_sign_is_genuine_for_five_minutes(key: bytes, message_id: str, at: int, body: bytes, late: int) -> None:
    assert refusal([key], headers_of(key, message_id, at, body), body, now=at + late) == ""


@given(key=KEYS, message_id=IDS, at=TIMES, body=st.binary(), place=st.integers(0), bit=st.integers(0, 7))
def test_one_changed_bit_is_refused(key: bytes, message_id: str, at: int, body: bytes, place: int, bit: int) -> None:
    headers = headers_of(key, message_id, at, body)
    changed = bytearray(body or b"\0")
    changed[place % len(changed)] ^= 1 << bit
    assert refusal([key], headers, bytes(changed), now=at)


@given(
    headers=st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()),
    body=st.binary(),
)
def test_no_header_raises_anything(headers: dict[str, str], body: bytes) -> None:
    assert refusal([b"x" * 32], headers, body, now=1.0)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "c2VjcmV0", "whsec_c2hvcnQ", "whsec_!!!!", "whsec_" + "A" * 120, "whsec_é"]
)
def test_what_is_no_secret_says_what_one_is(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 random bytes in base64"):
        key_of(secret)
