"""What adapters with one request a message have in common, against a peer that answers whatever is asked of it."""

from __future__ import annotations

from typing import Any

import pytest

from channels import policy
from channels.exchange import Answer, callback_url, exchange
from channels.rules.accounts import Account
from channels.transport import Request, Response, Transport
from channels.vocabulary import Channel, SendOutcome, SendResult
from tests.providers.conformance import soon
from tests.providers.gateways import PUBLIC, sms
from tests.providers.peers import HttpPeer, http_answer

ACCOUNT = Account(name="some", adapter="twilio", channel=Channel.SMS)


def results(read: Any, *headers: str, status: int = 200, count: int = 1, concurrency: int = 1) -> list[SendResult]:
    """What a page makes of a peer, and of how its answers are read."""
    peer = HttpPeer(lambda _: http_answer(status, b"{}", *headers))
    transport = Transport(peer.base_url, concurrency=concurrency)
    page = [sms(number) for number in range(count)]
    requests = [Request(b"x") for _ in page]
    found = exchange(transport, ACCOUNT, page, requests, read=read, deadline=soon())
    transport.close()
    peer.close()
    return found


def saying(**words: Any) -> Any:
    return lambda _: Answer(**words)


def test_an_answer_becomes_a_result_word_for_word() -> None:
    (result,) = results(saying(outcome=SendOutcome.ACCEPTED, provider_message_id="m1", segments=3))
    assert (result.outcome, result.provider, result.provider_message_id) == (SendOutcome.ACCEPTED, "some", "m1")
    assert (result.segments, result.code, result.detail) == (3, "", "")


def test_a_refusal_says_its_status() -> None:
    (result,) = results(saying(outcome=SendOutcome.BAD_MESSAGE, code="7"), status=422)
    assert (result.code, result.detail, result.retry_after_seconds) == ("7", "HTTP 422", None)


def test_a_reader_that_breaks_off_leaves_the_message_unknown() -> None:
    def read(response: Response) -> Answer:
        raise KeyError(response.status)

    (result,) = results(read)
    assert (result.outcome, result.code) == (SendOutcome.AMBIGUOUS, "adapter_error")


def test_once_the_account_is_refused_nothing_more_is_started() -> None:
    found = results(saying(outcome=SendOutcome.MISCONFIGURED, code="403"), count=50)
    assert [one.code for one in found] == ["403"] + ["given_up"] * 49
    assert {one.outcome for one in found} == {SendOutcome.MISCONFIGURED}


def test_a_refused_message_does_not_end_the_page() -> None:
    found = results(saying(outcome=SendOutcome.BAD_RECIPIENT, code="1"), count=20)
    assert [one.code for one in found] == ["1"] * 20


@pytest.mark.parametrize(
    ("told", "own", "wait"),
    [("9", None, 9.0), ("9", 1.0, 9.0), (None, 1.0, 1.0), (None, None, policy.THROTTLED_SECONDS)],
)
def test_who_is_throttled_waits_as_long_as_is_known(told: str | None, own: float | None, wait: float) -> None:
    headers = [f"Retry-After: {told}"] if told else []
    read = saying(outcome=SendOutcome.THROTTLED, code="1", retry_after_seconds=own)
    (result,) = results(read, *headers, status=429)
    assert result.retry_after_seconds == wait


@pytest.mark.parametrize(
    ("public", "provider", "url"),
    [
        (PUBLIC, "https://api.twilio.com", f"{PUBLIC}/v1/receipts/some"),
        ("http://localhost:8000", "https://api.twilio.com", ""),
        ("http://127.0.0.1:8000", "https://api.twilio.com", ""),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9000", "http://127.0.0.1:8000/v1/receipts/some"),
    ],
)
def test_a_callback_is_told_to_those_who_can_reach_it(settings: Any, public: str, provider: str, url: str) -> None:
    settings.CARILLON = {**settings.CARILLON, "PUBLIC_URL": public}
    assert callback_url(ACCOUNT, provider) == url
