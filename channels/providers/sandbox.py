"""A provider that reaches nobody: magic addresses give every outcome, and what it got lies in a file to look at.

It carries test messages of every channel, and all messages of a channel nobody declared an account for.
`$CARILLON_HOME/sandbox/<channel>.jsonl` has a line for each message, readable by its owner only.
"""

from __future__ import annotations

import os
import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import orjson

from channels import conf, policy
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.provider import Capabilities, Option
from channels.rules.accounts import Account
from channels.rules.magic import DELIVERED, FORTUNES, Fortune, fortune_of
from channels.vocabulary import Channel, InAppMessage, Message, Platform, PushMessage, SendOutcome, SendResult

_OWNER_ONLY = 0o600


class Sandbox:
    """The built-in provider of tests, demos and test keys."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset(Channel),
        platforms=frozenset(Platform),
        options={
            "latency_ms": Option("milliseconds until a page is answered", int),
            "always": Option(f"what becomes of every message: {', '.join(FORTUNES)}"),
        },
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        del secrets
        self._name = account.name
        self._always = _named(account)
        self._latency_seconds = account.options.get("latency_ms", 0) / 1000
        self._path = conf.home() / "sandbox" / f"{account.channel}.jsonl"

    def send_many(self, messages: Sequence[Message], *, deadline: float) -> list[SendResult]:
        """Answer each message as its address asks, and write down what was taken."""
        started_at, clock = time.time(), time.monotonic()
        if clock >= deadline:
            return [self._result(message, _PAST, started_at, 0.0) for message in messages]
        fates = [(message, *self._fate(message, started_at)) for message in messages]
        self._take_time([fortune for _, fortune, _ in fates])
        _append(self._path, [line for _, _, line in fates])
        latency_ms = (time.monotonic() - clock) * 1000
        return [self._result(message, fortune, started_at, latency_ms) for message, fortune, _ in fates]

    def close(self) -> None:
        """Nothing is kept open."""

    def _fate(self, message: Message, started_at: float) -> tuple[Fortune, bytes]:
        """What becomes of a message, and the line about it."""
        fortune = self._always or _fortune(message)
        try:
            return fortune, _line(message, fortune, started_at)
        except TypeError:
            return _UNENCODABLE, b""  # lone surrogates: no provider could carry them either

    def _take_time(self, fortunes: Sequence[Fortune]) -> None:
        """A page is answered together, as if all of it had been in flight at once."""
        slow = policy.SANDBOX_SLOW_SECONDS if any(fortune.slow for fortune in fortunes) else 0.0
        seconds = max(slow, self._latency_seconds)
        if seconds:
            threading.Event().wait(seconds)

    def _result(self, message: Message, fortune: Fortune, started_at: float, latency_ms: float) -> SendResult:
        accepted = fortune.outcome is SendOutcome.ACCEPTED
        return SendResult(
            id=message.id,
            outcome=fortune.outcome,
            provider=self._name,
            provider_message_id=f"sandbox-{message.id.hex}" if accepted else "",
            code=fortune.code,
            retry_after_seconds=fortune.retry_after_seconds,
            receipt=fortune.receipt,
            # A magic word is about its own message; only what the account does always is about the account.
            address_only=self._always is None and not accepted,
            started_at=started_at,
            latency_ms=latency_ms,
        )


ADAPTER = Sandbox

_PAST = Fortune(SendOutcome.THROTTLED, None, "page_deadline")
_UNENCODABLE = Fortune(SendOutcome.BAD_MESSAGE, None, "unencodable")


def _named(account: Account) -> Fortune | None:
    """The one answer this account gives, where it is told to: a drill for failover and alarms."""
    word = account.options.get("always")
    if word is not None and word not in FORTUNES:
        cure = f"must be one of {', '.join(FORTUNES)}"
        raise ConfigurationFault([Fault(conf.accounts_file(), f'provider "{account.name}"', "options.always", cure)])
    return None if word is None else FORTUNES[word]


def _fortune(message: Message) -> Fortune:
    if isinstance(message, InAppMessage):
        return DELIVERED
    return fortune_of(message.token if isinstance(message, PushMessage) else message.to)


def _line(message: Message, fortune: Fortune, started_at: float) -> bytes:
    """One JSON line: the message as it came, and what became of it."""
    content = msgspec.structs.asdict(message)
    content.update(at=started_at, outcome=fortune.outcome, receipt=fortune.receipt)
    return orjson.dumps(content, default=_plain, option=orjson.OPT_APPEND_NEWLINE)


def _plain(value: Any) -> str:
    return b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _append(path: Path, lines: Sequence[bytes]) -> None:
    """Add the lines in one write, which concurrent processes cannot interleave; put a full file aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > policy.SANDBOX_FILE_BYTES:
        path.replace(path.with_suffix(".jsonl.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _OWNER_ONLY)
    try:
        os.write(descriptor, b"".join(lines))
    finally:
        os.close(descriptor)
