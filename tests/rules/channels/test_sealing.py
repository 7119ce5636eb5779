"""Sealing: only the right key in the right place opens, and master keys rotate."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from channels.rules.sealing import (
    INDEX_BYTES,
    KEY_BYTES,
    Keyring,
    KeyringFault,
    Unreadable,
    blind_index,
    new_data_key,
    seal,
    unseal,
)

KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
PLACES = st.binary(max_size=40)


def entry(kid: str, fill: bytes) -> str:
    return f"{kid}:{b64encode(fill * KEY_BYTES).decode()}"


OLD, NEW = entry("2025", b"o"), entry("2026", b"n")


@given(key=KEYS, plain=st.binary(max_size=300), place=PLACES)
def test_what_was_sealed_opens_with_the_same_key_in_the_same_place(key: bytes, plain: bytes, place: bytes) -> None:
    assert unseal(key, seal(key, plain, place), place) == plain


@given(key=KEYS, plain=st.binary(max_size=50), place=PLACES, other=PLACES)
def test_a_ciphertext_moved_to_another_row_does_not_open(key: bytes, plain: bytes, place: bytes, other: bytes) -> None:
    assume(place != other)
    with pytest.raises(Unreadable):
        unseal(key, seal(key, plain, place), other)


@given(key=KEYS, other=KEYS, plain=st.binary(max_size=50))
def test_another_recipients_key_does_not_open(key: bytes, other: bytes, plain: bytes) -> None:
    assume(key != other)
    with pytest.raises(Unreadable):
        unseal(other, seal(key, plain, b"t.c:1"), b"t.c:1")


@given(data=st.data(), plain=st.binary(max_size=50))
def test_one_flipped_bit_anywhere_is_noticed(data: st.DataObject, plain: bytes) -> None:
    key = new_data_key()
    sealed = bytearray(seal(key, plain, b"t.c:1"))
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8
    with pytest.raises(Unreadable):
        unseal(key, bytes(sealed), b"t.c:1")


@given(cut=st.integers(0, 40))
def test_a_cut_off_value_is_unreadable_and_never_another_error(cut: int) -> None:
    key = new_data_key()
    sealed = seal(key, b"twelve bytes", b"t.c:1")
    with pytest.raises(Unreadable):
        unseal(key, sealed[:cut], b"t.c:1")


def test_the_same_text_is_never_sealed_twice_into_the_same_bytes() -> None:
    key = new_data_key()
    assert len({seal(key, b"alice", b"p") for _ in range(100)}) == 100


def test_a_destroyed_key_leaves_nothing_readable() -> None:
    sealed = seal(new_data_key(), b"alice@example.com", b"p")
    with pytest.raises(Unreadable):
        unseal(b"", sealed, b"p")


@given(data_key=KEYS, place=PLACES)
def test_a_wrapped_key_says_its_master_key_and_opens(data_key: bytes, place: bytes) -> None:
    ring = Keyring.parse(NEW)
    wrapped = ring.wrap(data_key, place)
    assert (ring.key_id_of(wrapped), ring.unwrap(wrapped, place)) == ("2026", data_key)


def test_after_a_rotation_old_keys_open_and_new_ones_are_wrapped_under_the_first() -> None:
    before, after = Keyring.parse(OLD), Keyring.parse(f"{NEW}, {OLD}")
    key = new_data_key()
    old = before.wrap(key, b"r:1")
    new = after.wrap(after.unwrap(old, b"r:1"), b"r:1")
    assert after.current_id == after.key_id_of(new) == "2026"
    assert Keyring.parse(NEW).unwrap(new, b"r:1") == key
    assert new.startswith(after.prefix_of("2026"))


def test_a_key_under_a_forgotten_master_key_is_unreadable_and_names_that_key() -> None:
    wrapped = Keyring.parse(OLD).wrap(new_data_key(), b"r:1")
    with pytest.raises(Unreadable, match="2025"):
        Keyring.parse(NEW).unwrap(wrapped, b"r:1")


def test_a_wrapped_key_of_another_recipient_does_not_open() -> None:
    ring = Keyring.parse(NEW)
    with pytest.raises(Unreadable):
        ring.unwrap(ring.wrap(new_data_key(), b"recipient.data_key:1"), b"recipient.data_key:2")


@given(junk=st.binary(max_size=80))
def test_junk_is_unreadable_and_never_another_error(junk: bytes) -> None:
    ring = Keyring.parse(NEW)
    for open_it in (ring.unwrap, ring.unseal_blob):
        with pytest.raises(Unreadable):
            open_it(junk, b"")


@given(plain=st.binary(max_size=500))
def test_a_blob_opens_under_any_of_the_master_keys_and_only_in_its_place(plain: bytes) -> None:
    sealed = Keyring.parse(OLD).seal_blob(plain, b"page:1")
    after = Keyring.parse(f"{NEW},{OLD}")
    assert after.unseal_blob(sealed, b"page:1") == plain
    with pytest.raises(Unreadable):
        after.unseal_blob(sealed, b"page:2")


def test_a_wrapped_key_never_passes_for_a_blob() -> None:
    ring = Keyring.parse(NEW)
    with pytest.raises(Unreadable):
        ring.unseal_blob(ring.wrap(new_data_key(), b"x"), b"x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "master key 1: write kid:base64"),
        ("bare", "master key 1: write kid:base64"),
        ("bad id:AAAA", "master key 1: write kid:base64"),
        (f"{NEW},", "master key 2: write kid:base64"),
        ("k:not base64!", "not base64"),
        ("k:AAAA", "32 bytes are needed, these are 3"),
        (f"{NEW},{NEW}", "there twice"),
    ],
)
def test_a_faulty_list_of_master_keys_names_the_entry_and_not_the_key(text: str, says: str) -> None:
    with pytest.raises(KeyringFault, match=says) as caught:
        Keyring.parse(text)
    assert "bm5u" not in str(caught.value)


@given(one=st.text(max_size=30), other=st.text(max_size=30))
def test_an_index_is_the_same_for_the_same_address_only(one: str, other: str) -> None:
    key = b"h" * 32
    same = blind_index(key, "email", one) == blind_index(key, "email", other)
    assert same == (one == other)
    assert len(blind_index(key, "email", one)) == INDEX_BYTES


def test_an_index_depends_on_key_and_kind() -> None:
    indexes = {blind_index(key, kind, "x") for key in (b"a" * 32, b"b" * 32) for kind in ("email", "phone")}
    assert len(indexes) == 4
