"""What an adapter must be, and what it says about itself.

An adapter translates: a page of messages into the provider's protocol, the answers into `SendResult`s. It never
retries, waits between tries, reads settings, or logs what a message holds. Whatever it does not claim here is refused
when the program starts, so that nothing in the providers file is silently without effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec

from channels import conf
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.rules.accounts import Account
from channels.vocabulary import Channel, Platform, Receipt, ReceiptCall, SendResult

#: With this secret any account takes receipts in the signed form of `providers/signed_receipts.py`, say from the app.
SIGNS_RECEIPTS = "receipts_secret"

MessageT_contra = TypeVar("MessageT_contra", contravariant=True)


class Option(msgspec.Struct, frozen=True):
    """One key an adapter understands under `options`."""

    #: What it means, for the person who writes the file.
    meaning: str
    kind: type = str
    required: bool = False


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an adapter can do; nothing is claimed by default."""

    channels: frozenset[Channel]
    #: Of push tokens; empty for the other channels.
    platforms: frozenset[Platform] = frozenset()
    #: Schemes of `base_url` it speaks; empty: it has no address to configure.
    schemes: frozenset[str] = frozenset()
    #: The provider's own address; empty with schemes: `base_url` must be given.
    base_url: str = ""
    #: Every message brings the URL it is posted to: no `base_url`, but a `ca_file` where one is needed.
    addressed: bool = False
    options: Mapping[str, Option] = {}
    #: Every secret named here is needed, except those in `optional_secrets`.
    secrets: frozenset[str] = frozenset()
    optional_secrets: frozenset[str] = frozenset()


class Provider(Protocol[MessageT_contra]):
    """An adapter for one account, built in the process that uses it."""

    capabilities: ClassVar[Capabilities]

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        """Raise ConfigurationFault when a secret is not what it should be; open no connection yet."""

    def send_many(self, messages: Sequence[MessageT_contra], *, deadline: float) -> list[SendResult]:
        """One result for each message, in their order, whatever the provider does.

        After `deadline` (of `time.monotonic()`) nothing new is started: those come back throttled with the code
        `page_deadline`.
        """
        ...

    def close(self) -> None:
        """Let go of connections; may be called twice."""


class ReceiptReader(Protocol):
    """What understands a provider's callbacks to one account: `RECEIPTS` of `<adapter>_receipts.py`, beside it."""

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        """Raise ConfigurationFault when a secret is not what it should be."""

    def read(self, call: ReceiptCall) -> list[Receipt]:
        """The events of a genuine callback; none is fine.

        Raises NotGenuine before anything of an unproven body is looked at, UnreadableReceipt for a genuine one that
        is not understood as a whole. A single event that is not understood is one of kind `unknown`.
        """
        ...


def misdeclared(account: Account, key: str, cure: str) -> ConfigurationFault:
    """What the constructor raises about an option or a secret that only it can judge."""
    return ConfigurationFault([Fault(conf.accounts_file(), f'provider "{account.name}"', key, cure)])


def faults_of(account: Account, can: Capabilities, *, file: str) -> list[Fault]:
    """What the account asks of the adapter that it cannot do, and what it needs and was not given."""
    found = [*_reach_faults(account, can), *_option_faults(account, can), *_secret_faults(account, can)]
    return [Fault(file, f'provider "{account.name}"', key, cure) for key, cure in found]


def _reach_faults(account: Account, can: Capabilities) -> list[tuple[str, str]]:
    faults = []
    if account.channel not in can.channels:
        faults.append(("channel", f"{account.adapter} carries {_words(can.channels)}"))
    elif not account.platforms <= can.platforms:
        faults.append(("platforms", f"{account.adapter} reaches {_words(can.platforms) or 'no device'}"))
    scheme = account.base_url.partition(":")[0]
    if scheme and scheme not in can.schemes:
        faults.append(("base_url", f"{account.adapter} speaks {_words(can.schemes) or 'to no address: remove it'}"))
    if not scheme and can.schemes and not can.base_url:
        faults.append(("base_url", f"is missing: {account.adapter} speaks {_words(can.schemes)}"))
    if account.ca_file and not (can.schemes or can.addressed):
        faults.append(("ca_file", f"{account.adapter} opens no connection: remove it"))
    return faults


def _option_faults(account: Account, can: Capabilities) -> list[tuple[str, str]]:
    known = _words(can.options) or "none"
    faults = [(f"options.{key}", f"unknown: known are {known}") for key in account.options if key not in can.options]
    for key, option in can.options.items():
        value = account.options.get(key)
        if value is None and option.required:
            faults.append((f"options.{key}", f"is missing: {option.meaning}"))
        elif value is not None and not _is_a(value, option.kind):
            faults.append((f"options.{key}", f"must be {_KINDS[option.kind]}: {option.meaning}"))
    return faults


def _secret_faults(account: Account, can: Capabilities) -> list[tuple[str, str]]:
    known = can.secrets | can.optional_secrets | {SIGNS_RECEIPTS}
    stray = [key for key in account.secrets if key not in known]
    missing = sorted(can.secrets - set(account.secrets))
    faults = [(f"secrets.{key}", f"unknown: known are {_words(known) or 'none'}") for key in stray]
    return faults + [(f"secrets.{key}", 'is missing: write "env:NAME" or "file:/path"') for key in missing]


_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of texts",
    dict: "a table",
}


def _is_a(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is list:
        return isinstance(value, list) and bool(value) and all(isinstance(one, str) and one for one in value)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool)) and value != ""


def _words(words: frozenset[Any] | Mapping[str, Any]) -> str:
    return ", ".join(sorted(str(word) for word in words))
