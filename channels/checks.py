"""The providers file is held against the adapters when the program starts, not when the first message fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks as system_checks
from django.core.checks import CheckMessage, Error, Tags, register

from channels import conf, registry
from channels.errors import ConfigurationFault, Fault
from channels.rules.accounts import Account
from channels.vocabulary import Channel

#: Ids are stable: operators silence and search by them.
_FILE, _ENTRY, _ADAPTER, _OPTION, _SECRET, _MONEY = (f"channels.E00{number}" for number in range(1, 7))


@register(Tags.compatibility)
def check_provider_accounts(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every fault of the providers file: file, entry, key and cure."""
    del app_configs, kwargs
    found: list[CheckMessage] = [Error(str(fault), hint=_HINT, id=_id_of(fault)) for fault in registry.faults()]
    return found or _warnings()


@register(Tags.compatibility)
def check_money(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """An amount that is none would stop planning, long after the start."""
    del app_configs, kwargs
    try:
        conf.dear_above()
    except ValueError as fault:
        return [Error(f"CARILLON_SMS_DEAR_ABOVE: {fault}", id=_MONEY)]
    return []


_HINT = "docs/providers.md shows every key; without CARILLON_PROVIDERS_FILE the built-in sandbox is used."


def _id_of(fault: Fault) -> str:
    if not fault.entry:
        return _FILE
    by_key = {"adapter": _ADAPTER, "options": _OPTION, "secrets": _SECRET}
    return by_key.get(fault.key.partition(".")[0], _ENTRY)


def _warnings() -> list[CheckMessage]:
    """What works, and may surprise."""
    try:
        accounts = conf.accounts()
    except ConfigurationFault:
        return []
    return [*_silent_channels(accounts), *_sender_domains(accounts)]


def _silent_channels(accounts: Sequence[Account]) -> list[CheckMessage]:
    carried = {account.channel for account in accounts}
    silent = [channel for channel in Channel if channel not in carried]
    return [
        system_checks.Warning(
            f"{conf.accounts_file()}: no account carries {channel}",
            hint='Add a [[provider]] for it, if need be with adapter = "sandbox"; until then its deliveries fail.',
            id="channels.W001",
        )
        for channel in silent
    ]


def _sender_domains(accounts: Sequence[Account]) -> list[CheckMessage]:
    """Accounts that stand in for each other must send as the same domain, signed for it by each of the providers."""
    by_domain: dict[str, list[str]] = {}
    for account in accounts:
        sender = account.options.get("from_email")
        if account.channel is Channel.EMAIL and isinstance(sender, str):
            by_domain.setdefault(sender.rpartition("@")[2].lower(), []).append(account.name)
    if len(by_domain) <= 1:
        return []
    found = "; ".join(f"{domain}: {', '.join(names)}" for domain, names in sorted(by_domain.items()))
    return [
        system_checks.Warning(
            f"{conf.accounts_file()}: e-mail accounts send from different domains ({found})",
            hint="Mails go to another account when one fails: use one From domain, with SPF, DKIM and DMARC set up for "
            "it at every provider (docs/providers.md), or keep the accounts in installations of their own.",
            id="channels.W003",
        )
    ]
