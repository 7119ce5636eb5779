"""Send one page on one channel: order → limit → adapter → what became of each message.

This is the only door to the providers. It never raises for anything a provider or an adapter does, never waits for
more than the adapters' own time-outs, and holds no transaction.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import structlog

from channels import policy, redis_state, registry
from channels.errors import ConfigurationFault
from channels.rules import bucket
from channels.rules.accounts import Account
from channels.rules.bucket import Level, Taken
from channels.rules.failover import ELSEWHERE
from channels.vocabulary import Channel, Message, PushMessage, SendOutcome, SendResult

_log = structlog.get_logger(__name__)

#: Buckets of this process, for when Redis is away: each process then keeps to the account's rate by itself.
_levels: dict[str, Level] = {}


def send_page(channel: Channel, messages: Sequence[Message], *, deadline: float) -> list[SendResult]:
    """What became of each message, in their order.

    After `deadline` (of `time.monotonic()`) nothing new is started: the rest is throttled with the code
    `page_deadline`. A message that an account definitely did not take is offered to the next one able to carry it,
    at most three in one call; never one whose fate is unknown. Test messages reach the built-in sandbox only.
    """
    results: list[SendResult | None] = [None] * len(messages)
    for test in (False, True):
        mine = [index for index, message in enumerate(messages) if message.test is test]
        if mine:
            _offer(channel, messages, mine, results, test=test, deadline=deadline)
    return [result or _unsent(message, _NO_PROVIDER) for result, message in zip(results, messages, strict=True)]


def _offer(
    channel: Channel,
    messages: Sequence[Message],
    open_: list[int],
    results: list[SendResult | None],
    *,
    test: bool,
    deadline: float,
) -> None:
    """Take the messages at `open_` through the accounts, until each is answered for good."""
    offers: Counter[int] = Counter()
    for account in registry.accounts_for(channel, test=test):
        batch = [at for at in _carried(account, messages, open_) if offers[at] < policy.ACCOUNTS_PER_CALL]
        if not batch:
            continue
        offers.update(batch)
        answers = _send_through(account, [messages[at] for at in batch], deadline)
        for at, answer in zip(batch, answers, strict=True):
            results[at] = _after(results[at], answer)
        open_ = [at for at in open_ if _may_go_elsewhere(results[at])]


def _carried(account: Account, messages: Sequence[Message], indexes: Iterable[int]) -> list[int]:
    """Those of the messages that the account can carry at all: of push, its platforms'."""
    if account.channel is not Channel.PUSH:
        return list(indexes)
    reach = registry.platforms_of(account)
    return [at for at in indexes if isinstance(message := messages[at], PushMessage) and message.platform in reach]


def _may_go_elsewhere(result: SendResult | None) -> bool:
    # An adapter that broke off may have sent before: what it had in hand is retried later, not sent twice now.
    return result is None or (result.outcome in ELSEWHERE and result.code != _BROKEN.code)


def _after(before: SendResult | None, answer: SendResult) -> SendResult:
    """The answer, with what the accounts before it had said."""
    if before is None:
        return answer
    told = msgspec.structs.replace(before, earlier=())
    return msgspec.structs.replace(answer, earlier=(*before.earlier, told))


def _send_through(account: Account, messages: list[Message], deadline: float) -> list[SendResult]:
    """One account's answers to a batch, in its order."""
    if time.monotonic() >= deadline:
        return [_unsent(message, _PAGE_DEADLINE) for message in messages]
    taken = _pace(account, len(messages))
    answers = _ask(account, messages[: taken.granted], deadline) if taken.granted else []
    wait = _Unsent(_RATE_LIMITED.outcome, _RATE_LIMITED.code, account.name, taken.wait_seconds)
    answers += [_unsent(message, wait) for message in messages[taken.granted :]]
    counts = Counter(answer.outcome.value for answer in answers)
    if counts[SendOutcome.MISCONFIGURED]:
        registry.rebuild(account)
    _log.info("provider.answered", provider=account.name, messages=len(messages), **counts)
    return answers


def _pace(account: Account, wanted: int) -> Taken:
    """Tokens for the batch from the account's bucket, in one call; without a rate, all."""
    rate = account.rate_per_second
    if not rate:
        return Taken(wanted, 0, 0.0, 0.0)
    burst = max(1.0, rate * policy.BURST_SECONDS)
    taken = redis_state.take(f"provider:{account.name}", rate, burst, wanted)
    if taken is None:
        level = _levels.get(account.name)
        now = time.monotonic()
        _levels[account.name], taken = bucket.take(level, rate=rate, burst=burst, wanted=wanted, now=now)
    return taken


def _ask(account: Account, messages: list[Message], deadline: float) -> list[SendResult]:
    """The adapter's answers; one that cannot be built or breaks off answers for nobody but itself."""
    try:
        answers = registry.adapter_of(account).send_many(messages, deadline=deadline)
        _hold_to_contract(messages, answers)
    except ConfigurationFault as fault:
        _log.error("provider.misconfigured", provider=account.name, faults=[str(one) for one in fault.faults])
        missing = _Unsent(SendOutcome.MISCONFIGURED, "configuration_fault", account.name)
        return [_unsent(message, missing) for message in messages]
    except Exception as fault:
        if type(fault).__module__.startswith("billiard"):
            raise  # Celery's time limit struck: nobody knows what was sent, and the lease will tell
        _log_broken(account, fault)
        broken = _Unsent(_BROKEN.outcome, _BROKEN.code, account.name)
        return [_unsent(message, broken) for message in messages]
    return answers


def _hold_to_contract(messages: Sequence[Message], answers: Sequence[SendResult]) -> None:
    if [message.id for message in messages] != [answer.id for answer in answers]:
        raise TypeError("the adapter's answers are not those of the messages, in their order")


def _log_broken(account: Account, fault: Exception) -> None:
    # Places only: the text of an exception may hold what a message held.
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(fault.__traceback__)[-5:]]
    _log.error("provider.adapter_error", provider=account.name, error=type(fault).__name__, at=places)


class _Unsent(msgspec.Struct, frozen=True, gc=False):
    """Why a batch was not sent."""

    outcome: SendOutcome
    code: str
    provider: str = ""
    retry_after_seconds: float | None = None


_NO_PROVIDER = _Unsent(SendOutcome.MISCONFIGURED, "no_provider")
_PAGE_DEADLINE = _Unsent(SendOutcome.THROTTLED, "page_deadline")
_RATE_LIMITED = _Unsent(SendOutcome.THROTTLED, "rate_limited")
_BROKEN = _Unsent(SendOutcome.TRANSIENT, "adapter_error")


def _unsent(message: Message, why: _Unsent) -> SendResult:
    return SendResult(
        id=message.id,
        outcome=why.outcome,
        provider=why.provider,
        code=why.code,
        retry_after_seconds=why.retry_after_seconds,
        started_at=time.time(),
    )
