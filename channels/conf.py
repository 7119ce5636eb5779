"""The provider accounts of this installation, read once from the file that `CARILLON_PROVIDERS_FILE` names.

Without a file, push, sms and email have the built-in sandbox. In-app has the built-in inbox either way, and test
messages have sandboxes of their own, whatever the file says.
"""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from channels.errors import ConfigurationFault, Fault
from channels.rules.accounts import Account, SecretRef, account_of
from channels.rules.rates import micros_of
from channels.vocabulary import Channel

INBOX = Account(name="inbox", adapter="inbox", channel=Channel.IN_APP)


class Secret:
    """A secret that does not show itself in logs, tracebacks and error reports."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


def accounts() -> tuple[Account, ...]:
    """Every declared account; raises ConfigurationFault with all that is wrong."""
    path = settings.CARILLON["PROVIDERS_FILE"]
    return _accounts_of(Path(path) if path else None)


def accounts_file() -> str:
    """Path of the providers file; empty without one."""
    return str(settings.CARILLON["PROVIDERS_FILE"] or "")


def sandbox_account(channel: Channel) -> Account:
    """The sandbox that takes test messages of a channel, and that channel's messages where no file is given."""
    return Account(name=f"sandbox-{channel.value.replace('_', '-')}", adapter="sandbox", channel=channel)


def home() -> Path:
    """Where this installation keeps its files."""
    return Path(settings.CARILLON["HOME"])


def redis_url() -> str:
    """The Redis that carries limits and health; it may be away at any moment."""
    return str(settings.CARILLON["REDIS_URL"])


def receipts_url(account_name: str) -> str:
    """Where a provider tells what became of this account's messages; what signatures are checked against."""
    return f"{settings.CARILLON['PUBLIC_URL']}/v1/receipts/{account_name}"


def hash_key() -> bytes:
    """The key of fingerprints, so that nobody who sees one can try secrets against it."""
    key: bytes = settings.CARILLON["HASH_KEY"]
    return key


def currency() -> str:
    """What prices and budgets are in."""
    return str(settings.CARILLON["CURRENCY"])


def dear_above() -> int:
    """Millionths that a segment may cost before it counts as dear."""
    return micros_of(settings.CARILLON["SMS_DEAR_ABOVE"])


def resolve(reference: SecretRef) -> Secret:
    """What a reference stands for, now; raises LookupError with the cure when there is nothing."""
    if reference.kind == "env":
        value = os.environ.get(reference.place, "")
        if not value:
            raise LookupError(f"set the environment variable {reference.place}, or correct its name")
        return Secret(value)
    try:
        value = Path(reference.place).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or "not text"
        raise LookupError(f"make {reference.place} readable to this process ({reason})") from fault
    if not value:
        raise LookupError(f"put the secret into {reference.place}: the file is empty")
    return Secret(value)


@lru_cache(maxsize=8)
def _accounts_of(path: Path | None) -> tuple[Account, ...]:
    if path is None:
        built_in = (Channel.PUSH, Channel.SMS, Channel.EMAIL)
        return (*(sandbox_account(channel) for channel in built_in), INBOX)
    return read_accounts(path)


def read_accounts(path: Path) -> tuple[Account, ...]:
    """The accounts of one file and the built-in inbox."""
    entries = _entries(path)
    found: list[Account] = []
    faults: list[Fault] = []
    for number, entry in enumerate(entries, start=1):
        account, wrong = account_of(entry)
        label = _label(entry, number)
        faults += [Fault(str(path), label, fault.key, fault.cure) for fault in wrong]
        if account is not None:
            found.append(account)
    faults += _repeated_names(found, str(path))
    if faults:
        raise ConfigurationFault(faults)
    has_inbox = any(account.channel is Channel.IN_APP for account in found)
    return tuple(found) if has_inbox else (*found, INBOX)


def _entries(path: Path) -> list[dict[str, Any]]:
    """The `[[provider]]` tables of a file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        cure = f"cannot be read ({fault.strerror}): correct CARILLON_PROVIDERS_FILE, or unset it for the sandbox"
        raise ConfigurationFault([Fault(str(path), "", "", cure)]) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigurationFault([Fault(str(path), "", "", f"is not TOML: {fault}")]) from fault
    stray = [
        Fault(str(path), "", key, "unknown: accounts are [[provider]] tables") for key in document if key != "provider"
    ]
    entries = document.get("provider", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        stray.append(Fault(str(path), "", "provider", "write [[provider]], in double brackets, for each account"))
    if stray:
        raise ConfigurationFault(stray)
    return list(entries)


def _label(entry: dict[str, Any], number: int) -> str:
    name = entry.get("name")
    return f'provider "{name}"' if isinstance(name, str) and name.isprintable() else f"provider {number}"


def _repeated_names(found: list[Account], path: str) -> list[Fault]:
    reserved = {sandbox_account(channel).name for channel in Channel}
    counts = Counter(account.name for account in found)
    repeated = [name for name, count in counts.items() if count > 1]
    taken = [name for name in counts if name in reserved]
    return [
        *(Fault(path, f'provider "{name}"', "name", "is used twice: give each account its own") for name in repeated),
        *(Fault(path, f'provider "{name}"', "name", "is the built-in sandbox's: choose another") for name in taken),
    ]
