"""From the declared accounts to adapters at work: loaded by name, built in the process that uses them.

An adapter is a module named after it, `channels/providers/<adapter>.py` or `channels/providers/<channel>/<adapter>.py`,
that says which class it is: `ADAPTER = …`. Nothing registers itself, and nothing here knows any adapter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from hashlib import blake2b
from importlib import import_module
from importlib.util import find_spec
from random import SystemRandom
from typing import Any, cast

import msgspec
import structlog
from django.db import Error as DatabaseError

from channels import conf, health, policy, store
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault
from channels.provider import SIGNS_RECEIPTS, Provider, ReceiptReader, faults_of
from channels.rules.accounts import Account
from channels.rules.failover import Standing, in_order
from channels.store import Switch
from channels.vocabulary import Channel, Platform

_log = structlog.get_logger(__name__)
_chance = SystemRandom()


class _Built(msgspec.Struct):
    """An adapter at work, or why it is not."""

    at: float
    adapter: Provider[Any] | None = None
    fault: ConfigurationFault | None = None
    #: Of the secrets and settings it was built with; empty when it is not.
    fingerprint: str = ""


class _Workshop:
    """What this process has built and read."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.built: dict[str, _Built] = {}
        self.switches: dict[str, Switch] = {}
        self.switches_at = float("-inf")
        #: When the secrets of an account were last looked at for a change, by its name.
        self.looked_at: dict[str, float] = {}


_workshop = _Workshop()


def accounts_for(channel: Channel, *, test: bool) -> list[Account]:
    """The accounts to offer a channel's messages to, in order; without those an operator switched off.

    The order is by priority; among equals drawn by weight, of which errors and slowness take a part away. Test
    messages know one account, the built-in sandbox, which nobody can switch off.
    """
    if test:
        return [conf.sandbox_account(channel)]
    switches = _switches()
    by_name = {
        account.name: account
        for account in conf.accounts()
        if account.channel is channel and switches.get(account.name, _AS_DECLARED).enabled
    }
    standings = [
        Standing(account.name, account.priority, weight) for account, weight in _weighed(by_name, switches).values()
    ]
    return [by_name[name] for name in in_order(standings, chance=_chance)]


def adapter_of(account: Account) -> Provider[Any]:
    """The adapter at work for an account; raises ConfigurationFault when it cannot be built.

    A failure is remembered for a moment, so that a page of traffic does not read a missing file hundreds of times.
    """
    shop = _current()
    built = shop.built.get(account.name)
    if built is None or (built.fault and time.monotonic() - built.at > policy.REBUILD_AFTER_SECONDS):
        built = shop.built[account.name] = _build(account)
    if built.adapter is None:
        raise cast("ConfigurationFault", built.fault)
    return built.adapter


def fingerprint_of(account: Account) -> str:
    """What tells the secrets and settings in use from others, and nothing else about them; empty without an adapter."""
    built = _current().built.get(account.name)
    return "" if built is None else built.fingerprint


def present_fingerprint(account: Account) -> str:
    """The same of the secrets as they are now, whatever is in use; empty when they cannot be read."""
    try:
        return _fingerprint(account, _secrets_of(account))
    except LookupError:
        return ""


def refresh(account: Account) -> bool:
    """Look at an account's secrets anew, every few seconds at most; whether they are others than those in use.

    The adapter is then built anew at the next page.
    """
    shop = _current()
    now = time.monotonic()
    if now - shop.looked_at.get(account.name, float("-inf")) < policy.SECRETS_AGE_SECONDS:
        return False
    shop.looked_at[account.name] = now
    built = shop.built.get(account.name)
    present = present_fingerprint(account)
    # Empty: being replaced at this moment. The next look will find it whole.
    if built is None or present in {"", built.fingerprint}:
        return False
    _close(account.name, built)
    del shop.built[account.name]
    return True


def rebuild(account: Account) -> None:
    """Build the account's adapter anew at the next page: its secrets may have been replaced.

    Not oftener than every few seconds, while credentials keep being refused.
    """
    built = _current().built.get(account.name)
    if built is not None and time.monotonic() - built.at > policy.REBUILD_AFTER_SECONDS:
        _close(account.name, built)
        del _workshop.built[account.name]


def close() -> None:
    """Let go of everything this process has built."""
    global _workshop  # noqa: PLW0603 - the one place that holds what a process has built
    if _workshop.pid == os.getpid():
        for name, built in _workshop.built.items():
            _close(name, built)
    _workshop = _Workshop()


def adapter_class(account: Account) -> type[Provider[Any]]:
    """The adapter's class by its name; raises LookupError when there is none."""
    module = _module_of(account)
    if module is None:
        message = f"unknown adapter: there is no channels/providers/{account.channel}/{account.adapter}.py"
        raise LookupError(message)
    return cast("type[Provider[Any]]", import_module(module).ADAPTER)


def receipt_reader(account: Account) -> ReceiptReader:
    """What reads the account's callbacks, with its secrets as they are now; raises LookupError when nothing can.

    The provider's own form where we know it, else the signed form every account may take.
    """
    module = _module_of(account, suffix="_receipts")
    if module is None and SIGNS_RECEIPTS in account.secrets:
        module = "channels.providers.signed_receipts"
    if module is None:
        message = f"{account.adapter} sends no receipts: give the account a {SIGNS_RECEIPTS} to take signed ones"
        raise LookupError(message)
    return cast("ReceiptReader", import_module(module).RECEIPTS(account, _secrets_of(account)))


def platforms_of(account: Account) -> frozenset[Platform]:
    """The platforms whose tokens this account carries: what it declares, else all that its adapter can."""
    if account.platforms:
        return account.platforms
    try:
        return adapter_class(account).capabilities.platforms
    except LookupError:
        return frozenset()


def faults() -> list[Fault]:
    """Everything wrong with the declared accounts, adapters and secrets included."""
    try:
        declared = conf.accounts()
    except ConfigurationFault as fault:
        return list(fault.faults)
    return [fault for account in declared for fault in _faults_of(account)]


_AS_DECLARED = Switch(enabled=True, weight=None)


def _current() -> _Workshop:
    """This process's workshop: connections and handles do not survive a fork."""
    global _workshop  # noqa: PLW0603 - as above
    if _workshop.pid != os.getpid():
        _workshop = _Workshop()
    return _workshop


def _switches() -> dict[str, Switch]:
    shop = _current()
    if time.monotonic() - shop.switches_at > policy.SWITCH_AGE_SECONDS:
        shop.switches_at = time.monotonic()
        try:
            shop.switches = store.provider_switches()
        except DatabaseError as fault:
            # The last known switches stand: a message on its way does not need the database for this.
            _log.warning("provider.switches_unknown", error=type(fault).__name__)
    return shop.switches


def _weighed(accounts: Mapping[str, Account], switches: Mapping[str, Switch]) -> dict[str, tuple[Account, float]]:
    """Each account with its weight of this moment: the operator's or the file's, less what its health takes away."""
    weighed = {}
    for priority in {account.priority for account in accounts.values()}:
        equals = [account for account in accounts.values() if account.priority == priority]
        for name, share in health.shares(equals).items():
            switch = switches.get(name, _AS_DECLARED)
            declared = accounts[name].weight if switch.weight is None else switch.weight
            weighed[name] = (accounts[name], declared * share)
    return weighed


def _module_of(account: Account, suffix: str = "") -> str | None:
    places = ("channels.providers", f"channels.providers.{account.channel}")
    names = (f"{place}.{account.adapter}{suffix}" for place in places)
    return next((name for name in names if find_spec(name) is not None), None)


def _build(account: Account) -> _Built:
    now = time.monotonic()
    try:
        wrong = _faults_of(account)
        if wrong:
            return _Built(at=now, fault=ConfigurationFault(wrong))
        secrets = _secrets_of(account)
        adapter = adapter_class(account)(account, secrets)
        return _Built(at=now, adapter=adapter, fingerprint=_fingerprint(account, secrets))
    except ConfigurationFault as fault:
        return _Built(at=now, fault=fault)
    except Exception as fault:  # noqa: BLE001 - an adapter that cannot be built stops its own account only
        cure = f"could not be built ({type(fault).__name__}): check its options and secrets"
        entry = f'provider "{account.name}"'
        return _Built(at=now, fault=ConfigurationFault([Fault(conf.accounts_file(), entry, "", cure)]))


def _secrets_of(account: Account) -> dict[str, Secret]:
    return {key: conf.resolve(reference) for key, reference in account.secrets.items()}


def _fingerprint(account: Account, secrets: Mapping[str, Secret]) -> str:
    found = blake2b(
        repr((account.adapter, account.base_url, sorted(account.options.items()))).encode(),
        digest_size=16,
        key=conf.hash_key(),
    )
    for key, secret in sorted(secrets.items()):
        found.update(repr((key, secret.reveal())).encode())
    return found.hexdigest()


def _faults_of(account: Account) -> list[Fault]:
    file = conf.accounts_file()
    label = f'provider "{account.name}"'
    try:
        found = faults_of(account, adapter_class(account).capabilities, file=file)
    except LookupError as fault:
        return [Fault(file, label, "adapter", str(fault))]
    for key, reference in account.secrets.items():
        try:
            conf.resolve(reference)
        except LookupError as fault:
            found.append(Fault(file, label, f"secrets.{key}", str(fault)))
    if account.ca_file and not os.access(account.ca_file, os.R_OK):
        found.append(Fault(file, label, "ca_file", f"make {account.ca_file} readable to this process"))
    return found


def _close(name: str, built: _Built) -> None:
    if built.adapter is None:
        return
    try:
        built.adapter.close()
    except Exception as fault:  # noqa: BLE001 - whatever an adapter raises while it goes, it is gone
        _log.warning("provider.close_failed", provider=name, error=type(fault).__name__)
