"""What every adapter must do, whatever its protocol: subclass, say how to build one, and the cases run.

`HttpConformance` adds what an HTTP provider's answers may look like when they are no answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest

from channels import conf, registry
from channels.provider import Provider
from channels.rules.accounts import Account
from channels.vocabulary import Message, SendOutcome, SendResult
from tests.providers.peers import HttpPeer, dead_port, http_answer

#: Never accepted, never blamed on the message or its recipient.
PROVIDER_AT_FAULT = {SendOutcome.TRANSIENT, SendOutcome.MISCONFIGURED, SendOutcome.THROTTLED}


def delivery_id(number: int) -> UUID:
    """A different id for every number."""
    return UUID(int=(0x0199_0000_0000_7000_8000 << 48) + number)


def build(account: Account) -> Provider[Any]:
    """The adapter of an account, as the registry builds it."""
    return registry.adapter_of(account)


def soon() -> float:
    """A deadline no healthy page misses."""
    return time.monotonic() + 10


class ProviderConformance:
    """Cases for every adapter."""

    #: Texts that must not show up in results or logs: secrets, addresses, words.
    private: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    def account(self) -> Account:
        """An account at a provider that is well."""
        raise NotImplementedError

    @pytest.fixture
    def provider(self, account: Account) -> Iterator[Provider[Any]]:
        """The adapter of that account."""
        adapter = build(account)
        yield adapter
        adapter.close()

    def message(self, number: int, text: str = "plain words") -> Message:
        """A message an ordinary recipient gets; ids differ by number."""
        raise NotImplementedError

    def page(self, count: int) -> list[Message]:
        """So many messages."""
        return [self.message(number) for number in range(count)]

    def test_an_empty_page_gives_an_empty_answer(self, provider: Provider[Any]) -> None:
        assert provider.send_many([], deadline=soon()) == []

    def test_a_page_of_one_is_accepted(self, provider: Provider[Any], account: Account) -> None:
        (result,) = provider.send_many(self.page(1), deadline=soon())
        assert (result.outcome, result.provider, result.code) == (SendOutcome.ACCEPTED, account.name, "")
        assert result.provider_message_id
        assert time.time() - 10 < result.started_at <= time.time()
        assert 0 <= result.latency_ms < 10_000

    def test_a_page_of_many_keeps_order_and_length(self, provider: Provider[Any]) -> None:
        page = self.page(60)
        results = provider.send_many(page, deadline=soon())
        assert [result.id for result in results] == [message.id for message in page]
        assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}

    def test_page_after_page_is_accepted(self, provider: Provider[Any]) -> None:
        for _ in range(3):
            results = provider.send_many(self.page(5), deadline=soon())
            assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}

    @pytest.mark.parametrize("text", ["¡Olé! Ünïcödé 😀 中文", "\u202eright to left", "line\nbreak", "x" * 3000, "."])
    def test_any_text_is_carried(self, provider: Provider[Any], text: str) -> None:
        (result,) = provider.send_many([self.message(1, text)], deadline=soon())
        assert result.outcome is SendOutcome.ACCEPTED

    def test_a_text_that_is_no_unicode_costs_only_itself(self, provider: Provider[Any]) -> None:
        page = [self.message(1), self.message(2, "broken \ud800 text"), self.message(3)]
        outcomes = [result.outcome for result in provider.send_many(page, deadline=soon())]
        assert (outcomes[0], outcomes[2]) == (SendOutcome.ACCEPTED, SendOutcome.ACCEPTED)

    def test_after_the_deadline_nothing_is_sent(self, provider: Provider[Any]) -> None:
        results = provider.send_many(self.page(5), deadline=time.monotonic() - 1)
        assert {(one.outcome, one.code) for one in results} == {(SendOutcome.THROTTLED, "page_deadline")}
        assert len(results) == 5

    def test_closing_is_harmless_twice_and_before_the_first_page(self, account: Account) -> None:
        adapter = build(account)
        adapter.close()
        adapter.close()

    def test_a_closed_adapter_sends_again(self, provider: Provider[Any]) -> None:
        provider.send_many(self.page(1), deadline=soon())
        provider.close()
        (result,) = provider.send_many(self.page(1), deadline=soon())
        assert result.outcome is SendOutcome.ACCEPTED

    def test_nothing_private_is_in_results_or_logs(
        self, provider: Provider[Any], account: Account, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        results = provider.send_many(self.page(3), deadline=soon())
        shown = f"{results} {provider!r} {caplog.text}"
        secrets = [conf.resolve(reference).reveal() for reference in account.secrets.values()]
        for private in (*self.private, *secrets):
            assert private not in shown


class RemoteConformance(ProviderConformance):
    """Cases for adapters that reach their provider over a network."""

    scheme: ClassVar[str] = "http"

    def test_a_provider_that_is_down_accepts_nothing_and_raises_nothing(self, account: Account) -> None:
        down = msgspec.structs.replace(account, name="down", base_url=f"{self.scheme}://127.0.0.1:{dead_port()}")
        adapter = build(down)
        started = time.monotonic()
        results = adapter.send_many(self.page(200), deadline=soon())
        adapter.close()
        assert {result.outcome for result in results} == {SendOutcome.TRANSIENT}
        assert [result.id for result in results] == [message.id for message in self.page(200)]
        assert time.monotonic() - started < 5


GARBAGE = {
    "html": http_answer(200, b"<html>Welcome to the hotel's Wi-Fi</html>", "Content-Type: text/html"),
    "empty": http_answer(202, b""),
    "null": http_answer(200, b"null"),
    "number": http_answer(200, b"7"),
    "wrong_types": http_answer(200, b'{"name": {"a": [1]}, "error": 7, "messages": 5, "sid": []}'),
    "huge": http_answer(200, b'{"name": "' + b"x" * 10_000_000),
    "no_utf8": http_answer(200, b'{"name": "\xff\xfe"}'),
    "strange_status": http_answer(299, b"{}"),
}
#: Statuses whose class no body is needed for.
STATUSES = {
    400: SendOutcome.BAD_MESSAGE,
    401: SendOutcome.MISCONFIGURED,
    403: SendOutcome.MISCONFIGURED,
    429: SendOutcome.THROTTLED,
    500: SendOutcome.TRANSIENT,
    502: SendOutcome.AMBIGUOUS,
    503: SendOutcome.TRANSIENT,
    504: SendOutcome.AMBIGUOUS,
}


class HttpConformance(RemoteConformance):
    """Cases for adapters that speak HTTP."""

    def answers_to(self, account: Account, answer: bytes | str) -> list[SendResult]:
        """What a page of three makes of a provider that always answers so."""
        peer = HttpPeer(lambda _: answer)
        mad = msgspec.structs.replace(account, name="mad", base_url=peer.base_url, timeout_seconds=0.5)
        adapter = build(mad)
        results = adapter.send_many(self.page(3), deadline=soon())
        adapter.close()
        peer.close()
        assert [result.id for result in results] == [message.id for message in self.page(3)]
        return results

    @pytest.mark.parametrize("garbage", GARBAGE)
    def test_a_success_that_cannot_be_read_is_ambiguous(self, account: Account, garbage: str) -> None:
        results = self.answers_to(account, GARBAGE[garbage])
        assert {result.outcome for result in results} == {SendOutcome.AMBIGUOUS}

    @pytest.mark.parametrize(("status", "outcome"), list(STATUSES.items()))
    @pytest.mark.parametrize("body", [b"<html>", b'{"error": {"details": {"a": 1}, "status": 5}}'])
    def test_an_error_that_cannot_be_read_is_judged_by_its_status(
        self, account: Account, status: int, outcome: SendOutcome, body: bytes
    ) -> None:
        results = self.answers_to(account, http_answer(status, body))
        assert {result.outcome for result in results} == {outcome}

    @pytest.mark.parametrize("ending", ["rst", "eof", "silent"])
    def test_no_answer_at_all_is_ambiguous(self, account: Account, ending: str) -> None:
        results = self.answers_to(account, ending)
        assert {result.outcome for result in results} == {SendOutcome.AMBIGUOUS}
