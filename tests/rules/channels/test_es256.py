from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from channels.rules import es256

#: RFC 6979 A.2.5: the private key on P-256.
SCALAR = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
KEY = ec.derive_private_key(SCALAR, ec.SECP256R1())
NAMES = st.text(min_size=1, max_size=20)


def test_the_same_claims_are_the_same_bytes() -> None:
    tokens = {es256.signed(KEY, header={"kid": "K"}, claims={"iss": "T", "iat": 1_800_000_000}) for _ in range(20)}
    assert len(tokens) == 1


def test_pyjwt_verifies_what_is_signed() -> None:
    token = es256.signed(KEY, header={"kid": "K"}, claims={"iss": "T", "iat": 1_700_000_000})
    assert jwt.decode(token, KEY.public_key(), algorithms=["ES256"]) == {"iss": "T", "iat": 1_700_000_000}
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "K"}


def test_another_key_or_claim_is_another_token() -> None:
    claims = {"iss": "T", "iat": 1_800_000_000}
    other = es256.signed(ec.generate_private_key(ec.SECP256R1()), header={}, claims=claims)
    assert len({es256.signed(KEY, header={}, claims=claims), other, es256.signed(KEY, header={}, claims={})}) == 3


@given(st.floats(1e9, 4e9), NAMES, st.integers(1, 100_000))
def test_an_instant_of_the_grid_is_less_than_a_step_ago(now: float, name: str, step: int) -> None:
    instant = es256.on_grid(now, step_seconds=step, name=name)
    assert 0 <= int(now) - instant < step
    assert es256.on_grid(instant, step_seconds=step, name=name) == instant
    assert es256.on_grid(instant + step, step_seconds=step, name=name) == instant + step


@given(st.integers(10**9, 4 * 10**9), NAMES)
def test_half_a_grid_holds_the_whole_one(now: int, name: str) -> None:
    whole = es256.on_grid(now, step_seconds=2700, name=name)
    assert es256.on_grid(now, step_seconds=1350, name=name) in {whole, whole + 1350}


def test_a_key_is_read_from_its_pem() -> None:
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert es256.private_key(pem).private_numbers() == KEY.private_numbers()
    assert len(es256.public_text(KEY)) == 87


@pytest.mark.parametrize("text", ["", "x", "\ud800", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_said_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"\Ais not a private key in PEM"):
        es256.private_key(text)
