from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from channels.rules.mismatch import Mismatches
from channels.vocabulary import SendOutcome, SendResult


def answer(outcome: SendOutcome, code: str = "") -> SendResult:
    return SendResult(id=UUID(int=1), outcome=outcome, code=code)


FINE = answer(SendOutcome.ACCEPTED)
STRANGE = answer(SendOutcome.BAD_RECIPIENT, "BadDeviceToken")
GONE = answer(SendOutcome.BAD_RECIPIENT, "Unregistered")
BUSY = answer(SendOutcome.THROTTLED, "TooManyRequests")


def watch() -> Mismatches:
    return Mismatches(codes={"BadDeviceToken"}, least=10, share=0.05, window=1000)


def outcomes(results: list[SendResult]) -> list[SendOutcome]:
    return [result.outcome for result in results]


def test_two_dead_devices_in_a_hundred_are_dead_devices() -> None:
    page = [STRANGE] * 2 + [FINE] * 98
    lately = watch()
    assert all(lately.judged(page) == page for _ in range(50))


def test_a_page_of_them_is_a_mix_up_and_only_they_are_held() -> None:
    judged = outcomes(watch().judged([STRANGE] * 12 + [GONE, BUSY] + [FINE] * 80))
    assert judged[:12] == [SendOutcome.MISCONFIGURED] * 12
    assert judged[12:14] == [SendOutcome.BAD_RECIPIENT, SendOutcome.THROTTLED]


def test_a_mix_up_is_seen_in_pages_of_one_as_well() -> None:
    lately = watch()
    judged = [lately.judged([STRANGE])[0].outcome for _ in range(12)]
    assert judged == [SendOutcome.BAD_RECIPIENT] * 9 + [SendOutcome.MISCONFIGURED] * 3


def test_an_account_that_was_set_right_is_trusted_again() -> None:
    lately = watch()
    lately.judged([STRANGE] * 500)
    for _ in range(20):
        lately.judged([FINE] * 500)
    assert outcomes(lately.judged([STRANGE])) == [SendOutcome.BAD_RECIPIENT]


def test_answers_that_say_nothing_about_the_address_are_not_counted() -> None:
    lately = watch()
    lately.judged([BUSY] * 10_000)
    assert outcomes(lately.judged([STRANGE] * 10)) == [SendOutcome.MISCONFIGURED] * 10


@given(st.lists(st.lists(st.sampled_from([FINE, STRANGE, GONE, BUSY]), max_size=60), max_size=10))
def test_nothing_but_a_suspect_is_ever_changed(pages: list[list[SendResult]]) -> None:
    lately = watch()
    for page in pages:
        for before, after in zip(page, lately.judged(page), strict=True):
            assert before == after or (before is STRANGE and after.outcome is SendOutcome.MISCONFIGURED)
