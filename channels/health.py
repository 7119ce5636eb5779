"""How much of its weight each account keeps, by how it has been doing; known to every process within seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from channels import conf, gate, policy
from channels.errors import ConfigurationFault
from channels.rules.accounts import Account
from channels.rules.scorecard import Vitals, health_of, vitals_of


class _Known:
    """What this process read last, and when."""

    vitals: dict[str, Vitals] = {}
    at = float("-inf")


def shares(equals: Sequence[Account]) -> dict[str, float]:
    """The share of its weight that each of some accounts of one channel and priority keeps, from 0.1 to 1."""
    if len(equals) < 2:  # noqa: PLR2004 - alone there is nobody to give traffic to
        return {account.name: 1.0 for account in equals}
    vitals = _vitals()
    return health_of({account.name: vitals.get(account.name, _UNKNOWN) for account in equals})


def forget() -> None:
    """Read anew at the next question."""
    _Known.at = float("-inf")


_UNKNOWN = Vitals(0.0, None)


def _vitals() -> dict[str, Vitals]:
    """Of all accounts that have an equal, in one round trip every few seconds."""
    if time.monotonic() - _Known.at > policy.HEALTH_AGE_SECONDS:
        _Known.at = time.monotonic()
        _Known.vitals = {
            name: vitals_of(known.minutes, now_minute=int(known.now // 60))
            for name, known in gate.read(_names()).items()
        }
    return _Known.vitals


def _names() -> list[str]:
    try:
        accounts = conf.accounts()
    except ConfigurationFault:
        return []
    places = Counter((account.channel, account.priority) for account in accounts)
    return [account.name for account in accounts if places[account.channel, account.priority] > 1]
