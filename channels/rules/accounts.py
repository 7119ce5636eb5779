"""A provider account as the TOML file declares it, and what may be wrong with a declaration.

Faults are collected, not raised one by one: whoever edits the file sees all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from channels import policy
from channels.rules.breaker import BreakerTerms
from channels.vocabulary import Channel, Platform

#: Used in URLs, metrics and file names.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?\Z")
_SCHEMES = ("http", "https", "smtp", "smtps")
_COUNTRY = re.compile(r"[A-Z]{2}\Z")

EVERYWHERE = frozenset({"*"})


class SecretRef(msgspec.Struct, frozen=True):
    """Where a secret is to be found; never the secret itself."""

    #: `env` or `file`.
    kind: str
    #: Name of the variable, or path of the file.
    place: str

    def __str__(self) -> str:
        """As it is written in the file."""
        return f"{self.kind}:{self.place}"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One declared provider account."""

    name: str
    adapter: str
    channel: Channel
    #: Empty: all that the adapter carries.
    platforms: frozenset[Platform] = frozenset()
    #: Lower first.
    priority: int = 1
    #: Share among accounts of equal priority; 0 only when the others failed.
    weight: int = 100
    #: 0: unlimited.
    rate_per_second: float = 0.0
    #: 0: none.
    daily_limit: int = 0
    #: Requests in flight of one process; 0: what suits the protocol.
    concurrency: int = 0
    timeout_seconds: float = policy.REQUEST_TIMEOUT_SECONDS
    connect_timeout_seconds: float = policy.CONNECT_TIMEOUT_SECONDS
    #: Empty: the provider's own.
    base_url: str = ""
    #: Path of a private CA to trust instead of the public ones.
    ca_file: str = ""
    #: ISO 3166 codes of the countries it may send to; `*`: all.
    regions: frozenset[str] = EVERYWHERE
    #: When its circuit opens and closes.
    breaker: BreakerTerms = BreakerTerms()
    options: dict[str, Any] = {}
    secrets: dict[str, SecretRef] = {}


class KeyFault(NamedTuple):
    """What is wrong with one key of an entry."""

    key: str
    cure: str


class _Unfit(ValueError):
    """A value that does not suit its key; the message is the cure and never repeats the value."""


def account_of(entry: Mapping[str, Any]) -> tuple[Account | None, list[KeyFault]]:
    """The account an entry of the file stands for, or everything that is wrong with it."""
    faults = [KeyFault(key, f"unknown key: known are {', '.join(_READERS)}") for key in entry if key not in _READERS]
    faults += [KeyFault(key, "is missing") for key in ("name", "adapter", "channel") if key not in entry]
    values: dict[str, Any] = {}
    for key, read in _READERS.items():
        if key in entry:
            try:
                values[key] = read(entry[key])
            except _Unfit as fault:
                faults.append(KeyFault(key, str(fault)))
    return (None, faults) if faults else (Account(**values), [])


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.match(value):
        raise _Unfit('must be 1 to 64 of a-z, 0-9, - and _, such as "fcm-main": it becomes part of URLs')
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise _Unfit("must be a text in quotes")
    return value


def _channel(value: object) -> Channel:
    if not isinstance(value, str) or value not in list(Channel):
        raise _Unfit(f"must be one of {', '.join(Channel)}")
    return Channel(value)


def _platforms(value: object) -> frozenset[Platform]:
    if not isinstance(value, list) or not all(item in list(Platform) for item in value):
        raise _Unfit(f"must be a list of {', '.join(Platform)}")
    return frozenset(Platform(item) for item in value)


def _regions(value: object) -> frozenset[str]:
    if value == ["*"]:
        return EVERYWHERE
    if not isinstance(value, list) or not value or not all(_is_country(item) for item in value):
        raise _Unfit('must be a list of ISO 3166 codes of countries, such as ["GB", "IE"], or ["*"]')
    return frozenset(value)


def _is_country(value: object) -> bool:
    return isinstance(value, str) and _COUNTRY.match(value) is not None


def _breaker(value: object) -> BreakerTerms:
    if not isinstance(value, dict) or not value.keys() <= _BREAKER_READERS.keys():
        raise _Unfit(f"must be a table of {', '.join(_BREAKER_READERS)}")
    try:
        return BreakerTerms(**{key: _BREAKER_READERS[key](item) for key, item in value.items()})
    except _Unfit as fault:
        raise _Unfit(f"its numbers: {fault}") from fault


def _whole(minimum: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise _Unfit(f"must be a whole number of at least {minimum}")
        return value

    return read


def _number(minimum: float, maximum: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise _Unfit(f"must be a number from {minimum:g} to {maximum:g}")
        return float(value)

    return read


def _base_url(value: object) -> str:
    cure = f'must be a URL such as "https://host:port"; known schemes are {", ".join(_SCHEMES)}'
    if not isinstance(value, str):
        raise _Unfit(cure)
    try:
        parts = urlsplit(value)
        unfit = parts.scheme not in _SCHEMES or not parts.hostname or parts.port == 0
    except ValueError as fault:
        raise _Unfit(cure) from fault
    if unfit:
        raise _Unfit(cure)
    if parts.username or parts.password:
        raise _Unfit("must not hold a user or password: those belong under options and secrets")
    return value.rstrip("/")


def _options(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Unfit('must be a table, such as {project_id = "my-project"}')
    return value


def _secrets(value: object) -> dict[str, SecretRef]:
    if not isinstance(value, dict):
        raise _Unfit('must be a table of references, such as {password = "env:SMTP_PASSWORD"}')
    return {key: _secret(key, reference) for key, reference in value.items()}


def _secret(key: str, reference: object) -> SecretRef:
    kind, _, place = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if kind not in {"env", "file"} or not place:
        raise _Unfit(f'{key} must be a reference, "env:NAME" or "file:/path": the file never holds the secret itself')
    return SecretRef(kind, place)


_BREAKER_READERS: dict[str, Callable[[object], Any]] = {
    "failures": _whole(1),
    "open_seconds": _number(0.1, 3600),
    "probes": _whole(1),
    "successes": _whole(1),
}

_READERS: dict[str, Callable[[object], Any]] = {
    "name": _name,
    "adapter": _name,
    "channel": _channel,
    "platforms": _platforms,
    "priority": _whole(0),
    "weight": _whole(0),
    "rate_per_second": _number(0, 1_000_000),
    "daily_limit": _whole(0),
    "concurrency": _whole(0),
    "timeout_seconds": _number(0.1, 60),
    "connect_timeout_seconds": _number(0.1, 60),
    "base_url": _base_url,
    "ca_file": _text,
    "regions": _regions,
    "breaker": _breaker,
    "options": _options,
    "secrets": _secrets,
}
