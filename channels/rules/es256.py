"""ES256 tokens (RFC 7515, RFC 7518 3.4) that all processes make alike, without telling each other anything.

Two things make that so: instants are taken from a grid instead of the clock, and the signature is the deterministic one
of RFC 6979, where ECDSA as usual, and PyJWT with it, draws a random number. `docs/decisions/0021` says what for.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jwt.utils import base64url_encode, der_to_raw_signature

_DETERMINISTIC = ec.ECDSA(SHA256(), deterministic_signing=True)


def private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of a PEM text; raises ValueError with the cure, which never shows the text."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError('is not a private key in PEM, which begins with "-----BEGIN PRIVATE KEY-----"') from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("is a key of another kind: an elliptic curve key on P-256 is needed")  # noqa: TRY004 - the text is at fault, not its type
    return key


def public_text(key: ec.EllipticCurvePrivateKey) -> str:
    """Its public half as browsers and push services write it: the uncompressed point in URL-safe base64."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64url_encode(point).decode()


def signed(key: ec.EllipticCurvePrivateKey, *, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """The compact token: the same bytes for the same key, header and claims, wherever it is made."""
    told = [base64url_encode(orjson.dumps({"alg": "ES256", **header})), base64url_encode(orjson.dumps(claims))]
    signature = der_to_raw_signature(key.sign(b".".join(told), _DETERMINISTIC), key.curve)
    return b".".join([*told, base64url_encode(signature)]).decode()


def on_grid(now: float, *, step_seconds: int, name: str) -> int:
    """The last instant of a grid of epoch seconds that is not after `now`; the grid of each name lies elsewhere."""
    offset = int.from_bytes(sha256(name.encode()).digest()[:4], "big") % step_seconds
    return int(now) - (int(now) - offset) % step_seconds
