"""One page of messages exchanged with an HTTP provider: a request for each, its answer read, a result for each.

What all adapters with one request a message have in common; what an answer means is the adapter's to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from channels import conf, policy
from channels.rules.accounts import Account
from channels.rules.hosts import is_loopback
from channels.rules.tally import GIVEN_UP
from channels.transport import Fate, Request, Response, Transport
from channels.vocabulary import Message, ReceiptKind, SendOutcome, SendResult


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one HTTP answer means; the fields are those of `SendResult`."""

    outcome: SendOutcome
    code: str = ""
    provider_message_id: str = ""
    retry_after_seconds: float | None = None
    receipt: ReceiptKind | None = None
    segments: int = 0
    address_only: bool = False
    gone_since: float | None = None


#: Reads an answer that came; what it raises counts as an answer nobody can read.
Read = Callable[[Response], Answer]

_BY_FATE = {
    Fate.NOT_SENT: SendOutcome.TRANSIENT,
    Fate.NOT_STARTED: SendOutcome.THROTTLED,
    Fate.AMBIGUOUS: SendOutcome.AMBIGUOUS,
}


def exchange(
    transport: Transport,
    account: Account,
    messages: Sequence[Message],
    requests: Sequence[Request | str | None],
    *,
    read: Read,
    headers: Sequence[str] = (),
    deadline: float,
    stops: Callable[[Answer], bool] = lambda answer: answer.outcome is SendOutcome.MISCONFIGURED,
) -> list[SendResult]:
    """One result for each message, in their order.

    A request of None is a message that could not be encoded, a text the code of what else is wrong with it: refused,
    and not sent. Once an answer `stops` the account (it is not served at all), what has not been started is held with
    the same class and wait, and the code `given_up`.
    """
    held: list[Answer] = []

    def give_up(response: Response) -> bool:
        answer = _meaning(response, read)
        if stops(answer):
            held.append(msgspec.structs.replace(answer, code=GIVEN_UP))
        return bool(held)

    responses = iter(
        transport.send_all(
            [request for request in requests if isinstance(request, Request)],
            headers=headers,
            deadline=deadline,
            give_up=give_up,
        )
    )
    now = time.time()
    results = []
    for message, request in zip(messages, requests, strict=True):
        if not isinstance(request, Request):
            results.append(_refused(account, message, request or "unencodable", now))
            continue
        response = next(responses)
        answer = held[0] if response.error == GIVEN_UP else _meaning(response, read)
        results.append(_result(account, message, response, answer))
    return results


def callback_url(account: Account, base_url: str) -> str:
    """Where the provider at `base_url` shall tell results; empty where it could not reach us.

    Providers refuse messages whose callback is no public address, which a first try on a laptop would run into.
    """
    url = conf.receipts_url(account.name)
    return "" if is_loopback(url) and not is_loopback(base_url) else url


def _meaning(response: Response, read: Read) -> Answer:
    if response.fate is Fate.ANSWERED:
        try:
            return read(response)
        except Exception:  # noqa: BLE001 - an answer nobody foresaw must not answer for the page, which is out
            return Answer(outcome=SendOutcome.AMBIGUOUS, code="adapter_error")
    return Answer(outcome=_BY_FATE[response.fate], code=response.error)


def _result(account: Account, message: Message, response: Response, answer: Answer) -> SendResult:
    wait = response.retry_after_seconds or answer.retry_after_seconds
    if wait is None and answer.outcome is SendOutcome.THROTTLED and response.fate is Fate.ANSWERED:
        wait = policy.THROTTLED_SECONDS
    accepted = answer.outcome is SendOutcome.ACCEPTED
    return SendResult(
        id=message.id,
        outcome=answer.outcome,
        provider=account.name,
        provider_message_id=answer.provider_message_id,
        code=answer.code,
        detail=f"HTTP {response.status}" if response.status and not accepted else "",
        retry_after_seconds=wait,
        receipt=answer.receipt,
        segments=answer.segments,
        address_only=answer.address_only,
        gone_since=answer.gone_since,
        started_at=response.started_at,
        latency_ms=response.latency_ms,
    )


def _refused(account: Account, message: Message, code: str, now: float) -> SendResult:
    """The answer for a message that was not sent: `unencodable` is a text that is no Unicode (lone surrogates)."""
    return SendResult(id=message.id, outcome=SendOutcome.BAD_MESSAGE, provider=account.name, code=code, started_at=now)
