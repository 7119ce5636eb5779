"""From the declared accounts to adapters at work: loaded by name, built in the process that uses them.

An adapter is a module named after it, `channels/providers/<adapter>.py` or `channels/providers/<channel>/<adapter>.py`,
that says which class it is: `ADAPTER = …`. Nothing registers itself, and nothing here knows any adapter.
"""

from __future__ import annotations

import os
import time
from importlib import import_module
from importlib.util import find_spec
from random import SystemRandom
from typing import Any, cast

import msgspec
import structlog
from django.db import Error as DatabaseError

from channels import conf, policy, store
from channels.errors import ConfigurationFault, Fault
from channels.provider import Provider, faults_of
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


class _Workshop:
    """What this process has built and read."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.built: dict[str, _Built] = {}
        self.switches: dict[str, Switch] = {}
        self.switches_at = float("-inf")


_workshop = _Workshop()


def accounts_for(channel: Channel, *, test: bool) -> list[Account]:
    """The accounts to offer a channel's messages to, in order; without those an operator switched off.

    Test messages know one account, the built-in sandbox, which nobody can switch off.
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
        Standing(account.name, account.priority, _weight(account, switches.get(account.name, _AS_DECLARED)))
        for account in by_name.values()
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


def _weight(account: Account, switch: Switch) -> int:
    return account.weight if switch.weight is None else switch.weight


def _module_of(account: Account) -> str | None:
    places = ("channels.providers", f"channels.providers.{account.channel}")
    names = (f"{place}.{account.adapter}" for place in places)
    return next((name for name in names if find_spec(name) is not None), None)


def _build(account: Account) -> _Built:
    now = time.monotonic()
    try:
        wrong = _faults_of(account)
        if wrong:
            return _Built(at=now, fault=ConfigurationFault(wrong))
        secrets = {key: conf.resolve(reference) for key, reference in account.secrets.items()}
        return _Built(at=now, adapter=adapter_class(account)(account, secrets))
    except ConfigurationFault as fault:
        return _Built(at=now, fault=fault)
    except Exception as fault:  # noqa: BLE001 - an adapter that cannot be built stops its own account only
        cure = f"could not be built ({type(fault).__name__}): check its options and secrets"
        entry = f'provider "{account.name}"'
        return _Built(at=now, fault=ConfigurationFault([Fault(conf.accounts_file(), entry, "", cure)]))


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
