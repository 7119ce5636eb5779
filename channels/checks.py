"""The providers file is held against the adapters when the program starts, not when the first message fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks as system_checks
from django.core.checks import CheckMessage, Error, Tags, register

from channels import conf, registry
from channels.errors import ConfigurationFault, Fault
from channels.vocabulary import Channel

#: Ids are stable: operators silence and search by them.
_FILE, _ENTRY, _ADAPTER, _OPTION, _SECRET = (f"channels.E00{number}" for number in range(1, 6))


@register(Tags.compatibility)
def check_provider_accounts(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every fault of the providers file: file, entry, key and cure."""
    del app_configs, kwargs
    found: list[CheckMessage] = [Error(str(fault), hint=_HINT, id=_id_of(fault)) for fault in registry.faults()]
    return found or _warnings()


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
    carried = {account.channel for account in accounts}
    silent = [channel for channel in Channel if channel not in carried]
    limited = [account.name for account in accounts if account.daily_limit]
    return [
        *(
            system_checks.Warning(
                f"{conf.accounts_file()}: no account carries {channel}",
                hint='Add a [[provider]] for it, if need be with adapter = "sandbox"; until then its deliveries fail.',
                id="channels.W001",
            )
            for channel in silent
        ),
        *(
            system_checks.Warning(
                f'{conf.accounts_file()}: provider "{name}": daily_limit: is not enforced yet', id="channels.W002"
            )
            for name in limited
        ),
    ]
