"""What the stand-ins prove themselves with, made afresh: a private CA, a certificate, a service account."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PROJECT_ID = "carillon-lab"
CLIENT_EMAIL = f"lab@{PROJECT_ID}.iam.gserviceaccount.com"

_PEM = serialization.Encoding.PEM
#: Days a certificate is good for: longer than any run, and the day before for clocks that lag.
_DAYS = 30


class Identities(msgspec.Struct, frozen=True):
    """Paths of the files, and the public half of the service account's key."""

    ca_file: Path
    certificate: Path
    key: Path
    service_account: Path
    #: PEM.
    service_account_public_key: bytes


def make_identities(folder: Path, *, token_uri: str) -> Identities:
    """Write a CA, a certificate for loopback signed by it, and a service account with this `token_uri`."""
    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _certificate(
        "Carillon lab CA", ca_key, "Carillon lab CA", ca_key, [x509.BasicConstraints(ca=True, path_length=0)]
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    leaf = _certificate("localhost", leaf_key, "Carillon lab CA", ca_key, [x509.SubjectAlternativeName(names)])
    service_account, public = make_service_account(folder / "service-account.json", token_uri=token_uri)
    return Identities(
        _written(folder / "ca.pem", ca.public_bytes(_PEM)),
        _written(folder / "leaf.pem", leaf.public_bytes(_PEM)),
        _written(folder / "leaf.key", _private_pem(leaf_key)),
        service_account,
        public,
    )


def make_service_account(path: Path, *, token_uri: str) -> tuple[Path, bytes]:
    """Write a service account with a key of its own; its path and the public half of the key (PEM)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return _written(path, json.dumps(_service_account(_private_pem(key), token_uri)).encode()), public


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    extensions: list[x509.ExtensionType],
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(signer, hashes.SHA256())


def _service_account(private_pem: bytes, token_uri: str) -> dict[str, str]:
    return {
        "type": "service_account",
        "project_id": PROJECT_ID,
        "private_key_id": "lab",
        "private_key": private_pem.decode(),
        "client_email": CLIENT_EMAIL,
        "client_id": "1",
        "token_uri": token_uri,
    }


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _written(path: Path, content: bytes) -> Path:
    """Private keys are among them, and granian insists: owner only."""
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path
