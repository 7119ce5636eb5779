from __future__ import annotations

from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import policy
from channels.rules.tally import bearable, tally_of
from channels.vocabulary import SendOutcome, SendResult

_ids = count()
OK, DEAD, BAD = SendOutcome.ACCEPTED, SendOutcome.BAD_RECIPIENT, SendOutcome.BAD_MESSAGE
DOWN, DARK = SendOutcome.TRANSIENT, SendOutcome.AMBIGUOUS
SLOW_DOWN, REFUSED = SendOutcome.THROTTLED, SendOutcome.MISCONFIGURED


def answer(outcome: SendOutcome, code: str = "", **more: Any) -> SendResult:
    number = next(_ids)
    request = {"started_at": 100.0 + number / 1e6, "latency_ms": 20.0, **more}
    return SendResult(id=UUID(int=number), outcome=outcome, code=code, **request)


def test_only_the_providers_own_faults_are_faults() -> None:
    tally = tally_of([answer(one) for one in SendOutcome])
    assert (tally.minute.sound, tally.minute.faults, tally.minute.throttled, tally.minute.refused) == (3, 2, 1, 1)


@pytest.mark.parametrize("code", ["provider_failing", "given_up", "page_deadline", "adapter_error"])
def test_what_nobody_asked_the_provider_counts_for_nothing(code: str) -> None:
    tally = tally_of([answer(one, code) for one in (DOWN, SLOW_DOWN, REFUSED)])
    assert (tally.faults, tally.backoff_seconds, tally.refused) == (0, -1.0, "")


def test_what_is_about_an_address_only_counts_for_nothing() -> None:
    tally = tally_of([answer(one, address_only=True) for one in SendOutcome])
    assert tally == tally_of([])


def test_a_refusal_that_took_no_time_proves_no_provider_at_work() -> None:
    assert tally_of([answer(BAD, latency_ms=0.0)]).minute.sound == 0


def test_the_longest_wait_that_was_asked_for_is_kept() -> None:
    waits = (3.0, 8.0, 5.0)
    assert tally_of([answer(SLOW_DOWN, retry_after_seconds=wait) for wait in waits]).backoff_seconds == 8.0
    assert tally_of([answer(SLOW_DOWN)]).backoff_seconds == policy.THROTTLED_SECONDS


def test_a_connection_that_many_shared_is_one_fault_where_others_came_through() -> None:
    lost = [answer(DARK, "connection_lost") for _ in range(80)]
    assert tally_of([*lost, answer(OK)]).faults == 1
    assert tally_of(lost).faults == 80


def test_a_request_of_many_messages_is_one_fault_or_one_success() -> None:
    batch = {"started_at": 100.0, "latency_ms": 9000.0}
    tally = tally_of([answer(DARK, "timeout", **batch) for _ in range(1000)])
    assert (tally.faults, tally.minute.faults) == (1, 1000)
    tally = tally_of([answer(OK, **batch) for _ in range(1000)])
    assert (tally.sound, tally.minute.sound) == (1, 1000)


def test_a_page_that_could_reach_nobody_counts_each_message() -> None:
    assert tally_of([answer(DOWN, "connect_failed", started_at=100.0, latency_ms=0.0) for _ in range(50)]).faults == 50


def test_a_revoked_key_stops_the_account_though_the_page_began_well() -> None:
    before = [answer(OK, started_at=100.0) for _ in range(300)]
    after = [answer(REFUSED, "401", started_at=101.0) for _ in range(200)]
    assert tally_of([*before, *after]).refused == "401"


def test_a_refusal_among_accepted_ones_stops_nobody() -> None:
    mixed = [answer((OK, REFUSED)[at % 2], started_at=100.0 + at) for at in range(100)]
    assert tally_of(mixed).refused == ""


@given(st.none() | st.floats())
def test_every_wait_becomes_one_that_can_be_kept(seconds: float | None) -> None:
    assert 0 <= bearable(seconds) <= policy.BACKOFF_CAP_SECONDS
