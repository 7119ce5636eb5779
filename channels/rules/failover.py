"""Which provider accounts to try, in which order, and what an answer leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from channels.rules.gate import Why
from channels.rules.tally import ADAPTER_ERROR, GIVEN_UP, PAGE_DEADLINE, PROVIDER_FAILING
from channels.vocabulary import Envelope, SendOutcome, SendResult

#: The code of a message for which the account's day is used up.
DAILY_LIMIT = "daily_limit"

#: Codes of messages for which no provider was asked: their results are no attempts.
NOT_ASKED = frozenset({*Why, DAILY_LIMIT, PROVIDER_FAILING, GIVEN_UP, PAGE_DEADLINE})

#: Definitely not accepted, and not the message's fault: another account may do better. Throttled is not here: a limit
#: is to be respected, not evaded.
_ELSEWHERE = frozenset({SendOutcome.TRANSIENT, SendOutcome.MISCONFIGURED})

#: Nobody was asked, and another account may be: what stands in the way is this account's own.
_ELSEWHERE_UNASKED = frozenset({Why.CIRCUIT_OPEN, Why.ACCOUNT_STOPPED, DAILY_LIMIT, PROVIDER_FAILING})


class Standing(NamedTuple):
    """One account's place among those of its channel."""

    name: str
    #: Lower first.
    priority: int
    #: Share of the traffic among equals; 0 means only when the others failed.
    weight: float


def in_order(standings: Sequence[Standing], *, chance: Random) -> list[str]:
    """Names in the order to try: by priority, equals drawn by weight without putting back.

    Over many pages each of the equals is first as often as its share of their weights.
    """

    def key(standing: Standing) -> tuple[int, float]:
        # Efraimidis and Spirakis: u^(1/w) sorted downwards is a weighted draw; here as its logarithm.
        drawn = chance.expovariate(standing.weight) if standing.weight > 0 else float("inf")
        return standing.priority, drawn

    return [standing.name for standing in sorted(standings, key=key)]


def may_go_elsewhere(message: Envelope, result: SendResult) -> bool:
    """Whether another account may be asked after this answer.

    After an ambiguous one only for messages of which twice is better than never; an adapter that broke off may have
    sent before, which is as ambiguous.
    """
    if result.code in NOT_ASKED:
        return result.outcome in _ELSEWHERE or result.code in _ELSEWHERE_UNASKED
    if result.outcome is SendOutcome.AMBIGUOUS or result.code == ADAPTER_ERROR:
        return message.may_repeat
    return result.outcome in _ELSEWHERE


def sooner(one: SendResult | None, other: SendResult) -> SendResult:
    """Of two answers of accounts that were not asked, the one that brings the message back first."""
    return other if one is None or _patience(other) < _patience(one) else one


def _patience(result: SendResult) -> tuple[bool, float]:
    return result.outcome is not SendOutcome.THROTTLED, result.retry_after_seconds or 0.0
