"""Send one page on one channel: order → gate → daily limit → adapter → what became of each message.

This is the only door to the providers. It never raises for anything a provider or an adapter does, never waits for
more than the adapters' own time-outs, and holds no transaction.
"""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from collections.abc import Sequence

import msgspec
import structlog

from channels import gate, metrics, policy, quota, registry
from channels.errors import ConfigurationFault
from channels.rules.accounts import Account
from channels.rules.failover import DAILY_LIMIT, NOT_ASKED, may_go_elsewhere, sooner
from channels.rules.gate import Admission, Why
from channels.rules.reach import carries
from channels.rules.tally import ADAPTER_ERROR, PAGE_DEADLINE, bearable, tally_of
from channels.vocabulary import Channel, Message, SendOutcome, SendResult

_log = structlog.get_logger(__name__)


class _Course(msgspec.Struct, gc=False):
    """One message on its way through the accounts."""

    message: Message
    #: Accounts that were asked.
    offers: int = 0
    is_open: bool = True
    #: What accounts answered, the earlier ones inside the last.
    result: SendResult | None = None
    #: Of accounts that could not be asked, the one that would take it first.
    held: SendResult | None = None

    def take(self, answer: SendResult) -> None:
        """Keep an answer, and see whether it is the last one."""
        if answer.outcome is SendOutcome.ACCEPTED and self.result is None:
            self.result, self.is_open = answer, False
        elif answer.code in NOT_ASKED:
            self.held = sooner(self.held, answer)
        else:
            self.offers += 1
            self.result = _after(self.result, answer)
        if self.is_open:
            self.is_open = may_go_elsewhere(self.message, answer) and self.offers < policy.ACCOUNTS_PER_CALL

    def end(self) -> SendResult:
        """What became of the message: what a provider said counts for more than what none was asked."""
        return self.result or self.held or _unsent(self.message, _NO_PROVIDER)


def send_page(channel: Channel, messages: Sequence[Message], *, deadline: float) -> list[SendResult]:
    """What became of each message, in their order.

    After `deadline` (of `time.monotonic()`) nothing new is started: the rest is throttled with the code
    `page_deadline`. A message that an account definitely did not take is offered to the next one able to carry it,
    at most three in one call; one whose fate is unknown only where it may be repeated. Test messages reach the built-in
    sandbox only.
    """
    courses = [_Course(message) for message in messages]
    for test in (False, True):
        mine = [course for course in courses if course.message.test is test]
        if mine:
            _offer(channel, mine, test=test, deadline=deadline)
    return [course.end() for course in courses]


def _offer(channel: Channel, courses: list[_Course], *, test: bool, deadline: float) -> None:
    """Take the messages through the accounts, until each is answered for good."""
    accounts = registry.accounts_for(channel, test=test)
    avoided = {course.message.avoid for course in courses}
    rounds = [(account, False) for account in accounts]
    rounds += [(account, True) for account in accounts if account.name in avoided]
    for account, is_avoided in rounds:
        batch = [one for one in courses if one.is_open and (one.message.avoid == account.name) is is_avoided]
        carried = carries(account, registry.platforms_of(account)) if batch else None
        if carried is not None:
            batch = [one for one in batch if carried(one.message)]
        if not batch:
            continue
        messages = [course.message for course in batch]
        answers = _ask(account, messages, deadline) if test else _send_through(account, messages, deadline)
        for course, answer in zip(batch, answers, strict=True):
            course.take(answer)


def _after(before: SendResult | None, answer: SendResult) -> SendResult:
    """The answer, with what the accounts before it had said."""
    if before is None:
        return answer
    told = msgspec.structs.replace(before, earlier=())
    return msgspec.structs.replace(answer, earlier=(*before.earlier, told))


def _send_through(account: Account, messages: list[Message], deadline: float) -> list[SendResult]:
    """One account's answers to a batch, in its order: as much of it as the gate and the day let through."""
    if time.monotonic() >= deadline:
        return [_unsent(message, _PAGE_DEADLINE) for message in messages]
    try:
        registry.adapter_of(account)
    except ConfigurationFault:
        return _ask(account, messages, deadline)  # which tells why; an account that is not there has no gate
    token = gate.new_token()
    admission, fingerprint = _admit(account, len(messages), token)
    answers: list[SendResult] = []
    if admission.granted:
        reserved = quota.reserve(account, admission.granted)
        answers = _ask(account, messages[: reserved.granted], deadline) if reserved.granted else []
        gate.report(account, admission, tally_of(answers), token=token, fingerprint=fingerprint)
        quota.give_back(account, reserved, sum(1 for answer in answers if answer.outcome not in _TAKEN))
        spent = _Unsent(SendOutcome.THROTTLED, DAILY_LIMIT, account.name, reserved.wait_seconds)
        answers += [_unsent(message, spent) for message in messages[reserved.granted : admission.granted]]
        _note(account, answers)
    return answers + _held_back(account, admission, messages)


def _admit(account: Account, wanted: int, token: str) -> tuple[Admission, str]:
    """Ask the gate; once more when the account is stopped, and has got other secrets since."""
    fingerprint = registry.fingerprint_of(account)
    admission = gate.admit(account, wanted, token=token, fingerprint=fingerprint)
    if admission.why == Why.ACCOUNT_STOPPED and not admission.granted and registry.refresh(account):
        try:
            registry.adapter_of(account)
        except ConfigurationFault:
            return admission, fingerprint
        fingerprint = registry.fingerprint_of(account)
        admission = gate.admit(account, wanted, token=token, fingerprint=fingerprint)
    return admission, fingerprint


def _held_back(account: Account, admission: Admission, messages: Sequence[Message]) -> list[SendResult]:
    """Why the gate let some of a batch not through: those beyond the rate, then those beyond everything else."""
    paced = _Unsent(SendOutcome.THROTTLED, Why.RATE_LIMITED, account.name, admission.rate_wait_seconds)
    outcome = SendOutcome.MISCONFIGURED if admission.why == Why.ACCOUNT_STOPPED else SendOutcome.THROTTLED
    answers = [_unsent(message, paced) for message in messages[admission.granted : admission.allowed]]
    for message in messages[admission.allowed :]:
        # Spread: what was held back together need not come back together.
        wait = admission.wait_seconds + random.random() * policy.REOPEN_SPREAD_SECONDS  # noqa: S311 - jitter
        answers.append(_unsent(message, _Unsent(outcome, admission.why, account.name, wait)))
    return answers


def _note(account: Account, answers: Sequence[SendResult]) -> None:
    """Count and log the answers of a batch; after refused credentials the adapter is built anew."""
    counts = Counter(answer.outcome.value for answer in answers)
    if counts[SendOutcome.MISCONFIGURED]:
        registry.rebuild(account)
    metrics.answered(account.name, counts)
    _log.info("provider.answered", provider=account.name, messages=len(answers), **counts)


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
        broken = _Unsent(SendOutcome.TRANSIENT, ADAPTER_ERROR, account.name)
        return [_unsent(message, broken) for message in messages]
    return [one if one.retry_after_seconds is None else _bearable(one) for one in answers]


def _hold_to_contract(messages: Sequence[Message], answers: Sequence[SendResult]) -> None:
    if [message.id for message in messages] != [answer.id for answer in answers]:
        raise TypeError("the adapter's answers are not those of the messages, in their order")


def _bearable(answer: SendResult) -> SendResult:
    """The answer with a wait that makes sense: a provider may ask for a century."""
    asked = answer.retry_after_seconds
    if asked is None or 0 <= asked <= policy.BACKOFF_CAP_SECONDS:
        return answer
    return msgspec.structs.replace(answer, retry_after_seconds=bearable(asked))


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
_PAGE_DEADLINE = _Unsent(SendOutcome.THROTTLED, PAGE_DEADLINE)
#: What counts towards a provider's day: it has the message, or may have it.
_TAKEN = frozenset({SendOutcome.ACCEPTED, SendOutcome.AMBIGUOUS})


def _unsent(message: Message, why: _Unsent) -> SendResult:
    return SendResult(
        id=message.id,
        outcome=why.outcome,
        provider=why.provider,
        code=why.code,
        retry_after_seconds=why.retry_after_seconds,
        started_at=time.time(),
    )
