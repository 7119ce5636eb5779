"""The text of API keys: `crl_live_<8 characters>_<43 characters>`, or `crl_test_…` for the sandbox.

The eight characters find the row and may be shown; the 43 are 32 random bytes, of which only a hash is stored.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256
from typing import NamedTuple

#: Random bytes that one key consumes: six for its name, 32 for its secret.
KEY_ENTROPY = 38

_NAME_BYTES = 6
_KEY = re.compile(r"crl_(live|test)_([A-Za-z0-9]{8})_([A-Za-z0-9_-]{43})")


class KeyParts(NamedTuple):
    """An API key taken apart."""

    is_test: bool
    #: Public: shown in lists and logs.
    prefix: str
    secret: str

    @property
    def text(self) -> str:
        """The key as its holder keeps it."""
        return f"crl_{'test' if self.is_test else 'live'}_{self.prefix}_{self.secret}"


def new_key(*, is_test: bool, entropy: bytes) -> KeyParts:
    """A key made of `KEY_ENTROPY` random bytes."""
    # The name has letters and digits only, so that a double click selects it; two of 64 signs share a letter each.
    name = b64encode(entropy[:_NAME_BYTES], b"xy").decode()
    secret = urlsafe_b64encode(entropy[_NAME_BYTES:KEY_ENTROPY]).decode().rstrip("=")
    return KeyParts(is_test, name, secret)


def parse_key(text: str) -> KeyParts | None:
    """The parts of a well-formed key."""
    match = _KEY.fullmatch(text)
    return KeyParts(match[1] == "test", match[2], match[3]) if match else None


def secret_hash(secret: str, pepper: bytes) -> bytes:
    """What is stored. One round suffices: the secret holds 256 random bits, so there is nothing to guess."""
    return sha256(pepper + secret.encode()).digest()
