"""What a receipt makes of a delivery: whatever the order, however often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import ReceiptKind as K
from notify.policy import RECEIPT_PATIENCE
from notify.rules.lifecycle import FINAL, may
from notify.rules.receipts import PROOFS, Change, Ruling, Standing, in_telling_order, judge, next_look
from notify.vocabulary import DeliveryStatus as D
from notify.vocabulary import ReasonCode

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SENT = Standing(
    status=D.SENT,
    reason=None,
    holder="twilio",
    accounts=frozenset({"twilio"}),
    is_leased=False,
    has_another_try=True,
)
DEAD_UNKNOWN = msgspec.structs.replace(SENT, status=D.DEAD, reason=ReasonCode.OUTCOME_UNKNOWN)
standings = st.builds(
    Standing,
    status=st.sampled_from(list(D)),
    reason=st.sampled_from([None, *ReasonCode]),
    holder=st.sampled_from(["", "twilio", "vonage"]),
    accounts=st.frozensets(st.sampled_from(["twilio", "vonage"])),
    is_leased=st.booleans(),
    has_another_try=st.booleans(),
)
receipts = st.tuples(st.sampled_from(["twilio", "vonage"]), st.sampled_from(list(K)))
#: What one provider may truthfully tell of one message, in its order.
stories = st.one_of(
    st.just([K.PROGRESS, K.DEFERRED, K.BOUNCED]),
    st.just([K.PROGRESS, K.FAILED]),
    st.just([K.DEFERRED, K.SOFT_BOUNCED]),
    st.lists(st.sampled_from([K.PROGRESS, K.DEFERRED, K.DELIVERED, K.OPENED, K.CLICKED, K.COMPLAINED]), max_size=6),
)


def after(standing: Standing, account: str, kind: K) -> Standing:
    ruling = judge(standing, account, kind)
    if not isinstance(ruling, Change):
        return standing
    more = standing.has_another_try and ruling.status is not D.RETRYING
    return msgspec.structs.replace(
        standing, status=ruling.status, reason=ruling.reason, holder=account, has_another_try=more
    )


def status_after(standing: Standing, *kinds: K, account: str = "twilio") -> D:
    for kind in kinds:
        standing = after(standing, account, kind)
    return standing.status


@given(standings, st.lists(receipts, max_size=12))
def test_what_is_final_is_never_left_and_every_change_is_in_the_table(
    standing: Standing, heard: list[tuple[str, K]]
) -> None:
    for account, kind in heard:
        ruled = after(standing, account, kind)
        assert ruled.status is standing.status or may(standing.status, ruled.status)
        if standing.status in FINAL - {D.DEAD}:
            assert ruled == standing
        standing = ruled


@given(stories, st.randoms(use_true_random=False), st.integers(1, 46))
def test_a_story_ends_alike_in_any_order_and_however_often_it_is_told(
    story: list[K], chance: object, times: int
) -> None:
    shuffled = story * times
    chance.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis types its random loosely
    assert status_after(SENT, *shuffled) is status_after(SENT, *story)


@given(standings, receipts)
def test_a_repeat_changes_nothing_more(standing: Standing, heard: tuple[str, K]) -> None:
    once = after(standing, *heard)
    assert after(once, *heard) == once


@given(standings, receipts)
def test_who_never_had_it_has_nothing_to_say(standing: Standing, heard: tuple[str, K]) -> None:
    stranger = msgspec.structs.replace(standing, accounts=standing.accounts - {heard[0]})
    ruling = judge(stranger, *heard)
    assert ruling in (Ruling.FOREIGN, Ruling.WAITS) or standing.status is D.SENDING


@pytest.mark.parametrize("kind", sorted(PROOFS))
def test_whoever_opens_complains_or_leaves_has_received_it(kind: K) -> None:
    assert status_after(SENT, kind) is D.DELIVERED


def test_a_delivery_reported_before_our_own_commit_waits() -> None:
    sending = msgspec.structs.replace(SENT, status=D.SENDING, accounts=frozenset(), is_leased=True)
    assert judge(sending, "twilio", K.DELIVERED) is Ruling.WAITS
    assert judge(sending, "twilio", K.BOUNCED) is Ruling.WAITS


def test_a_proof_of_arrival_saves_the_repeat_after_a_process_died() -> None:
    abandoned = msgspec.structs.replace(SENT, status=D.SENDING, accounts=frozenset(), is_leased=False)
    assert judge(abandoned, "twilio", K.DELIVERED) == Change(D.DELIVERED)
    assert judge(abandoned, "twilio", K.BOUNCED) is Ruling.WAITS
    assert judge(abandoned, "", K.OPENED) is Ruling.WAITS, "nobody knows yet whose it is"


def test_a_receipt_lifts_what_nobody_knew_the_fate_of() -> None:
    assert status_after(DEAD_UNKNOWN, K.DELIVERED) is D.DELIVERED
    assert status_after(DEAD_UNKNOWN, K.BOUNCED) is D.BOUNCED
    assert status_after(DEAD_UNKNOWN, K.FAILED) is D.RETRYING


def test_a_message_the_provider_gave_up_goes_elsewhere_once() -> None:
    assert status_after(SENT, K.FAILED) is D.RETRYING
    assert status_after(SENT, K.FAILED, K.FAILED) is D.RETRYING
    last = msgspec.structs.replace(SENT, has_another_try=False)
    assert judge(last, "twilio", K.FAILED) == Change(D.FAILED, ReasonCode.PROVIDER_REJECTED)


def test_the_first_account_may_still_deliver_but_not_condemn_what_another_has_now() -> None:
    moved_on = msgspec.structs.replace(SENT, holder="vonage", accounts=frozenset({"twilio", "vonage"}))
    assert judge(moved_on, "twilio", K.FAILED) is Ruling.STAYS
    assert judge(moved_on, "twilio", K.BOUNCED) is Ruling.STAYS
    assert judge(moved_on, "twilio", K.DELIVERED) == Change(D.DELIVERED)


def test_a_bounce_after_a_delivery_leaves_it_delivered() -> None:
    assert status_after(SENT, K.DELIVERED, K.BOUNCED) is D.DELIVERED


def test_receipts_of_one_second_are_told_in_the_order_of_their_story() -> None:
    told = sorted([K.OPENED, K.BOUNCED, K.DELIVERED], key=lambda kind: in_telling_order(NOW, kind))
    assert told == [K.DELIVERED, K.BOUNCED, K.OPENED]


def test_a_waiting_receipt_is_looked_at_ever_less_often_and_given_up_after_ten_minutes() -> None:
    now, tries, waits = NOW, 0, []
    while (at := next_look(NOW, tries, now)) is not None:
        waits.append((at - now).total_seconds())
        now, tries = at, tries + 1
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) == 60
    assert RECEIPT_PATIENCE <= now - NOW < RECEIPT_PATIENCE + timedelta(minutes=1)
