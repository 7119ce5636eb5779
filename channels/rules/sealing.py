"""Sealing of personal data: AES-256-GCM under a recipient's data key, itself wrapped under a master key.

Every sealed value is bound to its place by the additional data (`aad`): `b"table.column:" + row key`. A
ciphertext copied into another row, column or table no longer opens. Destroying a recipient's wrapped data key
makes everything that was sealed under it unreadable.

    sealed value   version ‖ nonce (12) ‖ ciphertext and tag
    wrapped key    version ‖ length of kid ‖ kid ‖ nonce (12) ‖ ciphertext and tag
    blob           the same as a wrapped key, under another derived key
    link           version ‖ length of kid ‖ kid ‖ synthetic nonce (16) ‖ ciphertext (AES-SIV, RFC 5297)

Links are in every mail, for years: far more than the 2^32 values for which random nonces are safe under one key.
AES-SIV needs none, and what it makes is the same every time.

Ciphers are made anew for each value on purpose: it costs 0.7 µs, and no data key outlives its use in a cache.
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode
from os import urandom
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

#: AES-256: the length of master keys and data keys, in bytes.
KEY_BYTES = 32
#: 96 bits, the length GCM is made for; random, since a data key seals far fewer than 2^32 values.
NONCE_BYTES = 12
#: 128 bits: nobody finds two addresses of one index, and an index row stays small.
INDEX_BYTES = 16

_TAG_BYTES = 16
_VERSION = b"\x01"
_HEADER = 1 + NONCE_BYTES
_SHORTEST = _HEADER + _TAG_BYTES
_KID = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")


class Unreadable(Exception):
    """A sealed value that does not open: another key, another place, altered, or cut off."""


class KeyringFault(ValueError):
    """The list of master keys is not usable; the message names the entry and the cure, never the key."""


def new_data_key() -> bytes:
    """A fresh random key for one recipient."""
    return urandom(KEY_BYTES)


def seal(key: bytes, plain: bytes, aad: bytes) -> bytes:
    """`plain` encrypted under a data key and bound to `aad`; never twice the same."""
    nonce = urandom(NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plain, aad)


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """What `seal` was given, if key and `aad` are the same; otherwise `Unreadable`."""
    if len(key) != KEY_BYTES or sealed[:1] != _VERSION or len(sealed) < _SHORTEST:
        raise Unreadable("not a sealed value of this version, or its key is gone")
    try:
        return AESGCM(key).decrypt(sealed[1:_HEADER], sealed[_HEADER:], aad)
    except InvalidTag:
        raise Unreadable("the sealed value does not open with this key in this place") from None


def blind_index(hash_key: bytes, kind: str, normalised: str) -> bytes:
    """Keyed hash that finds an address without storing it; `kind` keeps e-mail, phone and token apart."""
    return hmac.digest(hash_key, f"{kind}\0{normalised}".encode(), "sha256")[:INDEX_BYTES]


class _Master(NamedTuple):
    """The ciphers derived from one master key, so that a wrapped key can never pass for a blob or a link."""

    prefix: bytes
    keys: AESGCM
    blobs: AESGCM
    links: AESSIV


class Keyring:
    """The master keys: the first wraps what is new, each of them opens what it once wrapped."""

    __slots__ = ("_by_id", "_current", "current_id")

    def __init__(self, masters: dict[str, bytes]) -> None:
        """`masters` by key id, the current one first."""
        self._by_id = {kid: _derive(kid, key) for kid, key in masters.items()}
        self.current_id = next(iter(masters))
        self._current = self._by_id[self.current_id]

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """A keyring from `kid:base64[,kid2:base64…]`; raises `KeyringFault`."""
        masters: dict[str, bytes] = {}
        for number, entry in enumerate(text.split(","), start=1):
            kid, key = _parse_entry(number, entry.strip())
            if kid in masters:
                raise KeyringFault(f"master key {number}: the id {kid!r} is there twice; use each once")
            masters[kid] = key
        return cls(masters)

    def wrap(self, data_key: bytes, aad: bytes) -> bytes:
        """A data key encrypted under the current master key, whose id travels with it."""
        nonce = urandom(NONCE_BYTES)
        return self._current.prefix + nonce + self._current.keys.encrypt(nonce, data_key, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """The data key, opened by whichever master key wrapped it; raises `Unreadable`."""
        master, start = self._master_of(wrapped)
        return _open(master.keys, wrapped, start, aad)

    def seal_blob(self, plain: bytes, aad: bytes) -> bytes:
        """Content of many recipients sealed for a short journey through the broker."""
        nonce = urandom(NONCE_BYTES)
        return self._current.prefix + nonce + self._current.blobs.encrypt(nonce, plain, aad)

    def unseal_blob(self, sealed: bytes, aad: bytes) -> bytes:
        """What `seal_blob` was given; raises `Unreadable`."""
        master, start = self._master_of(sealed)
        return _open(master.blobs, sealed, start, aad)

    def seal_link(self, plain: bytes, purpose: bytes) -> bytes:
        """What a link in a message stands for, sealed to last as long as the master key; the same every time."""
        return self._current.prefix + self._current.links.encrypt(plain, [purpose])

    def unseal_link(self, sealed: bytes, purpose: bytes) -> bytes:
        """What `seal_link` was given for the same purpose; raises `Unreadable`."""
        master, start = self._master_of(sealed)
        try:
            return master.links.decrypt(sealed[start:], [purpose])
        except InvalidTag:
            raise Unreadable("no link of this purpose") from None

    def key_id_of(self, wrapped: bytes) -> str:
        """Id of the master key that wrapped it, even if that key is lost; raises `Unreadable`."""
        end = 2 + wrapped[1] if wrapped[:1] == _VERSION and len(wrapped) > 1 else 0
        if not end or len(wrapped) < end + _TAG_BYTES:
            raise Unreadable("not a wrapped key of this version, or it has been destroyed")
        return wrapped[2:end].decode("ascii", "replace")

    def prefix_of(self, kid: str) -> bytes:
        """The first bytes of everything wrapped under a key, for finding what is not wrapped under it yet."""
        return self._by_id[kid].prefix

    def _master_of(self, wrapped: bytes) -> tuple[_Master, int]:
        """The master key named in the header, and where the nonce begins."""
        prefix = self._current.prefix
        if wrapped.startswith(prefix):
            return self._current, len(prefix)
        kid = self.key_id_of(wrapped)
        master = self._by_id.get(kid)
        if master is None:
            raise Unreadable(f"wrapped under master key {kid!r}, which is not among the master keys")
        return master, len(master.prefix)


def _open(cipher: AESGCM, sealed: bytes, start: int, aad: bytes) -> bytes:
    end = start + NONCE_BYTES
    if len(sealed) < end + _TAG_BYTES:
        raise Unreadable("cut off")
    try:
        return cipher.decrypt(sealed[start:end], sealed[end:], aad)
    except InvalidTag:
        raise Unreadable("does not open with this master key in this place") from None


def _parse_entry(number: int, entry: str) -> tuple[str, bytes]:
    kid, colon, encoded = entry.partition(":")
    if not colon or not _KID.match(kid):
        raise KeyringFault(f"master key {number}: write kid:base64, the id in letters, digits, '.', '_' and '-'")
    try:
        key = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KeyringFault(f"master key {number} ({kid}): the part behind the colon is not base64") from None
    if len(key) != KEY_BYTES:
        raise KeyringFault(f"master key {number} ({kid}): {KEY_BYTES} bytes are needed, these are {len(key)}")
    return kid, key


def _derive(kid: str, master: bytes) -> _Master:
    name = kid.encode("ascii")
    return _Master(
        prefix=_VERSION + bytes([len(name)]) + name,
        keys=AESGCM(_hkdf(master, b"carillon data keys")),
        blobs=AESGCM(_hkdf(master, b"carillon broker blobs")),
        links=AESSIV(_hkdf(master, b"carillon links", 2 * KEY_BYTES)),
    )


def _hkdf(master: bytes, purpose: bytes, length: int = KEY_BYTES) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(master)
