"""Which provider accounts to try, and in which order: priority, then weight."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from channels.vocabulary import SendOutcome

#: Definitely not accepted, and not the message's fault: another account may do better. Never after ambiguous:
#: that one may have been delivered. Throttled is not here either: a limit is to be respected, not evaded.
ELSEWHERE = frozenset({SendOutcome.TRANSIENT, SendOutcome.MISCONFIGURED})


class Standing(NamedTuple):
    """One account's place among those of its channel."""

    name: str
    #: Lower first.
    priority: int
    #: Share of the traffic among equals; 0 means only when the others failed.
    weight: int


def in_order(standings: Sequence[Standing], *, chance: Random) -> list[str]:
    """Names in the order to try: by priority, equals drawn by weight without putting back.

    Over many pages each of the equals is first as often as its share of their weights.
    """

    def key(standing: Standing) -> tuple[int, float]:
        # Efraimidis and Spirakis: u^(1/w) sorted downwards is a weighted draw; here as its logarithm.
        drawn = chance.expovariate(standing.weight) if standing.weight > 0 else float("inf")
        return standing.priority, drawn

    return [standing.name for standing in sorted(standings, key=key)]
