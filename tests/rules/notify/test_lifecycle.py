"""Which status may follow which, and what a notification's status is."""

from hypothesis import given
from hypothesis import strategies as st

from notify.rules.lifecycle import ARRIVED, CANCELLABLE, FINAL, NEXT, may, roll_up, sources_of
from notify.vocabulary import DeliveryStatus as D
from notify.vocabulary import NotificationStatus as N

statuses = st.lists(st.sampled_from(list(D)), min_size=1, max_size=6)


def test_every_status_has_a_row_in_the_table() -> None:
    assert set(NEXT) == set(D)


def test_a_final_status_leads_nowhere_except_that_a_dead_letter_may_be_replayed_or_known_better() -> None:
    open_ends = {status: NEXT[status] for status in FINAL if NEXT[status]}
    assert open_ends == {D.DEAD: frozenset({D.RETRYING, D.SENT, D.DELIVERED, D.BOUNCED})}


def test_every_final_status_can_be_reached_from_planned() -> None:
    reached = {D.PLANNED}
    while more := {after for before in reached for after in NEXT[before]} - reached:
        reached |= more
    assert reached | {D.DEFERRED} == set(D)


def test_sources_are_the_table_read_backwards() -> None:
    assert sources_of(D.DELIVERED) == ["deferred", "sending", "retrying", "sent", "dead"]
    assert all(may(D(before), after) for after in D for before in sources_of(after))


def test_what_has_been_handed_over_cannot_be_cancelled() -> None:
    assert not CANCELLABLE & (ARRIVED | {D.SENDING})
    assert all(may(status, D.CANCELLED) for status in CANCELLABLE)


def test_a_notification_without_deliveries_keeps_its_stored_status() -> None:
    assert [roll_up([], status) for status in N] == list(N)


def test_suppressed_is_never_called_failed() -> None:
    assert roll_up([D.SUPPRESSED, D.SUPPRESSED], N.ACCEPTED) is N.SUPPRESSED
    assert roll_up([D.SUPPRESSED, D.DELIVERED], N.ACCEPTED) is N.DELIVERED


def test_one_of_two_channels_delivered_is_partially_delivered() -> None:
    assert roll_up([D.DELIVERED, D.FAILED], N.ACCEPTED) is N.PARTIALLY_DELIVERED
    assert roll_up([D.DELIVERED, D.SENT], N.ACCEPTED) is N.PARTIALLY_DELIVERED


def test_open_work_shows_as_processing_until_something_has_arrived() -> None:
    assert roll_up([D.PLANNED, D.FAILED], N.ACCEPTED) is N.PROCESSING
    assert roll_up([D.RETRYING, D.SENT], N.ACCEPTED) is N.SENT


@given(statuses, st.randoms())
def test_the_order_of_deliveries_does_not_matter(found: list[D], chance: object) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis types its random loosely
    assert roll_up(found, N.ACCEPTED) is roll_up(shuffled, N.ACCEPTED)


@given(statuses)
def test_delivered_is_claimed_only_when_something_was_delivered(found: list[D]) -> None:
    claimed = roll_up(found, N.ACCEPTED) in {N.DELIVERED, N.PARTIALLY_DELIVERED}
    assert claimed == (D.DELIVERED in found)
