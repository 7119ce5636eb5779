"""Twilio SendGrid, Mail Send v3: many mails in one call.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send - a call carries one content, and for each
recipient a personalization: address, subject, headers, our delivery id, and values for tags in the content. Mails that
were rendered from one template are therefore merged into the words they share and the few that differ (decision 0023).
The error table is `providers.md` 3.6, from https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from secrets import token_hex
from typing import Any, ClassVar, NamedTuple

import orjson

from channels import policy
from channels.conf import Secret
from channels.provider import Capabilities, Option, misdeclared
from channels.rules.accounts import Account
from channels.rules.http_status import outcome_of_status
from channels.rules.mail import BadMail, check_mail, message_id, one_line, sender_of
from channels.rules.merging import Merged, merge
from channels.rules.sendgrid_errors import Meaning, refused_fields
from channels.rules.tally import GIVEN_UP
from channels.transport import Fate, Request, Response, Transport
from channels.vocabulary import Channel, EmailMessage, SendOutcome, SendResult

_ACCEPTED = 202
#: Refused as a whole: nothing of the call was taken (413: over 30 MB).
_REFUSED = frozenset({400, 413})
_MOST_MAILS = 1000
#: A little under the documented 30 MB.
_MOST_BYTES = 29_000_000
#: Bytes of a mail's substitutions. Documented are 10,000; people were refused from 8,000 on (sendgrid-python #548).
_SUBSTITUTION_BYTES = 8_000
#: A header SendGrid has a field of its own for, and refuses.
_NOT_A_HEADER = frozenset({"reply-to"})


class SendGrid:
    """One API key and one sender."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        channels=frozenset({Channel.EMAIL}),
        schemes=frozenset({"https", "http"}),
        base_url="https://api.sendgrid.com",
        options={
            "from_email": Option("address mails are from, under a domain authenticated with SendGrid", required=True),
            "from_name": Option("name mails are from"),
            "webhook_public_key": Option("verification key of the signed event webhook; needed for receipts"),
        },
        secrets=frozenset({"api_key"}),
    )

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        self._name = account.name
        try:
            self._sender = sender_of(account.options)
        except ValueError as fault:
            raise misdeclared(account, "options.from_email", str(fault)) from None
        self._api_key = secrets["api_key"]
        self._transport = Transport(
            f"{account.base_url or self.capabilities.base_url}/v3/mail/send",
            ca_file=account.ca_file,
            concurrency=account.concurrency,
            timeout_seconds=account.timeout_seconds,
            connect_timeout_seconds=account.connect_timeout_seconds,
            keep_headers=("x-message-id", "x-ratelimit-reset"),
        )

    def send_many(self, messages: Sequence[EmailMessage], *, deadline: float) -> list[SendResult]:
        """Few calls for many mails; what a refused call held is sent again at once, without the mail to blame."""
        page = _Page(messages, self._name)
        batches = _batches(messages, [at for at in range(len(messages)) if self._is_fit(page, at)])
        repeats = 0
        for _ in range(policy.REFUSAL_ROUNDS):
            sent = [call for batch in batches for call in self._calls(messages, batch)]
            responses = self._post(sent, deadline)
            batches = [
                again
                for call, response in zip(sent, responses, strict=True)
                for again in _settled(page, call, response)
            ]
            repeats += len(batches)
            if not batches or repeats > policy.REFUSAL_CALLS:
                break
        for batch in batches:
            page.say(batch, Meaning(SendOutcome.TRANSIENT, "call_refused"))
        return [result for result in page.results if result is not None]

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()

    def _is_fit(self, page: _Page, at: int) -> bool:
        """Whether SendGrid could take the mail; one it could not would be blamed on its neighbours, or its address."""
        message = page.messages[at]
        try:
            check_mail(message, self._sender)
            code = _unfitness(message)
        except BadMail as fault:
            code = str(fault)
        if code:
            page.say([at], Meaning(SendOutcome.BAD_MESSAGE, code))
        return not code

    def _calls(self, messages: Sequence[EmailMessage], batch: Sequence[int]) -> Iterator[_Call]:
        """The batch as calls: one, and one more for each mail whose substitutions would be too large."""
        mark = token_hex(8)  # chosen after the words were written: they cannot hold it
        text = merge([messages[at].text for at in batch], f"{mark}t")
        html = merge([messages[at].html for at in batch], f"{mark}h")
        together, values = [], []
        for at, plain, rich in zip(batch, text.values, html.values, strict=True):
            value = {**plain, **rich}
            if _bytes_of(value) > _SUBSTITUTION_BYTES:
                yield from self._calls(messages, [at])
            else:
                together.append(at)
                values.append(value)
        if not together:
            return
        people = [self._personalization(messages[at], value) for at, value in zip(together, values, strict=True)]
        body = orjson.dumps({"personalizations": people, "from": self._from(), "content": _content(text, html)})
        if len(body) > _MOST_BYTES and len(together) > 1:
            for half in _halves(together):
                yield from self._calls(messages, half)
        else:
            yield _Call(together, body)

    def _personalization(self, message: EmailMessage, values: Mapping[str, str]) -> dict[str, Any]:
        delivery_id = str(message.id)
        headers = {"Message-ID": message_id(delivery_id, self._sender)}
        for name, value in message.headers.items():
            headers[name] = one_line(value)
        made: dict[str, Any] = {
            "to": [{"email": message.to}],
            "subject": message.subject,
            "headers": headers,
            "custom_args": {"delivery_id": delivery_id},
        }
        if message.trace_id:
            made["custom_args"]["trace_id"] = message.trace_id
        if values:
            made["substitutions"] = values
        return made

    def _from(self) -> dict[str, str]:
        sender = {"email": self._sender.address}
        return {**sender, "name": self._sender.name} if self._sender.name else sender

    def _post(self, calls: Sequence[_Call], deadline: float) -> list[Response]:
        headers = ("Content-Type: application/json", f"Authorization: Bearer {self._api_key.reveal()}")
        return self._transport.send_all(
            [Request(call.body) for call in calls], headers=headers, deadline=deadline, give_up=_is_closed_to_us
        )


ADAPTER = SendGrid


class _Call(NamedTuple):
    """One request, and the places in the page of the mails it carries."""

    batch: list[int]
    body: bytes


class _Page:
    """The mails of one `send_many`, and what became of each so far."""

    def __init__(self, messages: Sequence[EmailMessage], provider: str) -> None:
        self.messages, self.provider = messages, provider
        self.results: list[SendResult | None] = [None] * len(messages)

    def settle(self, call: _Call, response: Response) -> list[list[int]]:
        """Note what the answer means for the call's mails; what it holds that must be sent again is handed back."""
        refused = response.fate is Fate.ANSWERED and response.status in _REFUSED
        if not refused or len(call.batch) == 1:
            self.say(call.batch, _meaning_of(response), response)
            return []
        errors = refused_fields(response.body)
        if any(error.is_about_us for error in errors):
            self.say(call.batch, _meaning_of(response), response)
            return []
        blamed = {number: error for error in errors if (number := error.number) is not None}
        if not any(number < len(call.batch) for number in blamed):
            return _halves(call.batch)
        rest = [at for number, at in enumerate(call.batch) if number not in blamed]
        alone = []
        for number, at in enumerate(call.batch):
            error = blamed.get(number)
            if error is not None and error.is_about_merging:
                alone.append([at])  # by itself it needs none
            elif error is not None:
                self.say([at], error.meaning, response)
        return [*alone, *([rest] if rest else [])]

    def say(self, batch: Sequence[int], meaning: Meaning, response: Response | None = None) -> None:
        """Note the result of each mail of a batch."""
        came = response or Response(fate=Fate.NOT_SENT, started_at=time.time())
        accepted = meaning.outcome is SendOutcome.ACCEPTED
        for at in batch:
            self.results[at] = SendResult(
                id=self.messages[at].id,
                outcome=meaning.outcome,
                provider=self.provider,
                provider_message_id=came.headers.get("x-message-id", "") if accepted else "",
                code=meaning.code,
                detail=f"HTTP {came.status}" if came.status and not accepted else "",
                retry_after_seconds=_wait(meaning.outcome, came),
                started_at=came.started_at,
                latency_ms=came.latency_ms,
            )


def _settled(page: _Page, call: _Call, response: Response) -> list[list[int]]:
    try:
        return page.settle(call, response)
    except Exception:  # noqa: BLE001 - an answer nobody foresaw must not answer for the page, which is out
        page.say(call.batch, Meaning(SendOutcome.AMBIGUOUS, "adapter_error"))
        return []


def _unfitness(message: EmailMessage) -> str:
    """Why SendGrid would refuse a mail that is one; empty when it would not."""
    if not message.to.isascii() and not message.to.rpartition("@")[0].isascii():
        return "smtputf8_not_offered"
    if not message.subject:
        return "no_subject"
    if not (message.text or message.html):
        return "no_content"
    if any(name.lower() in _NOT_A_HEADER for name in message.headers):
        return "forbidden_header"
    return ""


def _batches(messages: Sequence[EmailMessage], sendable: Sequence[int]) -> list[list[int]]:
    """Which mails may share a call.

    Those with the same parts; of large ones those of the same shape, since only what they share keeps them small
    enough. An address may stand in a call once: a second mail to it goes with the second ones.
    """
    mails_to: Counter[str] = Counter()
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for at in sendable:
        message = messages[at]
        address = message.to.casefold()
        mails_to[address] += 1
        shape: tuple[int, ...] = (bool(message.text), bool(message.html), mails_to[address])
        if len(message.text) + len(message.html) > _SUBSTITUTION_BYTES // 2:
            shape += (message.text.count("\n"), message.html.count("\n"))
        groups[shape].append(at)
    return [
        group[start : start + _MOST_MAILS] for group in groups.values() for start in range(0, len(group), _MOST_MAILS)
    ]


def _content(text: Merged, html: Merged) -> list[dict[str, str]]:
    """The plain part first, as SendGrid demands."""
    parts = (("text/plain", text.body), ("text/html", html.body))
    return [{"type": kind, "value": body} for kind, body in parts if body]


def _bytes_of(values: Mapping[str, str]) -> int:
    told = "".join((*values, *values.values()))
    return len(told) if told.isascii() else len(told.encode())


def _halves(batch: Sequence[int]) -> list[list[int]]:
    middle = len(batch) // 2
    return [list(batch[:middle]), list(batch[middle:])]


_BY_FATE = {
    Fate.NOT_SENT: SendOutcome.TRANSIENT,
    Fate.NOT_STARTED: SendOutcome.THROTTLED,
    Fate.AMBIGUOUS: SendOutcome.AMBIGUOUS,
}


def _is_closed_to_us(response: Response) -> bool:
    """Whether every further call would be refused as well: the key, or the sender."""
    return _meaning_of(response).outcome is SendOutcome.MISCONFIGURED


def _meaning_of(response: Response) -> Meaning:
    """The class of an answer to a call that stands or falls as one."""
    if response.error == GIVEN_UP:
        return Meaning(SendOutcome.MISCONFIGURED, GIVEN_UP)
    if response.fate is not Fate.ANSWERED:
        return Meaning(_BY_FATE[response.fate], response.error)
    if response.status == _ACCEPTED and response.headers.get("x-message-id"):
        return Meaning(SendOutcome.ACCEPTED)
    if response.status in _REFUSED:
        errors = refused_fields(response.body)
        told = [error for error in errors if error.is_about_us] or errors
        if told:
            return told[0].meaning
    outcome = SendOutcome.BAD_MESSAGE if response.status in _REFUSED else outcome_of_status(response.status)
    return Meaning(outcome, "unreadable_answer" if outcome is SendOutcome.AMBIGUOUS else f"http_{response.status}")


def _wait(outcome: SendOutcome, response: Response) -> float | None:
    """How long a 429 asks us to wait: SendGrid says until when, in epoch seconds."""
    if outcome is not SendOutcome.THROTTLED or response.fate is not Fate.ANSWERED:
        return response.retry_after_seconds
    until = response.headers.get("x-ratelimit-reset", "")
    if until.isascii() and until.isdigit() and 0 < (seconds := int(until) - time.time()) <= policy.LONGEST_WAIT_SECONDS:
        return seconds
    return response.retry_after_seconds or policy.THROTTLED_SECONDS
