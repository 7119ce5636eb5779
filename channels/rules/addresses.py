"""Normalise and check addresses once, when they are written; mask them for people.

Nothing is looked up: whether a mailbox or a phone exists is what receipts tell. A phone need only be
*possible* (right country code and length), because numbering plans move faster than any table.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES, DOT_ATOM_TEXT

from channels.errors import BadAddress
from channels.rules.phones import is_plain
from channels.rules.topics import is_condition, is_group, is_topic
from channels.vocabulary import Platform

#: What APNs (hex) and FCM tokens are made of; providers call them opaque, so the length is theirs.
_APP_TOKEN = re.compile(r"[A-Za-z0-9_:.=+/%~-]{4,4096}\Z")

#: Bytes of a browser's public key (uncompressed P-256 point) and of its shared secret (RFC 8291).
_P256DH_BYTES, _AUTH_BYTES = 65, 16

#: Local parts that are one mailbox however they are spelt, and characters up to which an address is taken at a glance.
_ROLES = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)
_USUAL_LENGTH = 200
#: Domains whose spelling is remembered: most people share a few, and to judge one takes longer than all the rest.
_KNOWN_DOMAINS = 10_000

_WEB_CURE = "pass the browser's PushSubscription object as it is: {endpoint, keys: {p256dh, auth}}"


def normalise_email(text: str) -> str:
    """The address as it is sent to: domain in ASCII and lower case, local part as given."""
    address = text.strip()
    local, _, domain = address.rpartition("@")
    if len(address) < _USUAL_LENGTH and DOT_ATOM_TEXT.match(local) and local.lower() not in _ROLES:
        spelt = _usual_domain(domain)
        if spelt:
            return f"{local}@{spelt}"
    return _checked_email(address)


@lru_cache(_KNOWN_DOMAINS)
def _usual_domain(domain: str) -> str:
    """How a domain is spelt that is plain ASCII in every form; empty: judge the whole address."""
    if not domain.isascii() or "xn--" in domain.lower():
        return ""
    try:
        return _checked_email(f"a@{domain}")[len("a@") :]
    except BadAddress:
        return ""


def _checked_email(address: str) -> str:
    try:
        checked = validate_email(address, check_deliverability=False)
    except EmailNotValidError as fault:
        cure = "give one address such as alice@example.com"
        raise BadAddress("invalid_email", cure) from fault
    return f"{checked.local_part}@{checked.ascii_domain}"


def comparable_email(address: str) -> str:
    """The form two spellings of one mailbox share: practically no host tells Alice@ from alice@."""
    return address.casefold()


def normalise_phone(text: str) -> str:
    """E.164, from any usual way of writing a number with its country code."""
    if is_plain(text):
        return text
    if not text.strip().startswith("+"):
        raise BadAddress("invalid_phone", "start with + and the country code, such as +447700900123")
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as fault:
        raise BadAddress("invalid_phone", "give a number in E.164, such as +447700900123") from fault
    if number.extension or not phonenumbers.is_possible_number(number):
        raise BadAddress("invalid_phone", "the number is too long or too short for its country code")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def normalise_token(platform: Platform, token: str | Mapping[str, Any]) -> str:
    """The token as it is kept: app tokens unchanged, a web subscription as compact JSON with sorted keys.

    For Android also a topic of FCM (`/topics/<name>`) or a condition (`'a' in topics && 'b' in topics`).
    """
    if platform is Platform.WEB:
        return _normalise_subscription(token)
    if isinstance(token, str) and is_group(token):
        return _normalise_group(platform, token)
    if not isinstance(token, str) or not _APP_TOKEN.match(token):
        raise BadAddress("invalid_token", "pass the token exactly as the device's push service gave it")
    return token


def email_hint(address: str) -> str:
    """`a…@example.com`: enough to recognise one's own."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def phone_hint(number: str) -> str:
    """`…6543`."""
    return f"…{number[-4:]}"


def token_hint(token: str) -> str:
    """`…cdef`; of a web subscription, the end of its endpoint, since all of them end in the same bracket."""
    if token.startswith("{"):
        token = str(json.loads(token)["endpoint"])
    return f"…{token[-4:]}"


def _normalise_subscription(token: str | Mapping[str, Any]) -> str:
    subscription = _decoded(token) if isinstance(token, str) else token
    keys = subscription.get("keys")
    endpoint = subscription.get("endpoint")
    if not isinstance(keys, Mapping) or not isinstance(endpoint, str) or not _is_endpoint(endpoint):
        raise BadAddress("invalid_token", _WEB_CURE)
    p256dh, auth = keys.get("p256dh"), keys.get("auth")
    if _byte_length(p256dh) != _P256DH_BYTES or _byte_length(auth) != _AUTH_BYTES:
        raise BadAddress("invalid_token", _WEB_CURE)
    kept = {"endpoint": endpoint, "keys": {"auth": auth, "p256dh": p256dh}}
    return json.dumps(kept, separators=(",", ":"), sort_keys=True)


def _normalise_group(platform: Platform, token: str) -> str:
    if platform is not Platform.ANDROID:
        raise BadAddress("invalid_token", "register a topic or condition of FCM as android: it reaches all platforms")
    if not is_topic(token) and not is_condition(token):
        raise BadAddress(
            "invalid_token", "write /topics/<name>, or at most five 'name' in topics with &&, ||, ! and ()"
        )
    return token


def _decoded(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as fault:
        raise BadAddress("invalid_token", _WEB_CURE) from fault
    if not isinstance(value, dict):
        raise BadAddress("invalid_token", _WEB_CURE)
    return value


def _is_endpoint(url: str) -> bool:
    """A plain https URL; where it may point is the web push adapter's allow-list."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    printable = url.isascii() and url.isprintable() and " " not in url
    return printable and parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc


def _byte_length(text: object) -> int:
    """Length of what URL-safe base64 stands for, or -1 when it is not that."""
    if not isinstance(text, str):
        return -1
    try:
        return len(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return -1
