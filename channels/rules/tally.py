"""What the answers to a page say about the account that gave them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import msgspec

from channels import policy
from channels.rules.scorecard import Minute
from channels.vocabulary import SendOutcome, SendResult

#: The code of messages that were not started because the transport met fault after fault.
PROVIDER_FAILING = "provider_failing"
#: The code of an adapter that broke off: our own fault, whatever it did before.
ADAPTER_ERROR = "adapter_error"
#: The code of what was not started because an answer to another made it pointless.
GIVEN_UP = "given_up"
#: The code of what was not started before the page's time was up.
PAGE_DEADLINE = "page_deadline"

#: The code of what was out on a connection when it broke.
CONNECTION_LOST = "connection_lost"

_OURS = frozenset({PROVIDER_FAILING, GIVEN_UP, PAGE_DEADLINE, ADAPTER_ERROR})
_JUDGED = frozenset({SendOutcome.ACCEPTED, SendOutcome.BAD_RECIPIENT, SendOutcome.BAD_MESSAGE})


class Tally(msgspec.Struct, kw_only=True):
    """The answers of one page, counted."""

    #: By message, for the scorecard.
    minute: Minute = msgspec.field(default_factory=Minute)
    #: Requests the provider judged, and requests it failed, for the circuit: one may carry a thousand messages.
    sound: int = 0
    faults: int = 0
    #: The transport met a run of faults and gave the page up.
    is_run: bool = False
    #: Seconds the provider wants to be left alone; negative: it did not say so.
    backoff_seconds: float = -1.0
    #: The code of a configuration fault that stops the account; empty: none.
    refused: str = ""


def tally_of(answers: Sequence[SendResult]) -> Tally:
    """Count a page's answers; those that are about an address only, and those nobody gave, count for nothing.

    A message is answered soundly when a request was made for it and the provider judged it, whatever the judgement:
    what an adapter refuses by itself took no time and proves nothing.
    """
    by: dict[SendOutcome, list[SendResult]] = {outcome: [] for outcome in SendOutcome}
    for answer in answers:
        if not answer.address_only and not (answer.code and answer.code in _OURS):
            by[answer.outcome].append(answer)
    judged = [one for outcome in _JUDGED for one in by[outcome] if one.latency_ms > 0]
    faults = by[SendOutcome.TRANSIENT] + by[SendOutcome.AMBIGUOUS]
    throttled, refusals = by[SendOutcome.THROTTLED], by[SendOutcome.MISCONFIGURED]
    minute = Minute(faults=len(faults), throttled=len(throttled), refused=len(refusals))
    minute.add_sound([one.latency_ms for one in judged])
    return Tally(
        minute=minute,
        sound=len({one.started_at for one in judged}),
        faults=_failed_requests(faults, any_sound=bool(judged)) if faults else 0,
        is_run=any(one.code == PROVIDER_FAILING for one in answers),
        backoff_seconds=max((bearable(one.retry_after_seconds) for one in throttled), default=-1.0),
        refused=_stops(answers, refusals) if refusals else "",
    )


def _failed_requests(faults: Sequence[SendResult], *, any_sound: bool) -> int:
    """How many requests failed; what never became one, since nobody could be reached, counts for itself.

    Hundreds of requests share a connection and are lost with it in the same moment: where others came through, that is
    one fault.
    """
    lost = {round(_answered_at(one), 1) for one in faults if any_sound and one.code == CONNECTION_LOST}
    rest = [one for one in faults if not (any_sound and one.code == CONNECTION_LOST)]
    unreached = sum(1 for one in rest if not one.latency_ms)
    return len(lost) + unreached + len({one.started_at for one in rest if one.latency_ms})


def bearable(seconds: float | None) -> float:
    """A Retry-After as it is obeyed: the usual time where there is none or nonsense, and never for hours."""
    if seconds is None or not isfinite(seconds) or seconds < 0:
        return policy.THROTTLED_SECONDS
    return min(seconds, policy.BACKOFF_CAP_SECONDS)


def _stops(answers: Sequence[SendResult], refusals: Sequence[SendResult]) -> str:
    """The code with which the account as a whole is refused; empty where it is a part (one platform's key, one sender).

    A revoked key lets nothing through any more; where messages are accepted after the first refusal, it is a part.
    """
    first = min(map(_answered_at, refusals))
    later = sum(1 for one in answers if one.outcome is SendOutcome.ACCEPTED and _answered_at(one) > first)
    is_part = later > policy.STOP_ACCEPTED_SHARE * (later + len(refusals))
    return "" if is_part else refusals[0].code or "refused"


def _answered_at(answer: SendResult) -> float:
    return answer.started_at + answer.latency_ms / 1000
