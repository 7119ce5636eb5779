from __future__ import annotations

from collections import Counter
from random import Random
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.failover import NOT_ASKED, Standing, in_order, may_go_elsewhere, sooner
from channels.vocabulary import EmailMessage, SendOutcome, SendResult

STANDINGS = st.lists(
    st.builds(Standing, st.text(min_size=1, max_size=5), st.integers(0, 3), st.integers(0, 200)),
    unique_by=lambda standing: standing.name,
    max_size=6,
)


@given(STANDINGS, st.integers())
def test_everybody_is_in_the_order_once_and_priorities_never_mix(standings: list[Standing], seed: int) -> None:
    order = in_order(standings, chance=Random(seed))  # noqa: S311 - a repeatable draw
    priorities = {standing.name: standing.priority for standing in standings}
    assert sorted(order) == sorted(priorities)
    assert [priorities[name] for name in order] == sorted(priorities.values())


def test_equals_come_first_as_often_as_their_weight_says() -> None:
    chance = Random(7)  # noqa: S311 - a repeatable draw
    standings = [Standing("heavy", 1, 75), Standing("light", 1, 25)]
    first = Counter(in_order(standings, chance=chance)[0] for _ in range(4000))
    assert 0.72 < first["heavy"] / 4000 < 0.78


def test_an_account_of_no_weight_comes_after_its_equals() -> None:
    standings = [Standing("spare", 1, 0), Standing("main", 1, 1), Standing("second", 2, 100)]
    assert in_order(standings, chance=Random(1)) == ["main", "spare", "second"]  # noqa: S311 - a repeatable draw


def message(*, may_repeat: bool = False) -> EmailMessage:
    return EmailMessage(id=UUID(int=1), to="alice@example.com", may_repeat=may_repeat)


def result(outcome: SendOutcome, code: str = "") -> SendResult:
    return SendResult(id=UUID(int=1), outcome=outcome, code=code)


@pytest.mark.parametrize("may_repeat", [False, True])
def test_only_what_was_definitely_not_taken_goes_elsewhere(may_repeat: bool) -> None:  # noqa: FBT001 - a parameter
    elsewhere = {one for one in SendOutcome if may_go_elsewhere(message(may_repeat=may_repeat), result(one))}
    definite = {SendOutcome.TRANSIENT, SendOutcome.MISCONFIGURED}
    assert elsewhere == (definite | {SendOutcome.AMBIGUOUS} if may_repeat else definite)


def test_an_adapter_that_broke_off_may_have_sent() -> None:
    broken = result(SendOutcome.TRANSIENT, "adapter_error")
    assert not may_go_elsewhere(message(), broken)
    assert may_go_elsewhere(message(may_repeat=True), broken)


def test_a_rate_is_kept_and_not_evaded_but_a_closed_door_is() -> None:
    evaded = {code for code in NOT_ASKED if may_go_elsewhere(message(), result(SendOutcome.THROTTLED, code))}
    assert evaded == {"circuit_open", "account_stopped", "daily_limit", "provider_failing"}


def test_of_two_that_cannot_be_asked_the_sooner_one_is_told() -> None:
    held = result(SendOutcome.MISCONFIGURED, "account_stopped")
    late, soon = (
        msgspec.structs.replace(result(SendOutcome.THROTTLED, "circuit_open"), retry_after_seconds=wait)
        for wait in (20.0, 3.0)
    )
    assert sooner(None, held) is held
    assert sooner(held, late) is late
    assert sooner(late, held) is late
    assert sooner(late, soon) is soon
